"""What is measured: a model with a backend, and OpenCV's trackers."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from litetrack_ros.backends.base import Backend, TemplateFeatures
from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice, TrackerConfig
from litetrack_ros.errors import BackendError
from litetrack_ros.evaluation.trackers import OpenCvTracker
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Uint8Image
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.tracker.tracker import MultiTracker

Measures = dict[str, Callable[[], object]]

# Every frame is a miss, so that boxes stay where they are and all steps cost the same.
HOLD = TrackerConfig(
    lost_threshold=1.0, lost_after_frames=1, found_threshold=1.0, search_growth=1.0
)
MAX_TARGETS = 8


@dataclass(frozen=True)
class Choice:
    """One combination to measure, as :func:`litetrack_ros.backends.registry.open_backend` takes it.

    Attributes:
        label: the model's name in reports.
        model: its file or name.
    """

    label: str
    model: str
    backend: str
    device: str
    precision: str
    threads: int = 0


@dataclass
class Subject:
    """Something with measures.

    Attributes:
        labels: model, backend, provider and precision.
        measures: by name: ``template``, ``search 4`` (targets), ``step 4`` ...
        load_s: reading the model and running it once.
        peak_memory_mb: of a process that runs nothing else; NaN where it was not measured.
    """

    labels: tuple[str, str, str, str]
    measures: Measures = field(default_factory=dict)
    load_s: float = float("nan")
    peak_memory_mb: float = float("nan")

    @property
    def name(self) -> str:
        """The labels in one string."""
        return " ".join(self.labels)


def make_scene(width_px: int, height_px: int) -> tuple[Uint8Image, list[FloatArray]]:
    """A picture to track in, uint8 BGR, and boxes of :data:`MAX_TARGETS` targets in it."""
    scene = DrawnScene(width_px, height_px, 1)
    w = h = min(width_px, height_px) / 8
    boxes = [
        np.array([width_px * (0.15 + 0.2 * (k % 4)), height_px * (0.25 + 0.4 * (k // 4)), w, h])
        for k in range(MAX_TARGETS)
    ]
    return scene.frame(0), boxes


def measure_choice(
    choice: Choice, image: Uint8Image, boxes: Sequence[FloatArray], targets: Sequence[int]
) -> Subject:
    """A model's template step, and for each number of targets the search and the whole step.

    Args:
        choice: what to open.
        image: uint8 BGR.
        boxes: where targets are.
        targets: numbers of targets to measure, each at most as many as boxes.

    Raises:
        WeightsError, BackendError, MissingDependencyError: it cannot be opened.
    """
    start = time.perf_counter()
    backend = open_backend(
        ModelChoice(
            choice.model, choice.backend, choice.device, choice.precision, threads=choice.threads
        )
    )
    model, info = backend.model_config, backend.info
    template_crop = np.zeros((1, model.template_size, model.template_size, 3), np.uint8)
    template_box = np.array([[0.25, 0.25, 0.75, 0.75]], np.float32)
    template = backend.encode_template(template_crop, template_box)
    search_crop = np.zeros((1, model.search_size, model.search_size, 3), np.uint8)
    backend.search(search_crop, template)
    subject = Subject((choice.label, info.backend, info.provider, info.precision))
    subject.load_s = time.perf_counter() - start
    subject.measures["template"] = lambda: backend.encode_template(template_crop, template_box)
    for count in targets:
        stacked = backend.stack([template] * count)
        crops = np.repeat(search_crop, count, axis=0)
        subject.measures[f"search {count}"] = _search(backend, crops, stacked)
        tracker = MultiTracker(backend, HOLD)
        for index, box in enumerate(boxes[:count]):
            tracker.init(image, box, str(index))
        subject.measures[f"step {count}"] = _step(tracker, image)
    return subject


def measure_opencv(name: str, image: Uint8Image, box: FloatArray) -> Subject:
    """One of OpenCV's trackers: its whole step.

    Raises:
        BackendError: this OpenCV lacks it, or it has no network file.
    """
    start = time.perf_counter()
    tracker = OpenCvTracker(name)
    tracker.init(image, box)
    subject = Subject((f"OpenCV {name}", "opencv", "cpu", "-"))
    subject.load_s = time.perf_counter() - start
    subject.measures["step 1"] = lambda: tracker.update(image)
    return subject


def measure_memory(choice: Choice) -> float:
    """Peak memory in MB (10^6 bytes) of a fresh process that loads a model and runs some steps.

    Raises:
        BackendError: the process failed.
    """
    code = (
        "import re, pathlib; from litetrack_ros.speed.subjects import *; "
        f"choice = {choice!r}; image, boxes = make_scene(640, 480); "
        "subject = measure_choice(choice, image, boxes, [1]); "
        "[call() for call in subject.measures.values() for _ in range(3)]; "
        "status = pathlib.Path('/proc/self/status').read_text(); "
        "print(re.search(r'VmHWM:\\s*(\\d+) kB', status)[1])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines()
        raise BackendError(f"cannot measure the memory of {choice.label}: {lines[-1:]}")
    return float(result.stdout.split()[-1]) * 1024 / 1e6  # Linux counts in KiB


def _search(
    backend: Backend, crops: Uint8Image, templates: TemplateFeatures
) -> Callable[[], object]:
    return lambda: backend.search(crops, templates)


def _step(tracker: MultiTracker, image: Uint8Image) -> Callable[[], object]:
    return lambda: tracker.update(image)
