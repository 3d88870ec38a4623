"""Trains the head that finds boxes from points, on the shipped model's frozen stem.

The stem's features of every square are computed once, by OpenCV from the exported template
network's first part; only the head (a third of a million weights) learns. The file that
:func:`train` writes holds both, with 16-bit weights.
"""

import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F

from litetrack_ros.datasets.photos import Photo
from litetrack_ros.errors import WeightsError
from litetrack_ros.files import replacing
from litetrack_ros.opencv import cv2
from litetrack_ros.tracker.point_boxes import CROP_PX, HYPOTHESES, network_input
from litetrack_ros.training.point_squares import is_for_validation, squares

CHANNELS = 192
FEATURE_SCALE = 6.0  # the features' usual size, so that the head's inputs are around one
HIDDEN = (64, 32, 112)
BATCH = 128
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.03
JUDGED = (0.08, 1.4)  # reach (longer side over the square's) that the box is learned from
OPSET = 10  # later ones give Clip its limits as inputs, which OpenCV 4.5 and 4.6 cannot read
IR_VERSION = 8


class Features(NamedTuple):
    """Examples as the head takes them.

    Attributes:
        features: float16 ``(N, 192, G, G)``.
        reach: ``(N, 4)``, in sides of the square.
        on_object: ``(N,)`` bool.
    """

    features: npt.NDArray[np.float16]
    reach: Tensor
    on_object: Tensor


class PointHead(nn.Module):
    """Features of a square to boxes around its middle: ``(B, 192, 8, 8)`` to ``(B, K * 5)``."""

    def __init__(self) -> None:
        super().__init__()
        first, second, hidden = HIDDEN
        self.narrow = nn.Conv2d(CHANNELS, first, 1)
        self.mix = nn.Conv2d(first, second, 3, padding=1)
        self.hidden = nn.Linear(second * (CROP_PX // 16) ** 2, hidden)
        self.out = nn.Linear(hidden, HYPOTHESES * 5)
        self.drop = nn.Dropout(0.15)
        with torch.no_grad():
            # The hypotheses start as a small and a large box.
            bias = self.out.bias.view(HYPOTHESES, 5)
            bias[:, :4] = torch.linspace(-1.6, -0.6, HYPOTHESES)[:, None]
            bias[:, 4] = -1.0

    def forward(self, features: Tensor) -> Tensor:
        """Raw values: softplus of the first four of each box, a sigmoid of the fifth are meant."""
        x = F.relu(self.mix(F.relu(self.narrow(features / FEATURE_SCALE))))
        x = self.drop(F.relu(self.hidden(self.drop(x.flatten(1)))))
        raw: Tensor = self.out(x)
        return raw


def overlap_around_point(first: Tensor, second: Tensor) -> Tensor:
    """Overlap of boxes given by their reach left, up, right, down, ``(..., 4)`` to ``(...)``."""
    both = torch.minimum(first, second)
    shared = (both[..., 0] + both[..., 2]) * (both[..., 1] + both[..., 3])
    areas = [(b[..., 0] + b[..., 2]) * (b[..., 1] + b[..., 3]) for b in (first, second)]
    return shared / (areas[0] + areas[1] - shared + 1e-6)


def point_loss(raw: Tensor, reach: Tensor, on_object: Tensor) -> Tensor:
    """The nearest hypothesis learns the box; each learns what overlap it reaches."""
    values = raw.view(-1, HYPOTHESES, 5)
    found = F.softplus(values[..., :4])
    wanted = reach[:, None].expand_as(found)
    reached = overlap_around_point(found, wanted)
    size = torch.maximum(reach[:, 0] + reach[:, 2], reach[:, 1] + reach[:, 3])
    judged = on_object & (size > JUDGED[0]) & (size < JUDGED[1])
    off = ((found + 0.03).log() - (wanted + 0.03).log()).abs().mean(-1)
    each = 1 - reached + 0.3 * off
    nearest = F.one_hot(each.argmin(1), HYPOTHESES) * 0.85 + 0.15 / HYPOTHESES
    boxes = ((each * nearest).sum(1) * judged).sum() / judged.sum().clamp(min=1)
    target = reached.detach() * on_object[:, None]
    return boxes + 1.5 * F.binary_cross_entropy_with_logits(values[..., 4], target)


def train(
    photos: list[Photo],
    template_graph: Path,
    output: Path,
    count: int,
    epochs: int,
    seed: int = 0,
    log: Callable[[str], None] = print,
) -> None:
    """Make examples, train the head on them, and write stem and head as one ONNX file.

    Args:
        photos: held-out ones are left out.
        template_graph: the shipped model's; its stem is used.
        output: the file to write.
        count: examples to train on; a tenth as many watch the training.
        epochs: how often each is seen.
        seed: of examples and training.
        log: takes a line now and then.

    Raises:
        DatasetError: no photo to train on.
        WeightsError: the graph has no stem of 192 channels.
    """
    torch.manual_seed(seed)
    stem = stem_graph(template_graph)
    watched = [photo for photo in photos if is_for_validation(photo)]
    learned = [photo for photo in photos if not is_for_validation(photo)]
    start_s = time.monotonic()
    training = _features(stem, learned, count, seed)
    validation = _features(stem, watched, max(count // 10, 1), seed)
    log(f"{count} squares in {time.monotonic() - start_s:.0f} s")
    head = _fit(training, validation, epochs, seed, log)
    with replacing(output) as path:
        onnx.save(with_head(stem, head), str(path))


def _fit(
    training: Features, validation: Features, epochs: int, seed: int, log: Callable[[str], None]
) -> PointHead:
    """The head with weights averaged over the last steps."""
    head, average = PointHead(), PointHead()
    average.load_state_dict(head.state_dict())
    average.eval()
    batch = min(BATCH, len(training.features))
    steps = len(training.features) // batch
    optimizer = torch.optim.AdamW(head.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=epochs * steps, pct_start=0.1
    )
    rng = np.random.default_rng(seed)
    for epoch in range(epochs):
        order = rng.permutation(len(training.features))
        for step in range(steps):
            chosen = np.sort(order[step * batch : (step + 1) * batch])
            features = torch.from_numpy(training.features[chosen].astype(np.float32))
            rows = torch.from_numpy(chosen)
            loss = point_loss(head(features), training.reach[rows], training.on_object[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            done = epoch * steps + step + 1
            with torch.no_grad():
                for kept, new in zip(average.parameters(), head.parameters(), strict=True):
                    kept.lerp_(new, 1 - min(0.998, done / (done + 10)))
        with torch.no_grad():
            features = torch.from_numpy(validation.features.astype(np.float32))
            watched = point_loss(average(features), validation.reach, validation.on_object)
        log(f"epoch {epoch + 1} of {epochs}: loss on photos not trained on {float(watched):.3f}")
    return average


def _features(stem: onnx.ModelProto, photos: list[Photo], count: int, seed: int) -> Features:
    net: Any = cv2.dnn.readNetFromONNX(np.frombuffer(stem.SerializeToString(), np.uint8))
    grid = CROP_PX // 16
    features = np.empty((count, CHANNELS, grid, grid), dtype=np.float16)
    reach, on_object = torch.empty(count, 4), torch.empty(count, dtype=torch.bool)
    examples = squares(photos, seed)
    for start in range(0, count, 16):
        batch = list(islice(examples, min(16, count - start)))
        net.setInput(network_input([one.picture_bgr for one in batch]))
        end = start + len(batch)
        features[start:end] = net.forward()
        reach[start:end] = torch.from_numpy(np.stack([one.reach for one in batch]))
        on_object[start:end] = torch.tensor([one.on_object for one in batch])
    return Features(features, reach, on_object)


def stem_graph(template_graph: Path) -> onnx.ModelProto:
    """The stem of an exported template network: RGB around 0 to 192 channels at stride 16.

    Raises:
        WeightsError: there is no such part in the graph.
    """
    graph = onnx.load(str(template_graph)).graph
    ends = [node for node in graph.node if node.op_type == "Concat"]
    starts = [node for node in graph.node if node.op_type == "Conv"]
    if not ends or not starts or len(ends[0].input) != 2:
        raise WeightsError(f"{template_graph} has no EfficientNet stem: export litetrack_nano")
    image, end = starts[0].input[0], ends[0].output[0]
    needed: set[str] = {end}
    nodes: list[Any] = []
    for node in reversed(graph.node):
        if node.output[0] in needed and node.output[0] != image:
            nodes.insert(0, node)
            needed.update(node.input)
    weights = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if tensor.name in needed
    }
    return _model(nodes, weights, image, end, [None, CHANNELS, CROP_PX // 16, CROP_PX // 16])


def with_head(stem: onnx.ModelProto, head: PointHead) -> onnx.ModelProto:
    """The stem with the head on it."""
    state = {name: value.detach().numpy() for name, value in head.state_dict().items()}
    state["narrow.weight"] = state["narrow.weight"] / np.float32(FEATURE_SCALE)
    node = helper.make_node
    nodes = [
        node(
            "Conv",
            [stem.graph.output[0].name, "narrow.weight", "narrow.bias"],
            ["narrow"],
            kernel_shape=[1, 1],
        ),
        node("Relu", ["narrow"], ["narrow_relu"]),
        node(
            "Conv",
            ["narrow_relu", "mix.weight", "mix.bias"],
            ["mix"],
            kernel_shape=[3, 3],
            pads=[1, 1, 1, 1],
        ),
        node("Relu", ["mix"], ["mix_relu"]),
        node("Flatten", ["mix_relu"], ["flat"], axis=1),
        node("Gemm", ["flat", "hidden.weight", "hidden.bias"], ["hidden"], transB=1),
        node("Relu", ["hidden"], ["hidden_relu"]),
        node("Gemm", ["hidden_relu", "out.weight", "out.bias"], ["boxes"], transB=1),
    ]
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in stem.graph.initializer}
    return _model(
        [*stem.graph.node, *nodes],
        stored | state,
        stem.graph.input[0].name,
        "boxes",
        [None, HYPOTHESES * 5],
    )


def _model(
    nodes: list[Any],
    weights: dict[str, npt.NDArray[Any]],
    image: str,
    end: str,
    shape: list[int | None],
) -> onnx.ModelProto:
    """A model as OpenCV reads it from 4.5 on: limits of Clip as attributes, 32 bits throughout.

    All but the smallest weights have values of 16 bits.
    """
    plain: list[Any] = []
    for node in nodes:
        if node.op_type == "Clip" and len(node.input) == 3:
            low, high = (float(weights[name]) for name in node.input[1:])
            node = helper.make_node("Clip", node.input[:1], node.output, min=low, max=high)
        plain.append(node)
    used = {name for node in plain for name in node.input}
    stored = [
        numpy_helper.from_array(_rounded(value), name)
        for name, value in weights.items()
        if name in used
    ]
    graph = helper.make_graph(
        plain,
        "point_boxes",
        [helper.make_tensor_value_info(image, TensorProto.FLOAT, [None, 3, CROP_PX, CROP_PX])],
        [helper.make_tensor_value_info(end, TensorProto.FLOAT, shape)],
        stored,
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


def _rounded(value: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    rounded = value.astype(np.float16) if value.size > 64 else value
    return rounded.astype(np.float32)
