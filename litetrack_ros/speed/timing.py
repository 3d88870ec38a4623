"""What is timed, a model with a backend or one of OpenCV's trackers, and how.

Times are taken in turns, so that what disturbs one of the things measured disturbs all.
"""

import dataclasses
import subprocess
import sys
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from litetrack_ros.backends.base import Backend, TemplateFeatures
from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice, TrackerConfig, variant
from litetrack_ros.crop import CropRegion, extract_crops
from litetrack_ros.errors import BackendError
from litetrack_ros.evaluation.trackers import OpenCvTracker
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Uint8Image
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.tracker.decode import template_box_xyxy_norm
from litetrack_ros.tracker.tracker import MultiTracker

Key = TypeVar("Key", bound=Hashable)
Measures = dict[str, Callable[[], object]]

# Every frame is a miss, so that boxes stay where they are and all steps cost the same: what they
# cost with a TRACKING target, without the search for a LOST one.
HOLD: dict[str, Any] = {
    "search_crops": 0,
    "lost_threshold": 1.0,
    "lost_after_frames": 1,
    "found_threshold": 1.0,
    "search_growth": 1.0,
}
MAX_TARGETS = 8
_CALIBRATION_FRAMES = 4


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


class Times(NamedTuple):
    """Of every round, in milliseconds.

    Attributes:
        wall: passed on the clock.
        cpu: of all processors together, by this process; other programs hardly change it.
    """

    wall: list[float]
    cpu: list[float]


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
    label: str,
    choice: ModelChoice,
    image: Uint8Image,
    boxes: Sequence[FloatArray],
    targets: Sequence[int],
) -> Subject:
    """A model's template step, and for each number of targets the search and the whole step.

    Args:
        label: the model's name in reports.
        choice: what to open.
        image: uint8 BGR.
        boxes: where targets are.
        targets: numbers of targets to measure, each at most as many as boxes.

    Raises:
        WeightsError, BackendError, MissingDependencyError: it cannot be opened.
    """
    start = time.perf_counter()
    backend = open_backend(choice)
    model, info = backend.model_config, backend.info
    template_crop = np.zeros((1, model.template_size, model.template_size, 3), np.uint8)
    template_box = np.array([[0.25, 0.25, 0.75, 0.75]], np.float32)
    template = backend.encode_template(template_crop, template_box)
    search_crop = np.zeros((1, model.search_size, model.search_size, 3), np.uint8)
    backend.search(search_crop, template)
    subject = Subject((label, info.backend, info.provider, info.precision))
    subject.load_s = time.perf_counter() - start
    add_measures(subject, backend, image, boxes, targets)
    return subject


def add_measures(
    subject: Subject,
    backend: Backend,
    image: Uint8Image,
    boxes: Sequence[FloatArray],
    targets: Sequence[int],
) -> None:
    """Give a subject the measures of an open backend; arguments as :func:`measure_choice`'s."""
    model = backend.model_config
    template_crop = np.zeros((1, model.template_size, model.template_size, 3), np.uint8)
    template_box = np.array([[0.25, 0.25, 0.75, 0.75]], np.float32)
    template = backend.encode_template(template_crop, template_box)
    search_crop = np.zeros((1, model.search_size, model.search_size, 3), np.uint8)
    subject.measures["template"] = lambda: backend.encode_template(template_crop, template_box)
    for count in targets:
        stacked = backend.stack([template] * count)
        crops = np.repeat(search_crop, count, axis=0)
        subject.measures[f"search {count}"] = _search(backend, crops, stacked)
        tracker = MultiTracker(backend, dataclasses.replace(backend.tracker_config, **HOLD))
        for index, box in enumerate(boxes[:count]):
            tracker.init(image, box, str(index))
        subject.measures[f"step {count}"] = _step(tracker, image)


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


def measure_memory(choice: ModelChoice) -> float:
    """Peak memory in MB (10^6 bytes) of a fresh process that loads a model and runs some steps.

    Raises:
        BackendError: the process failed.
    """
    code = (
        "from litetrack_ros.config import ModelChoice; "
        "from litetrack_ros.speed.timing import make_scene, measure_choice, peak_memory_mb; "
        f"choice = {choice!r}; image, boxes = make_scene(640, 480); "
        "subject = measure_choice('', choice, image, boxes, [1]); "
        "[call() for call in subject.measures.values() for _ in range(3)]; "
        "print(peak_memory_mb())"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines()
        raise BackendError(f"cannot measure the memory of {choice.model}: {lines[-1:]}")
    return float(result.stdout.split()[-1])


def peak_memory_mb() -> float:
    """The most that was ever resident of this process, MB (10^6 bytes); Linux alone tells.

    Not ``getrusage``'s: that begins with what the parent had when it started this process.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return float(line.split()[1]) * 1024 / 1e6


def write_random_model(folder: Path, name: str) -> Path:
    """A weights file of a shipped variant with random weights, which runs as fast as trained ones.

    Raises:
        ConfigError: no such variant.
    """
    import torch

    from litetrack_ros.model.checkpoint import save_weights
    from litetrack_ros.model.litetrack import LiteTrack

    torch.manual_seed(0)
    path = folder / f"{name}.safetensors"
    save_weights(path, LiteTrack(variant(name)).eval(), TrackerConfig())
    return path


def export_random_model(path: Path, precision: str, max_targets: int) -> None:
    """Write the ONNX files of :func:`write_random_model`'s beside it."""
    from litetrack_ros.export.crops import CropPair
    from litetrack_ros.export.onnx_export import export_onnx
    from litetrack_ros.model.checkpoint import load_weights

    weights = load_weights(path)
    model = weights.model_config
    pairs = []
    for image, box in DrawnScene(frames=_CALIBRATION_FRAMES):
        template = CropRegion.around(box, model.template_factor, model.template_size)
        search = CropRegion.around(box, model.search_factor, model.search_size)
        pairs.append(
            CropPair(
                extract_crops(image, [template], "bgr"),
                template_box_xyxy_norm(box, template, model.decode)[None],
                extract_crops(image, [search], "bgr"),
                search,
            )
        )
    calibration = pairs if precision == "int8" else []
    folder, name = path.parent, path.stem
    export_onnx(weights, folder, name, precision, max_targets=max_targets, calibration=calibration)


def interleave(
    measures: Mapping[Key, Callable[[], object]],
    rounds: int,
    on_round: Callable[[], None] | None = None,
) -> dict[Key, Times]:
    """Time every measure once a round.

    Right before the timed call there is one that does not count. It leaves the caches and the
    threads as a program finds them that does nothing else: what ran before is another library,
    whose idle threads spin on the cores for a while.

    Args:
        measures: what to call, by name.
        rounds: how often.
        on_round: called after each, for a progress bar.
    """
    times = {name: Times([], []) for name in measures}
    for _ in range(rounds):
        for name, call in measures.items():
            call()
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            spent = 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)
            times[name].wall.append(spent[0])
            times[name].cpu.append(spent[1])
        if on_round is not None:
            on_round()
    return times


def median_ratio(times_ms: list[float], reference_ms: list[float]) -> float:
    """The median over rounds of a time over another of the same round."""
    return float(np.median(np.divide(times_ms, reference_ms)))


def _search(
    backend: Backend, crops: Uint8Image, templates: TemplateFeatures
) -> Callable[[], object]:
    return lambda: backend.search(crops, templates)


def _step(tracker: MultiTracker, image: Uint8Image) -> Callable[[], object]:
    return lambda: tracker.update(image)
