"""Providers and their options for every kind of device; no GPU is needed to check them."""

from __future__ import annotations

from pathlib import Path

import pytest

from litetrack_ros.backends import providers
from litetrack_ros.backends.providers import (
    CPU,
    CUDA,
    OPENVINO,
    TENSORRT,
    cache_folder,
    plan_providers,
    provider_options,
)
from litetrack_ros.errors import BackendError

ALL = (TENSORRT, CUDA, OPENVINO, CPU)
SHAPES = {"crops": ("targets", 256, 256, 3), "keys": ("targets", 2, 12, 64, 64)}


@pytest.mark.parametrize(
    ("device", "available", "wanted", "number"),
    [
        ("cpu", ALL, (CPU,), 0),
        ("cuda", ALL, (TENSORRT, CUDA), 0),
        ("cuda:1", (CUDA, CPU), (CUDA,), 1),
        ("tensorrt:2", ALL, (TENSORRT,), 2),
        ("openvino", ALL, (OPENVINO,), 0),
        ("auto", ALL, ALL, 0),
        ("auto", (CPU,), (CPU,), 0),
    ],
)
def test_devices_choose_providers(device: str, available: tuple, wanted: tuple, number: int):
    plan = plan_providers(device, available, allow_fallback=False)
    assert (plan.wanted, plan.device_id) == (wanted, number)


@pytest.mark.parametrize("device", ["cuda", "tensorrt", "openvino"])
def test_a_device_that_is_not_there_is_an_error_unless_allowed(device: str):
    with pytest.raises(BackendError, match=r"doc/deployment\.md"):
        plan_providers(device, (CPU,), allow_fallback=False)
    assert plan_providers(device, (CPU,), allow_fallback=True).wanted == (CPU,)


@pytest.mark.parametrize("device", ["gpu", "", "cuda:", "cuda:x", "cpu:0", "openvino:1"])
def test_unknown_devices_are_named(device: str):
    with pytest.raises(BackendError, match="no device"):
        plan_providers(device, ALL, allow_fallback=True)


def test_a_session_that_silently_took_the_cpu_is_an_error():
    plan = plan_providers("cuda", ALL, allow_fallback=False)
    assert plan.check([CUDA, CPU], allow_fallback=False) == CUDA
    assert plan.check([CPU], allow_fallback=True) == CPU
    with pytest.raises(BackendError, match="did not load"):
        plan.check([CPU], allow_fallback=False)


def options_of(device: str, precision: str) -> dict[str, dict]:
    plan = plan_providers(device, ALL, allow_fallback=False)
    return dict(provider_options(plan, precision, Path("/cache"), SHAPES, 4))


def test_tensorrt_caches_its_engines_and_knows_the_shapes():
    options = options_of("cuda:1", "fp16")
    assert list(options) == [TENSORRT, CUDA, CPU]
    tensorrt = options[TENSORRT]
    assert (tensorrt["device_id"], options[CUDA]["device_id"]) == (1, 1)
    assert tensorrt["trt_fp16_enable"] is True
    assert tensorrt["trt_engine_cache_enable"] and tensorrt["trt_timing_cache_enable"]
    assert tensorrt["trt_engine_cache_path"] == tensorrt["trt_timing_cache_path"] == "/cache"
    assert tensorrt["trt_profile_min_shapes"] == "crops:1x256x256x3,keys:1x2x12x64x64"
    assert tensorrt["trt_profile_max_shapes"] == "crops:4x256x256x3,keys:4x2x12x64x64"


def test_full_precision_stays_full_on_gpus():
    options = options_of("cuda", "fp32")
    assert options[TENSORRT]["trt_fp16_enable"] is False
    assert options[CUDA]["use_tf32"] is False


def test_the_cpu_stands_last_once():
    assert list(options_of("auto", "fp32")) == [TENSORRT, CUDA, OPENVINO, CPU]
    assert list(options_of("cpu", "fp32")) == [CPU]


def test_caches_lie_in_the_users_folder_and_differ_by_what_they_depend_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    base = ("model", "graphs", "1.20", "Orin, 540.4")
    folders = {cache_folder(*base)}
    for position, other in enumerate(("other", "others", "1.21", "RTX 2060, 535")):
        folders.add(cache_folder(*base[:position], other, *base[position + 1 :]))
    usual = providers._tensorrt_options
    monkeypatch.setattr(
        providers, "_tensorrt_options", lambda *given: usual(*given) | {"trt_int8_enable": True}
    )
    folders.add(cache_folder(*base))
    assert len(folders) == 6
    assert all(folder.is_relative_to(tmp_path) for folder in folders)
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder(*base).is_relative_to(Path.home() / ".cache")
