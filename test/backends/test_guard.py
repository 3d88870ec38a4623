"""A GPU that fails: named, and then the end, or the CPU with all targets."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from reference_model import reference_scene
from small_models import small_backend

from litetrack_ros.backends.base import PassingBackend
from litetrack_ros.backends.guard import GuardedBackend, fault_of
from litetrack_ros.config import TrackerConfig
from litetrack_ros.errors import BackendError, DeviceFaultError
from litetrack_ros.tracker.tracker import MultiTracker

torch = pytest.importorskip("torch")

BOXES = [(300.0, 200.0, 60.0, 48.0), (100.0, 90.0, 40.0, 60.0)]
FULL = "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has 7.00 MiB free."
ASSERT = "CUDA error: device-side assert triggered\nCUDA kernel errors might be reported later"
CONFIG = TrackerConfig(recent_score=0.0, recent_after_frames=1, recent_every_frames=1)


class LostArray:
    """An array on the device, which cannot be read once that has failed."""

    def __init__(self, device: FailingDevice, array: Any) -> None:
        self._device, self.array, self.shape = device, array, array.shape

    def max(self) -> Any:
        self._device.check("max")
        return self.array.max()

    def min(self) -> Any:
        self._device.check("min")
        return self.array.min()


class FailingDevice(PassingBackend):
    """A real backend on a device that fails in a call, and from then on in every one."""

    def __init__(self, backend: Any) -> None:
        super().__init__(backend)
        self.info = dataclasses.replace(backend.info, provider="cuda:0", device_name="a GPU")
        self.fails_in = self.error = ""
        self.has_failed = False

    def check(self, call: str) -> None:
        if call == self.fails_in or self.has_failed:
            self.has_failed = True
            error = torch.OutOfMemoryError if self.error == FULL else RuntimeError
            raise error(self.error)

    def _wrap(self, features: Any) -> Any:
        return type(features)(*(LostArray(self, one) for one in features))

    @staticmethod
    def _unwrap(features: Any) -> Any:
        return type(features)(*(one.array for one in features))

    def encode_template(self, crops: Any, boxes_xyxy_norm: Any) -> Any:
        self.check("encode_template")
        return self._wrap(super().encode_template(crops, boxes_xyxy_norm))

    def with_recent(self, first: Any, recent: Any) -> Any:
        self.check("with_recent")
        return self._wrap(super().with_recent(self._unwrap(first), self._unwrap(recent)))

    def stack(self, templates: Any) -> Any:
        self.check("stack")
        return self._wrap(super().stack([self._unwrap(one) for one in templates]))

    def token_keys(self, template: Any) -> Any:
        self.check("token_keys")
        return super().token_keys(self._unwrap(template))

    def cut(self, image: Any, regions: Any, color_order: Any) -> Any:
        self.check("cut")
        return torch.from_numpy(super().cut(image, regions, color_order))

    def search(self, crops: Any, templates: Any) -> Any:
        self.check("search")
        assert isinstance(crops, torch.Tensor)
        return super().search(crops, self._unwrap(templates))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (FULL, "the device's memory is full: CUDA out of memory"),
        (ASSERT, "the device failed: CUDA error: device-side assert"),
        ("Failed to allocate memory for requested buffer of size 4096", "memory is full"),
        ("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate", "memory is full"),
        ("CUDA failure 710: device-side assert triggered ; GPU=0", "the device failed"),
        ("CUDNN failure 5000: CUDNN_STATUS_EXECUTION_FAILED", "the device failed"),
        ("TensorRT EP execution context enqueue failed.", "the device failed"),
        ("expected a tensor of 3 dimensions", ""),
    ],
)
def test_faults_are_told_from_other_errors(text: str, says: str) -> None:
    found = fault_of(RuntimeError(text))
    assert (says in found) if says else not found
    assert "\n" not in found
    assert fault_of(BackendError(text)) == ""


def run(backend: Any, device: FailingDevice | None, fails_in: str, error: str) -> np.ndarray:
    """Two targets over eight frames; in the fourth the device fails."""
    tracker = MultiTracker(backend, CONFIG)
    for index, box in enumerate(BOXES):
        tracker.init(reference_scene(0), box, str(index))
    boxes = []
    for frame in range(1, 9):
        if device is not None and frame == 4:
            device.fails_in, device.error = fails_in, error
        boxes.append([result.box_xywh for result in tracker.update(reference_scene(frame))])
        tracker.refresh()
    return np.array(boxes)


CALLS = ["search", "cut", "encode_template", "with_recent", "stack", "max"]


@pytest.mark.parametrize("error", [FULL, ASSERT])
@pytest.mark.parametrize("fails_in", CALLS)
def test_the_cpu_goes_on_with_the_same_targets(fails_in: str, error: str, caplog: Any) -> None:
    here = small_backend(templates=2)
    expected = run(here, None, "", "")
    device = FailingDevice(small_backend(templates=2))
    guarded = GuardedBackend(device, lambda: here)
    found = run(guarded, device, fails_in, error)
    assert device.has_failed and guarded.info is here.info
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert f"{error[:20]}" in caplog.text and "going on with cpu" in caplog.text


@pytest.mark.parametrize("error", [FULL, ASSERT])
@pytest.mark.parametrize("fails_in", CALLS)
def test_without_a_fallback_it_is_the_end_with_a_name(fails_in: str, error: str) -> None:
    device = FailingDevice(small_backend(templates=2))
    with pytest.raises(DeviceFaultError, match=r"(memory is full|device failed).*allow_fallback"):
        run(GuardedBackend(device, None), device, fails_in, error)


def test_other_errors_are_not_the_devices() -> None:
    device = FailingDevice(small_backend())
    guarded = GuardedBackend(device, small_backend)
    with pytest.raises(RuntimeError, match="another"):
        run(guarded, device, "search", "another error")
    assert guarded.info.provider == "cuda:0"


@pytest.mark.parametrize("allow_fallback", [False, True])
def test_a_gpu_that_fails_while_a_model_is_opened(
    monkeypatch: pytest.MonkeyPatch, allow_fallback: bool
) -> None:
    from litetrack_ros.backends import registry
    from litetrack_ros.config import ModelChoice

    usual = registry._open

    def fail(choice: ModelChoice) -> Any:
        if choice.device == "cuda":
            raise torch.OutOfMemoryError(FULL)
        return usual(choice)

    monkeypatch.setattr(registry, "_open", fail)
    choice = ModelChoice(device="cuda", precision="fp16", allow_fallback=allow_fallback)
    if allow_fallback:
        info = registry.open_backend(choice).info
        assert not registry.is_gpu(info.provider) and info.precision == "fp32"
    else:
        with pytest.raises(DeviceFaultError, match="cuda: the device's memory is full"):
            registry.open_backend(choice)


def test_what_runs_on_a_gpu_is_guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    from litetrack_ros.backends import registry
    from litetrack_ros.config import ModelChoice

    monkeypatch.setattr(registry, "_open", lambda choice: FailingDevice(small_backend()))
    assert isinstance(registry.open_backend(ModelChoice(device="cuda")), GuardedBackend)
    monkeypatch.setattr(registry, "_open", lambda choice: small_backend())
    assert not isinstance(registry.open_backend(ModelChoice()), GuardedBackend)
