"""Opens a model by name or file with the backend asked for."""

from __future__ import annotations

from pathlib import Path

from litetrack_ros.backends.base import Backend
from litetrack_ros.dependencies import require
from litetrack_ros.errors import BackendError, WeightsError
from litetrack_ros.resources import model_names, model_path

DEFAULT_MODEL = "litetrack_nano"
BACKENDS = ("torch",)


def open_backend(
    model: str = DEFAULT_MODEL,
    backend: str = "torch",
    device: str = "cpu",
    precision: str = "fp32",
) -> Backend:
    """Load a model and make it ready to track.

    Args:
        model: a shipped model's name, or the path of a weights file.
        backend: one of :data:`BACKENDS`.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``fp32``, ``fp16`` or ``bf16``.

    Raises:
        WeightsError: no such model, or a damaged file.
        BackendError: an unknown backend, device or precision, or one that is not available.
        MissingDependencyError: the backend's package is not installed.
    """
    if backend not in BACKENDS:
        raise BackendError(f"there is no backend '{backend}'; use one of {', '.join(BACKENDS)}")
    path = find_model(model)
    require("torch")
    require("safetensors")
    from litetrack_ros.backends.torch_backend import TorchBackend
    from litetrack_ros.model.checkpoint import load_weights

    return TorchBackend(load_weights(path), device, precision)


def find_model(model: str) -> Path:
    """The file of a shipped model's name or of a path.

    Raises:
        WeightsError: neither; the message lists the shipped models.
    """
    path = Path(model)
    if path.is_file():
        return path
    if model in {Path(name).stem for name in model_names()} | set(model_names()):
        return model_path(model)
    raise WeightsError(
        f"there is no model file '{model}', and no shipped model of that name; shipped are: "
        f"{', '.join(model_names()) or 'none'}"
    )
