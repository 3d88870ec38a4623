"""Which of onnxruntime's execution providers to use for a device, and their options.

A plain onnxruntime wheel runs on the CPU whatever was asked for, without a word: here the providers
a device needs are looked up first, and what a session really got is compared with it afterwards.
"""

import ctypes
import hashlib
import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litetrack_ros.errors import BackendError

TENSORRT = "TensorrtExecutionProvider"
CUDA = "CUDAExecutionProvider"
OPENVINO = "OpenVINOExecutionProvider"
CPU = "CPUExecutionProvider"

# Kind of device -> providers that may serve it, best first; the CPU runs what they leave over.
DEVICE_PROVIDERS: dict[str, tuple[str, ...]] = {
    "auto": (TENSORRT, CUDA, OPENVINO, CPU),
    "cpu": (CPU,),
    "cuda": (TENSORRT, CUDA),
    "tensorrt": (TENSORRT,),
    "openvino": (OPENVINO,),
}
GPU_PROVIDERS = (TENSORRT, CUDA)
_TENSORRT_MAJORS = (11, 10, 9, 8)


@dataclass(frozen=True)
class Plan:
    """What to ask onnxruntime for.

    Attributes:
        wanted: providers that satisfy the request; one of them must really be in use.
        device: what was asked for, for messages.
        device_id: number of the GPU.
    """

    wanted: tuple[str, ...]
    device: str
    device_id: int

    @property
    def uses_gpu(self) -> bool:
        """Whether the first choice is a GPU."""
        return self.wanted[0] in GPU_PROVIDERS

    def check(self, used: Sequence[str], allow_fallback: bool) -> str:
        """The provider that a session really uses first.

        Args:
            used: the session's own list.
            allow_fallback: whether another provider than those asked for will do.

        Raises:
            BackendError: none of those wanted is in use.
        """
        if used[0] in self.wanted or allow_fallback:
            return used[0]
        raise BackendError(
            f"device '{self.device}' was asked for, but onnxruntime runs the model with {used[0]}: "
            f"{_load_failure(self.wanted[-1])}; mend the installation, use device cpu, or allow "
            "the fallback"
        )


def _load_failure(provider: str) -> str:
    """Why a provider of onnxruntime is not in use, as the linker says it."""
    spec = importlib.util.find_spec("onnxruntime")
    kind = provider.removesuffix("ExecutionProvider").lower()
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "capi" / f"libonnxruntime_providers_{kind}.so"
        try:
            ctypes.CDLL(str(path))
        except OSError as error:
            return f"its GPU libraries did not load: {error}"
    return "its libraries load, but found no device that they can use (its log says more)"


def plan_providers(device: str, available: Sequence[str], allow_fallback: bool) -> Plan:
    """Choose providers for a device.

    Args:
        device: a key of :data:`DEVICE_PROVIDERS`; ``cuda`` and ``tensorrt`` take ``:N``.
        available: providers built into this onnxruntime.
        allow_fallback: go on with the CPU where none of those wanted is available.

    Raises:
        BackendError: an unknown device, or none of its providers is available.
    """
    kind, _, number = device.partition(":")
    numbered = kind in ("cuda", "tensorrt")
    if kind not in DEVICE_PROVIDERS or (":" in device and not (numbered and number.isdecimal())):
        raise BackendError(
            f"the onnx backend has no device '{device}'; use one of "
            f"{', '.join(DEVICE_PROVIDERS)}, with :N after cuda or tensorrt for the Nth GPU"
        )
    wanted = tuple(name for name in DEVICE_PROVIDERS[kind] if name in available)
    if not wanted and allow_fallback:
        wanted = (CPU,)
    if not wanted:
        raise BackendError(
            f"device '{device}' was asked for, but this onnxruntime has only "
            f"{', '.join(available)}: install a build for the device (doc/deployment.md), use "
            "device cpu, or allow the fallback"
        )
    return Plan(wanted, device, int(number or 0))


def tensorrt_version() -> str:
    """Of the library that onnxruntime's provider would load; empty where there is none."""
    for name in ("libnvinfer.so", *(f"libnvinfer.so.{major}" for major in _TENSORRT_MAJORS)):
        try:
            return str(ctypes.CDLL(name).getInferLibVersion())
        except (OSError, AttributeError):
            continue
    return ""


def cache_folder(
    weights_sha256: str, graphs_sha256: str, runtime_version: str, gpu_name: str
) -> Path:
    """Where TensorRT's engine and timing caches of one model on one machine are kept.

    TensorRT checks neither the model nor everything of the machine by itself, so that all of it is
    in the folder's name, and the options too that engines are built with.

    Args:
        weights_sha256: of the weights beside the graphs.
        graphs_sha256: of both graphs, which decide precision, shapes and largest number of targets.
        runtime_version: of onnxruntime and TensorRT.
        gpu_name: with its driver.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    options = json.dumps(_tensorrt_options(Plan((), "", 0), "fp16", Path(), {}, 0))
    parts = (weights_sha256, graphs_sha256, runtime_version, gpu_name, options)
    key = hashlib.sha256("|".join(parts).encode()).hexdigest()
    return root / "litetrack_ros" / "tensorrt" / key[:16]


def provider_options(
    plan: Plan,
    precision: str,
    cache: Path,
    input_shapes: Mapping[str, Sequence[int | str]],
    max_targets: int,
) -> list[tuple[str, dict[str, Any]]]:
    """Providers with options, in the form ``InferenceSession`` takes them.

    Args:
        plan: from :func:`plan_providers`.
        precision: of the exported files.
        cache: folder for TensorRT's caches.
        input_shapes: the graph's inputs; a dimension given by name is the number of targets.
        max_targets: largest number of targets in one call.
    """
    chosen: list[tuple[str, dict[str, Any]]] = []
    for name in plan.wanted:
        options: dict[str, Any] = {}
        if name == TENSORRT:
            options = _tensorrt_options(plan, precision, cache, input_shapes, max_targets)
        elif name == CUDA:
            options = {
                "device_id": plan.device_id,
                # The default takes the largest block there is; a robot's memory is shared.
                "arena_extend_strategy": "kSameAsRequested",
                "cudnn_conv_algo_search": "EXHAUSTIVE",  # once, in the warm-up
                # TF32 would round fp32 to 10 bits.
                "use_tf32": False,
            }
        elif name == OPENVINO:
            options = {"device_type": "CPU"}
        chosen.append((name, options))
    if plan.wanted[-1] != CPU:
        chosen.append((CPU, {}))
    return chosen


def _tensorrt_options(
    plan: Plan,
    precision: str,
    cache: Path,
    input_shapes: Mapping[str, Sequence[int | str]],
    max_targets: int,
) -> dict[str, Any]:
    def profile(targets: int) -> str:
        return ",".join(
            f"{name}:" + "x".join(str(targets if isinstance(d, str) else d) for d in shape)
            for name, shape in input_shapes.items()
        )

    return {
        "device_id": plan.device_id,
        "trt_fp16_enable": precision == "fp16",
        # The graph's own casts keep LayerNormalization and softmax in fp32; this adds a warning
        # and a guard where TensorRT would fuse them away.
        "trt_layer_norm_fp32_fallback": precision == "fp16",
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(cache),
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": str(cache),
        "trt_profile_min_shapes": profile(1),
        "trt_profile_opt_shapes": profile(1),
        "trt_profile_max_shapes": profile(max_targets),
    }
