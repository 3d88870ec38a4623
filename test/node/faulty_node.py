"""The tracker node with a model that fails in the way named by FAULT. Only tests start it."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import time
from functools import partial
from typing import Any

import numpy as np

from litetrack_ros.backends.base import Predictions
from litetrack_ros.backends.guard import GuardedBackend
from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.node.program import run_program

_WARM_UP = 2  # searches before the node is configured


class FaultyBackend:
    """A real backend whose searches fail once the node is active."""

    def __init__(self, choice: ModelChoice) -> None:
        self._backend = open_backend(choice)
        self._searches = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def search(self, crops: Any, templates: Any) -> Predictions:
        """As the real one, but for the fault."""
        predictions = self._backend.search(crops, templates)
        self._searches += 1
        if self._searches <= _WARM_UP:
            return predictions
        fault = os.environ["FAULT"]
        if fault == "die":
            raise SystemExit  # what no handler of errors takes
        if fault == "hang":
            ctypes.CDLL(None).sleep(1000)
        elif fault == "hold":  # the interpreter, too
            ctypes.PyDLL(None).sleep(1000)
        elif fault == "assert":
            raise RuntimeError("CUDA error: device-side assert triggered")
        elif fault == "slow":
            time.sleep(0.4)
        elif fault == "nan":
            boxes = np.full_like(predictions.boxes_cxcywh_norm, np.nan)
            return predictions._replace(boxes_cxcywh_norm=boxes)
        return predictions


def _open(choice: ModelChoice) -> Any:
    backend: Any = FaultyBackend(choice)
    if os.environ["FAULT"] != "assert":
        return backend
    # As open_backend does for a GPU.
    here = dataclasses.replace(backend.info, provider="cuda:0", device_name="a GPU")
    backend.info = here
    return GuardedBackend(backend, partial(open_backend, choice) if choice.allow_fallback else None)


run_program(_open)
