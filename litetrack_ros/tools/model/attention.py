"""``litetrack model attention``: where the search tokens attend to the target (paper Fig. 3)."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from litetrack_ros.backends.base import Backend, PassingBackend, Predictions, TemplateFeatures
from litetrack_ros.backends.onnx_files import is_graph
from litetrack_ros.backends.registry import find_model
from litetrack_ros.dependencies import require
from litetrack_ros.errors import BackendError, MediaError
from litetrack_ros.geometry import FloatArray, cxcywh_to_xywh, xyxy_to_xywh
from litetrack_ros.images import Uint8Image
from litetrack_ros.media import drawing
from litetrack_ros.media.sources import Source, open_source
from litetrack_ros.media.writers import write_image
from litetrack_ros.opencv import cv2
from litetrack_ros.tools import arguments
from litetrack_ros.tracker.following import follow
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.tracker import Tracker

_HEIGHT_PX = 384  # of the picture's panels


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    src: str
    model: str
    init_box: tuple[float, ...] | None
    frame: int
    layer: tuple[int, ...] | None
    output: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument("src", metavar="SRC", help="a video file, a folder of images or a sequence")
    arguments.add_model_argument(parser)
    arguments.add_init_box_argument(parser)
    parser.add_argument(
        "--frame", type=int, required=True, help="which frame, tracked up to there; 0 is the first"
    )
    parser.add_argument(
        "--layer",
        type=int,
        nargs="+",
        help="which layers, counted from 1 (all); in those without the template the attention to "
        "where the target was found",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT.png", help="the picture to write"
    )


def run(request: Request) -> int:
    """Track up to the frame, compute the attention there, draw it."""
    require("torch")
    require("safetensors")
    from litetrack_ros.backends.torch_backend import TorchBackend
    from litetrack_ros.model.attention_maps import check_layer, target_attention
    from litetrack_ros.model.checkpoint import load_weights

    if request.frame < 1:
        raise MediaError(f"--frame is {request.frame}, but the search starts in frame 1")
    path = find_model(request.model)
    if is_graph(path):
        raise BackendError(f"{path} is an exported graph, which hides its layers; give the weights")
    weights = load_weights(path)
    config = weights.model_config
    layers = request.layer or range(1, config.depth + 1)
    for layer in layers:
        check_layer(config, layer)
    witness = Witness(TorchBackend(weights))
    with open_source(request.src) as source:
        track_to(source, witness, arguments.init_box(request.src, request.init_box), request.frame)
    center, half = witness.box_cxcywh_norm[:2], witness.box_cxcywh_norm[2:] / 2
    maps = target_attention(
        weights.model,
        witness.template_crop,
        witness.template_box,
        witness.search_crop,
        np.concatenate([center - half, center + half]),
    )
    kinds = {layer: " (FE)" if layer <= config.fe_layers else "" for layer in layers}
    write_image(
        request.output, draw(witness, [(f"{k}{kind}", maps[k]) for k, kind in kinds.items()])
    )
    for layer in layers:
        row, column = np.unravel_index(int(maps[layer].argmax()), maps[layer].shape)
        print(
            f"layer {layer}{kinds[layer]}: {maps[layer].mean():.3f} of the attention goes to the "
            f"target on average, at most {maps[layer].max():.3f} (row {row}, column {column})"
        )
    return 0


class Witness(PassingBackend):
    """A backend that keeps the first template's crop and the latest of a search.

    Args:
        backend: runs the network.
    """

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self._has_template = False
        self.template_crop: Uint8Image
        self.template_box: npt.NDArray[np.float32]
        self.search_crop: Uint8Image
        self.box_cxcywh_norm: npt.NDArray[np.float32]

    def encode_template(
        self, crops: Uint8Image, boxes_xyxy_norm: npt.NDArray[np.float32]
    ) -> TemplateFeatures:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        # Later ones are recent templates, and what may be the target while that is LOST.
        if not self._has_template:
            self.template_crop, self.template_box = crops[0], boxes_xyxy_norm[0]
            self._has_template = True
        return super().encode_template(crops, boxes_xyxy_norm)

    def search(self, crops: Uint8Image, templates: TemplateFeatures) -> Predictions:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        predictions = super().search(crops, templates)
        self.search_crop = crops[0]
        self.box_cxcywh_norm = predictions.boxes_cxcywh_norm[0]
        return predictions


def track_to(
    source: Source, witness: Witness, init_box_xywh: FloatArray | None, frame_number: int
) -> None:
    """Track from the first frame up to the given one.

    Raises:
        MediaError: the source ends before that frame.
        BoxError: no track can start from the box.
    """
    images, box = arguments.images_and_box(source, init_box_xywh)
    for number, step in enumerate(follow(Tracker(witness), images, box)):
        if number == frame_number:
            return
        if step.result.state is State.IDLE:
            raise MediaError(f"the target was given up before frame {frame_number}")
    raise MediaError(f"{source.name} ends before frame {frame_number}")


def draw(witness: Witness, layers: Sequence[tuple[str, npt.NDArray[np.float32]]]) -> Uint8Image:
    """Template, search region with the predicted box, and a heat map a layer, side by side."""

    def panel(crop_rgb: Uint8Image) -> Uint8Image:
        size = (_HEIGHT_PX, _HEIGHT_PX)
        resized = cv2.resize(crop_rgb[:, :, ::-1], size, interpolation=cv2.INTER_LINEAR)
        return np.asarray(resized, dtype=np.uint8)

    template, search = panel(witness.template_crop), panel(witness.search_crop)
    panels = [(template, "template", _HEIGHT_PX * xyxy_to_xywh(witness.template_box))]
    found_xywh = _HEIGHT_PX * cxcywh_to_xywh(witness.box_cxcywh_norm)
    panels.append((search, "search region", found_xywh))
    for layer, shares in layers:
        title = f"layer {layer}: up to {shares.max():.2f}"
        panels.append((drawing.heat_map(search, shares), title, found_xywh))
    for image, title, box_xywh in panels:
        drawing.draw_box(image, box_xywh, drawing.GREEN)
        drawing.draw_text(image, title)
    return drawing.tile([image for image, _, _ in panels], len(panels))
