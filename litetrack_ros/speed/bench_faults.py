"""Faults made on a GPU on purpose, in a process of their own: what is said, and what comes then."""

import contextlib
import sys

import numpy as np

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.errors import LiteTrackError

FAULTS = {"memory": "the device's memory is full", "assert": "an assertion fails on the device"}
_TARGETS = 8


def break_it(choice: ModelChoice, fault: str) -> dict[str, str]:
    """Make a fault, then select a target and search.

    Args:
        choice: a GPU, with PyTorch.
        fault: a key of :data:`FAULTS`.

    Returns:
        ``said``: what the backend said, or what went on.
    """
    backend = open_backend(choice)
    model = backend.model_config
    blank = np.zeros((_TARGETS, model.template_size, model.template_size, 3), np.uint8)
    boxes = np.array([[0.25, 0.25, 0.75, 0.75]] * _TARGETS, np.float32)
    before = backend.encode_template(blank, boxes)
    held: list[object] = []
    if fault == "memory":
        held = _fill(choice.device)
    else:
        _assert_there(choice.device)
    searched = np.zeros((_TARGETS, model.search_size, model.search_size, 3), np.uint8)
    try:
        # CUDA graphs have their memory: a full one is met by the next template.
        backend.encode_template(blank, boxes)
        count = len(backend.search(searched, before).scores)
    except LiteTrackError as error:
        return {"said": f"the end: {type(error).__name__}: {error}"}
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the answer
        text = str(error).strip().splitlines() or [""]
        return {"said": f"not understood: {type(error).__name__}: {text[0]}"}
    finally:
        del held
    return {"said": f"{count} targets went on with {backend.info.provider}"}


def _fill(device: str) -> list[object]:
    import torch

    held: list[object] = []
    size = 1 << 30
    while size >= 1 << 10:
        try:
            held.append(torch.empty(size, dtype=torch.uint8, device=device))
        except torch.OutOfMemoryError:
            size //= 2
    return held


def _assert_there(device: str) -> None:
    import torch

    values = torch.zeros(1, device=device)
    with contextlib.suppress(RuntimeError):
        print(values[torch.tensor([5], device=device)].sum().item(), file=sys.stderr)
