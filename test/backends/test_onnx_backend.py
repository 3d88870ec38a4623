"""The onnxruntime backend: targets, threads, bound memory, and a process without torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from saved_models import boxes_norm, noise_crops, save_small

from litetrack_ros.backends.base import Predictions, TemplateFeatures
from litetrack_ros.backends.onnx_backend import OnnxBackend, _Binding
from litetrack_ros.backends.onnx_files import OnnxPaths
from litetrack_ros.errors import BackendError
from litetrack_ros.export.onnx_export import export_onnx


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> OnnxPaths:
    folder = tmp_path_factory.mktemp("small")
    return export_onnx(save_small(folder / "small.safetensors"), folder, "small", max_targets=4)


def templates_and_crops(backend: OnnxBackend, count: int) -> tuple[TemplateFeatures, np.ndarray]:
    model = backend.model_config
    template = backend.encode_template(
        noise_crops(count, model.template_size, 1), boxes_norm(count)
    )
    return template, noise_crops(count, model.search_size, 2)


@pytest.mark.parametrize(("count", "threads"), [(1, 0), (3, 2), (6, 3), (4, 1)])
def test_targets_do_not_see_each_other(paths: OnnxPaths, count: int, threads: int):
    """Together, side by side or one after another, every target gets what it gets alone."""
    backend = OnnxBackend(paths, threads=threads)
    template, crops = templates_and_crops(backend, count)
    together = backend.search(crops, template)
    assert together.boxes_cxcywh_norm.shape == (count, 4)
    for index in range(count):
        own = TemplateFeatures(*(part[index : index + 1] for part in template))
        alone = backend.search(crops[index : index + 1], own)
        for whole, part in zip(together, alone, strict=True):
            np.testing.assert_allclose(whole[index], part[0], rtol=2e-5, atol=2e-5)


def test_templates_stack_and_matter(paths: OnnxPaths):
    backend = OnnxBackend(paths)
    template, crops = templates_and_crops(backend, 2)
    parts = [TemplateFeatures(*(part[k : k + 1] for part in template)) for k in (1, 0)]
    twice = np.repeat(crops[:1], 2, axis=0)
    forward, backward = (backend.search(twice, t) for t in (template, backend.stack(parts)))
    np.testing.assert_allclose(forward.scores, backward.scores[::-1], rtol=2e-5, atol=2e-5)
    first, second = backend.search(twice, template).score_maps
    assert np.abs(first - second).max() > 1e-4


def test_info_names_what_runs(paths: OnnxPaths):
    info = OnnxBackend(paths).info
    assert (info.backend, info.provider) == ("onnx", "CPUExecutionProvider")
    assert (info.precision, info.model_name) == ("fp32", "small")
    assert len(info.model_sha256) == 64
    assert info.device_name != ""


def test_a_gpu_that_is_not_there_is_an_error_unless_allowed(paths: OnnxPaths):
    with pytest.raises(BackendError, match="cuda"):
        OnnxBackend(paths, "cuda")
    backend = OnnxBackend(paths, "cuda", allow_fallback=True)
    assert backend.info.provider == "CPUExecutionProvider"


def test_bound_memory_gives_the_same_and_takes_new_templates(paths: OnnxPaths):
    """The path of GPUs, on the CPU's memory."""
    backend = OnnxBackend(paths)
    template, crops = templates_and_crops(backend, 2)
    other = TemplateFeatures(*(np.ascontiguousarray(part[::-1]) for part in template))
    binding = _Binding(backend._search, 2, ("cpu", 0))
    for features in (template, template, other, template):
        expected = backend.search(crops, features)
        found = Predictions.of(*binding.run(crops, features, slice(0, 2)))
        for one, other_one in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other_one, rtol=2e-5, atol=2e-5)


def test_threads_do_not_change_the_answer(paths: OnnxPaths):
    usual, other = OnnxBackend(paths), OnnxBackend(paths, threads=1)
    template, crops = templates_and_crops(usual, 1)
    np.testing.assert_allclose(
        usual.search(crops, template).boxes_cxcywh_norm,
        other.search(crops, template).boxes_cxcywh_norm,
        rtol=2e-5,
        atol=2e-5,
    )


def test_a_target_is_tracked_without_torch(paths: OnnxPaths):
    """From the file to a box in a process in which torch, onnx and safetensors cannot be had."""
    code = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "onnx", "safetensors"):
            raise ModuleNotFoundError(f"No module named {{name!r}} (blocked)", name=name)

sys.meta_path.insert(0, Blocker())
import numpy as np
from litetrack_ros.config import ModelChoice
from litetrack_ros.backends.registry import open_backend
from litetrack_ros.tracker.tracker import Tracker

tracker = Tracker(open_backend(ModelChoice({str(paths.search)!r})))
image = np.random.RandomState(0).randint(0, 256, (240, 320, 3)).astype(np.uint8)
tracker.init(image, (100, 80, 40, 30))
print(tracker.update(image).box_xywh.shape)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "(4,)", result.stderr
