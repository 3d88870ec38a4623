"""A backend whose search takes at least a given time, for tests of what happens meanwhile."""

from __future__ import annotations

import time
from typing import Any

from litetrack_ros.backends.base import Backend, Predictions, TemplateFeatures
from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.images import Uint8Image


class DelayingBackend:
    """Passes everything on to a real backend and sleeps before a search."""

    def __init__(self, backend: Backend, delay_s: float) -> None:
        self._backend = backend
        self.delay_s = delay_s
        self.searches = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def search(self, crops: Uint8Image, templates: TemplateFeatures) -> Predictions:
        """As the real one, later."""
        self.searches += 1
        time.sleep(self.delay_s)
        return self._backend.search(crops, templates)


def delaying_opener(delay_s: float) -> Any:
    """In place of ``open_backend``."""

    def opener(choice: ModelChoice) -> DelayingBackend:
        return DelayingBackend(open_backend(choice), delay_s)

    return opener
