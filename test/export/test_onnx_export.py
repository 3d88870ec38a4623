"""Exported graphs give what PyTorch gives, and files appear whole or not at all."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from saved_models import boxes_norm, noise_crops, save_small

from litetrack_ros.backends.onnx_backend import OnnxBackend
from litetrack_ros.backends.onnx_files import OnnxPaths, read_metadata
from litetrack_ros.backends.torch_backend import TorchBackend
from litetrack_ros.errors import ConfigError, LiteTrackError
from litetrack_ros.export.onnx_export import build_graphs, export_onnx
from litetrack_ros.model.head import HeadMaps

FORMS = {
    "paper": {},
    "nano": {"stem": "efficientnet_lite0", "target_cue": "inside"},
    "two templates": {
        "stem": "efficientnet_lite0",
        "target_cue": "inside",
        "templates": 2,
    },
    "two templates, token": {"templates": 2, "ai_layers": 1},
    "no cue": {"target_cue": "none", "window_power": 0.5},
    "average": {"average_boxes": True},
    "nano average": {"stem": "efficientnet_lite0", "average_boxes": True, "decode": "exact"},
    "one interaction layer": {"ai_layers": 1, "fe_layers": 0},
    "joint": {"interaction": "joint", "fe_layers": 0, "target_cue": "inside"},
    "joint with token": {"interaction": "joint", "fe_layers": 0, "target_cue": "token"},
}


class Answers(NamedTuple):
    """What both backends say of the same crops."""

    expected: np.ndarray  # (N, 6)
    found: np.ndarray
    expected_scores: np.ndarray  # (N, G, G)
    found_scores: np.ndarray


def both_answers(
    tmp_path: Path, targets: int, precision: str = "fp32", opset: int = 17, **form: object
) -> Answers:
    weights = save_small(tmp_path / "small.safetensors", **form)
    config = weights.model_config
    reference = TorchBackend(weights)
    backend = OnnxBackend(export_onnx(weights, tmp_path, "small", precision, opset))
    crops = noise_crops(targets, config.template_size, seed=1)
    search = noise_crops(targets, config.search_size, seed=2)
    templates = [each.encode_template(crops, boxes_norm(targets)) for each in (reference, backend)]
    if config.templates == 2:
        later = noise_crops(targets, config.template_size, seed=3)
        templates = [
            each.with_recent(template, each.encode_template(later, boxes_norm(targets)))
            for each, template in zip((reference, backend), templates, strict=True)
        ]
    return Answers(
        np.column_stack(reference.search(search, templates[0])[:3]),
        np.column_stack(backend.search(search, templates[1])[:3]),
        reference.maps(search, templates[0]).score[:, 0].numpy(),
        backend.search(search, templates[1]).score_maps,
    )


@pytest.mark.parametrize("form", FORMS)
def test_graphs_give_what_torch_gives(tmp_path: Path, form: str):
    answers = both_answers(tmp_path, 2, **FORMS[form])
    scores = answers.expected_scores
    np.testing.assert_allclose(answers.found_scores, scores, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(answers.found, answers.expected, rtol=2e-5, atol=2e-5)
    assert np.ptp(scores) > 0.05  # maps that are flat would agree whatever the graph does


@pytest.mark.parametrize("average", [False, True])
def test_boxes_agree_in_every_cell(tmp_path: Path, average: bool):
    """The graph computes them at the peak alone: the window is made to put it in each cell."""
    weights = save_small(tmp_path / "small.safetensors", average_boxes=average)
    cells = weights.model_config.search_grid**2
    template_graph, graph = build_graphs(weights, "fp32", 17, cells)
    for tensor in graph.graph.initializer:
        if tensor.name == "window":
            window = np.eye(cells, dtype=np.float32)  # one row a target
            tensor.CopyFrom(onnx.numpy_helper.from_array(window, "window"))
    template = noise_crops(1, weights.model_config.template_size, seed=1)
    crop = noise_crops(1, weights.model_config.search_size, seed=2)
    session = ort.InferenceSession(template_graph.SerializeToString())
    feed = {"crops": template, "boxes_xyxy_norm": boxes_norm(1)}
    keys, values = session.run(["keys", "values"], feed)
    feed = {"crops": crop, "keys": keys, "values": values}
    feed = {name: np.repeat(array, cells, axis=0) for name, array in feed.items()}
    (found,) = ort.InferenceSession(graph.SerializeToString()).run(["result"], feed)

    reference = TorchBackend(weights)
    maps = reference.maps(crop, reference.encode_template(template, boxes_norm(1)))
    maps = HeadMaps(*(part.expand(cells, -1, -1, -1) for part in maps))
    expected = reference.model.boxes(maps, torch.arange(cells)[:, None]).numpy()
    np.testing.assert_allclose(found[:, :4], expected, rtol=2e-5, atol=2e-5)
    offset = maps.offset[0].flatten(1)
    assert np.ptp(offset.numpy()) > 0.1


@pytest.mark.parametrize("opset", [18, 20, 22])
def test_later_opsets_give_the_same(tmp_path: Path, opset: int):
    answers = both_answers(tmp_path, 1, opset=opset, **FORMS["nano"])
    np.testing.assert_allclose(answers.found, answers.expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("form", ["paper", "nano"])
def test_fp16_stays_close_to_torch(tmp_path: Path, form: str):
    answers = both_answers(tmp_path, 2, "fp16", **FORMS[form])
    np.testing.assert_allclose(answers.found_scores, answers.expected_scores, atol=2e-2)
    # It really is another precision.
    assert np.abs(answers.found_scores - answers.expected_scores).max() > 1e-6


def graph_of(tmp_path: Path, precision: str, max_targets: int = 8, **form):
    weights = save_small(tmp_path / "small.safetensors", **form)
    return build_graphs(weights, precision, 17, max_targets)[1].graph


def test_norms_and_softmax_are_float32_in_fp16(tmp_path: Path):
    graph = graph_of(tmp_path, "fp16")
    made_by = {output: node for node in graph.node for output in node.output}
    wide = [node for node in graph.node if node.op_type in ("LayerNormalization", "Softmax")]
    assert len(wide) == 3 * 3
    for node in wide:
        cast = made_by[node.input[0]]
        assert cast.op_type == "Cast"
        assert cast.attribute[0].i == onnx.TensorProto.FLOAT


def test_graphs_have_no_shape_arithmetic(tmp_path: Path):
    operators = {node.op_type for node in graph_of(tmp_path, "fp32", **FORMS["nano"]).node}
    assert operators & {"Shape", "ConstantOfShape", "Range", "If", "Loop"} == set()
    assert "LayerNormalization" in operators


@pytest.mark.parametrize(("max_targets", "dimension"), [(1, 1), (4, "targets")])
def test_one_target_fixes_the_shapes(tmp_path: Path, max_targets: int, dimension: int | str):
    first = graph_of(tmp_path, "fp32", max_targets).input[0].type.tensor_type.shape.dim[0]
    assert (first.dim_param or first.dim_value) == dimension


def test_metadata_tells_all_of_the_model(tmp_path: Path):
    weights = save_small(tmp_path / "small.safetensors")
    found = read_metadata(export_onnx(weights, tmp_path, "other", "fp16", max_targets=3).search)
    assert found.model_config == weights.model_config
    assert found.tracker_config == weights.tracker_config
    assert (found.source_sha256, found.precision) == (weights.sha256, "fp16")
    assert (found.max_targets, found.role) == (3, "search")


def test_both_graphs_share_their_weights(tmp_path: Path):
    weights = save_small(tmp_path / "small.safetensors")
    graphs = build_graphs(weights, "fp32", 17, 8)
    paths = export_onnx(weights, tmp_path, "small")
    both = sum(len(tensor.raw_data) for model in graphs for tensor in model.graph.initializer)
    assert paths.weights.stat().st_size < 0.7 * both
    assert max(p.stat().st_size for p in (paths.template, paths.search)) < 60_000
    onnx.checker.check_model(str(paths.search), full_check=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"precision": "fp8"}, "fp8"),
        ({"opset": 16}, "from 17"),
        ({"opset": 99}, "from 17"),
        ({"max_targets": 0}, "at least 1"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, arguments: dict, message: str):
    weights = save_small(tmp_path / "small.safetensors")
    with pytest.raises(ConfigError, match=message):
        export_onnx(weights, tmp_path / "out", "small", **arguments)
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_what_was_there(tmp_path: Path):
    """Files may grow to 100 kB only, as on a disk with so much left."""
    source = tmp_path / "small.safetensors"
    weights = save_small(source)
    paths = export_onnx(weights, tmp_path / "out", "small")
    before = {path.name: path.read_bytes() for path in paths.search.parent.iterdir()}
    code = f"""
import resource, signal
from pathlib import Path
from litetrack_ros.export.onnx_export import export_onnx
from litetrack_ros.model.checkpoint import load_weights
weights = load_weights(Path({str(source)!r}))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
export_onnx(weights, Path({str(tmp_path / "out")!r}), "small")
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "WeightsError: cannot write" in result.stderr
    after = {path.name: path.read_bytes() for path in paths.search.parent.iterdir()}
    assert after == before


def test_ctrl_c_leaves_no_file(tmp_path: Path):
    """The interrupt comes while the weights are being written: the disk is made slow."""
    source, folder = tmp_path / "small.safetensors", tmp_path / "out"
    save_small(source)
    code = f"""
import signal, time
# A suite that a script starts in the background ignores SIGINT, and its children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from litetrack_ros.export import graph as files
from litetrack_ros.export.onnx_export import export_onnx
from litetrack_ros.model.checkpoint import load_weights

write = files._WeightsFile._write
def slow(self, content):
    write(self, content)
    self._file.flush()
    print("writing", flush=True)
    time.sleep(30)

files._WeightsFile._write = slow
export_onnx(load_weights(Path({str(source)!r})), Path({str(folder)!r}), "small")
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    assert len(list(folder.iterdir())) == 3  # temporary files
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    assert process.wait(20) != 0
    assert time.monotonic() - started < 20
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path):
    weights = save_small(tmp_path / "small.safetensors")
    (tmp_path / "file").write_text("")
    with pytest.raises(LiteTrackError, match="file"):
        export_onnx(weights, tmp_path / "file" / "out", "small")
    assert not OnnxPaths.of(tmp_path, "small", "fp32").exist()
