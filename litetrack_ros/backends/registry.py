"""Opens a model by name or file with the backend asked for."""

import dataclasses
import importlib.util
import logging
from functools import partial
from pathlib import Path

from litetrack_ros.backends.base import Backend
from litetrack_ros.backends.guard import GuardedBackend, fault_of
from litetrack_ros.backends.onnx_files import PRECISIONS, OnnxPaths, find_onnx, is_graph, model_name
from litetrack_ros.backends.providers import GPU_PROVIDERS, plan_providers
from litetrack_ros.config import BACKENDS, DEFAULT_CHOICE, ModelChoice
from litetrack_ros.dependencies import require
from litetrack_ros.errors import (
    BackendError,
    DamagedFileError,
    DeviceFaultError,
    MissingDependencyError,
    WeightsError,
)
from litetrack_ros.resources import model_names, model_path

_log = logging.getLogger(__name__)


def open_backend(choice: ModelChoice = DEFAULT_CHOICE) -> Backend:
    """Load a model and make it ready to track.

    Args:
        choice: the model, and what runs it; by default the shipped model on the CPU.

    Raises:
        WeightsError: no such model, or a damaged file.
        BackendError: an unknown backend, device or precision, or one that is not available.
        DeviceFaultError: a GPU fails; later the backend's methods raise it, too. Where the choice
            allows a fallback, the CPU goes on instead, with all targets.
        MissingDependencyError: the backend's package is not installed.

    Examples:
        >>> import litetrack_ros as lt
        >>> backend = lt.open_backend(lt.ModelChoice("litetrack_nano", device="cpu", threads=1))
        >>> backend.info.model_name, backend.info.precision
        ('nano', 'fp32')
    """
    try:
        backend = _open(choice)
    except Exception as error:
        fault = fault_of(error)
        if not fault:
            raise
        if not choice.allow_fallback or choice.device == "cpu":
            raise DeviceFaultError(f"cannot open the model on {choice.device}: {fault}") from error
        _log.warning("cannot open the model on %s, going on with cpu: %s", choice.device, fault)
        return _open_on_cpu(choice)
    if not is_gpu(backend.info.provider):
        return backend
    same = dataclasses.replace(choice, backend=backend.info.backend)
    return GuardedBackend(backend, partial(_open_on_cpu, same) if choice.allow_fallback else None)


def is_gpu(provider: str) -> bool:
    """Whether a :class:`litetrack_ros.backends.base.BackendInfo`'s provider is a GPU."""
    return provider in GPU_PROVIDERS or provider.startswith("cuda")


def _open_on_cpu(choice: ModelChoice) -> Backend:
    """The same model on the CPU, where it can be had in fp32, which is what a CPU is good at."""
    there = dataclasses.replace(choice, device="cpu")
    try:
        return _open(dataclasses.replace(there, precision="fp32"))
    except (BackendError, WeightsError):
        return _open(there)


def _open(choice: ModelChoice) -> Backend:
    if choice.backend not in BACKENDS:
        raise BackendError(
            f"there is no backend '{choice.backend}'; use one of {', '.join(BACKENDS)}"
        )
    path = find_model(choice.model)
    backend = choice.backend
    if backend == "auto":
        backend = _choose_backend(path, choice.device, choice.precision)
    if backend == "onnx":
        require("onnxruntime")
        from litetrack_ros.backends.onnx_backend import OnnxBackend

        paths = find_onnx(path, choice.precision)
        return OnnxBackend(paths, choice.device, choice.threads, choice.allow_fallback)
    return _open_torch(path, choice)


def find_model(model: str) -> Path:
    """The file of a shipped model's name or of a path.

    Returns:
        Its weights file, or where only the exported form is there, its search graph.

    Raises:
        WeightsError: neither; the message lists the shipped models.
    """
    path = Path(model)
    if path.is_file():
        return path
    files = [Path(name) for name in model_names()]
    trackers = [file for file in files if file.suffix != ".onnx" or is_graph(file)]
    shipped = {file: model_name(file) for file in trackers}
    weights_first = sorted(shipped, key=is_graph)
    for name in weights_first:
        if model in (str(name), shipped[name]):
            return model_path(str(name))
    raise WeightsError(
        f"there is no model file '{model}', and no shipped model of that name; shipped are: "
        f"{', '.join(sorted(set(shipped.values()))) or 'none'}"
    )


def _choose_backend(path: Path, device: str, precision: str) -> str:
    """What ``auto`` means; an exported form that is there but cannot be used is warned of."""
    if is_graph(path):
        return "onnx"
    if precision not in PRECISIONS or not OnnxPaths.beside(path, precision).exist():
        return "torch"
    try:
        find_onnx(path, precision)
        plan_providers(device, require("onnxruntime").get_available_providers(), False)
    except DamagedFileError:
        raise  # where one file is damaged, nothing says that the others are not
    except (BackendError, MissingDependencyError, WeightsError) as reason:
        if importlib.util.find_spec("torch") is None:
            raise  # a robot's way out is onnxruntime, not torch
        _log.warning("using torch instead of onnx: %s", reason)
        return "torch"
    return "onnx"


def _open_torch(path: Path, choice: ModelChoice) -> Backend:
    if is_graph(path):
        raise BackendError(f"{path} is an exported graph: use backend onnx, or its .safetensors")
    torch = require("torch")
    require("safetensors")
    from litetrack_ros.backends.torch_backend import TorchBackend
    from litetrack_ros.model.checkpoint import load_weights

    if choice.threads:
        torch.set_num_threads(choice.threads)
    device = choice.device
    if device == "auto" or (device != "cpu" and choice.allow_fallback):
        device = ("cuda" if device == "auto" else device) if torch.cuda.is_available() else "cpu"
    return TorchBackend(load_weights(path), device, choice.precision)
