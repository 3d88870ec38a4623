"""The authors' own network, imported from a checkout of theirs, as something to measure against.

Their file names and conventions are used as they are; nothing of theirs is copied here. Speed does
not depend on the weights, which are random.
"""

import contextlib
import importlib
import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from litetrack_ros.dependencies import require
from litetrack_ros.errors import BackendError
from litetrack_ros.speed.timing import Subject

_CONFIGS = "experiments/litetrack"


def measure_authors(
    folder: Path, variant: str, device: str, precision: str = "fp32", is_compiled: bool = False
) -> Subject:
    """Their template and search forward, one target.

    Args:
        folder: their checkout.
        variant: ``b4``, ``b6``, ``b8`` or ``b9``.
        device: ``cpu`` or ``cuda``, ``cuda:N``.
        precision: ``fp32`` or ``fp16``, of weights and crops.
        is_compiled: search with ``torch.compile``.

    Raises:
        BackendError: not their checkout, or a package of theirs is missing.
        MissingDependencyError: torch is not installed.
    """
    torch = require("torch")
    start = time.perf_counter()
    dtype = {"fp32": torch.float32, "fp16": torch.float16}[precision]
    network = _build(folder, variant).eval().to(device, dtype)
    template = torch.zeros(1, 3, 128, 128, device=device, dtype=dtype)
    box = torch.tensor([[0.25, 0.25, 0.75, 0.75]], device=device, dtype=dtype)
    search = torch.zeros(1, 3, 256, 256, device=device, dtype=dtype)
    forward = torch.compile(network) if is_compiled else network

    def encode() -> Any:
        with torch.inference_mode():
            return network.forward_z(template, template_bb=box).cpu()

    features = encode().to(device)

    def step() -> Any:
        with torch.inference_mode():
            # Copied to the CPU, as their tracker does, which waits for the GPU.
            return forward(features, search)["score_map"].cpu()

    step()
    subject = Subject((f"authors' {variant}", "torch", device, precision))
    subject.load_s = time.perf_counter() - start
    subject.measures["template"] = encode
    subject.measures["search 1"] = step
    return subject


def variants_of(folder: Path) -> list[str]:
    """The variants whose settings lie in a checkout.

    Raises:
        BackendError: not their checkout.
    """
    found = sorted({path.name.split("_")[0].lower() for path in _configs(folder, "")})
    if not found:
        raise BackendError(f"{folder} is no checkout of the authors' code: no {_CONFIGS}/*.yaml")
    return found


def _configs(folder: Path, variant: str) -> list[Path]:
    return sorted((folder / _CONFIGS).glob(f"{variant.upper()}*.yaml"))


def _build(folder: Path, variant: str) -> Any:
    configs = _configs(folder, f"{variant}_")
    if not configs:
        raise BackendError(f"{folder} has no settings of '{variant}' in {_CONFIGS}")
    with _importing_from(folder):
        settings = _import("lib.config.litetrack.config", folder)
        settings.update_config_from_file(str(configs[0]))
        build: Callable[..., Any] = _import(
            "lib.models.litetrack.litetrack", folder
        ).build_LiteTrack
        with contextlib.redirect_stdout(io.StringIO()):
            return build(settings.cfg, training=False)


@contextlib.contextmanager
def _importing_from(folder: Path) -> Any:
    """Their packages on the path; their lib/models/__init__.py, which needs more, left out."""
    package = ModuleType("lib.models")
    package.__path__ = [str(folder / "lib" / "models")]
    sys.path.insert(0, str(folder))
    sys.modules["lib.models"] = package
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.split(".")[0] == "lib"]:
            del sys.modules[name]


def _import(name: str, folder: Path) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise BackendError(
            f"the authors' code in {folder} does not load: {error}; it needs the packages timm, "
            "easydict, einops and torchvision"
        ) from error
