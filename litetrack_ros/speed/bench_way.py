"""One way of running a model, measured in a process of its own: what faults takes only itself down.

`python -m litetrack_ros.speed.bench_way JSON` prints one JSON; :mod:`litetrack_ros.speed.bench`
starts it.
"""

import contextlib
import functools
import itertools
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from litetrack_ros.backends.base import Backend
from litetrack_ros.backends.registry import find_model, open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.crop import CropRegion, extract_crop
from litetrack_ros.datasets.sequences import read_sequence
from litetrack_ros.dependencies import require
from litetrack_ros.geometry import FloatArray, overlap
from litetrack_ros.images import Image, Uint8Image, to_rgb8
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.speed import timing
from litetrack_ros.tracker.decode import template_box_xyxy_norm
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.tracker import Tracker

FRAMES = 60  # of each sequence
TARGETS = (1, 2, 4, 8)
LARGE_STEP = "step 1, 1920x1080, box 600x400"
_STEPS = 1000
_LEAST_STEPS = 5
_WARM_UPS = 3


@dataclass(frozen=True)
class Way:
    """A way of running a model.

    Attributes:
        backend: ``torch`` or ``onnx``.
        device: as of :class:`litetrack_ros.config.ModelChoice`.
        precision: of the weights.
        form: ``plain``; of torch also ``static`` (on a GPU a CUDA graph) and ``compiled``.
    """

    backend: str
    device: str
    precision: str
    form: str = "plain"

    @property
    def name(self) -> str:
        """For tables."""
        form = {"static": " graph" if self.device != "cpu" else " static", "compiled": " compiled"}
        return f"{self.backend} {self.device} {self.precision}{form.get(self.form, '')}"


@dataclass(frozen=True)
class Job:
    """What the process is asked for.

    Attributes:
        way: to measure, or to break.
        model: a model's name or file.
        sequences: folders; none is the drawn scene.
        seconds: for timing, all together.
        fault: empty to measure; else ``memory`` or ``assert``, to see what is said of it.
    """

    way: Way
    model: str
    sequences: tuple[str, ...]
    seconds: float
    fault: str = ""

    def to_json(self) -> str:
        """For the command line."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "Job":
        """What :meth:`to_json` gave."""
        found = json.loads(text)
        return Job(**{**found, "way": Way(**found["way"]), "sequences": tuple(found["sequences"])})


def open_way(way: Way, model: str) -> Backend:
    """A backend.

    Raises:
        BackendError, WeightsError, MissingDependencyError: it cannot be had here.
    """
    if way.backend == "onnx":
        return open_backend(ModelChoice(model, "onnx", way.device, way.precision))
    require("torch")
    from litetrack_ros.backends.torch_backend import TorchBackend
    from litetrack_ros.model.checkpoint import load_weights

    weights = load_weights(find_model(model))
    backend = TorchBackend(weights, way.device, way.precision, is_static=way.form == "static")
    if way.form == "compiled":
        backend.model.compile()
    return backend


def scenes(folders: tuple[str, ...]) -> Iterator[tuple[str, list[tuple[Image, FloatArray]]]]:
    """Names of sequences, and their first images with true boxes ``x y w h`` (NaN: absent)."""
    if not folders:
        yield "drawn scene", [(image, np.asarray(box)) for image, box in DrawnScene(frames=FRAMES)]
    for folder in folders:
        sequence = read_sequence(Path(folder))
        pairs = zip(sequence.frames(), sequence.boxes_xywh, strict=False)
        yield (
            Path(folder).name,
            [(frame.image, box) for (frame, box), _ in zip(pairs, range(FRAMES), strict=False)],
        )


def teacher_forced(backend: Backend, reference: Backend, job: Job) -> list[float]:
    """Overlaps of both backends' boxes, cropped around where the target truly was."""
    model, found = reference.model_config, []
    for _, frames in scenes(job.sequences):
        first, box = frames[0]
        region = CropRegion.around(box, model.template_factor, model.template_size)
        crop = to_rgb8(extract_crop(first, region))[None]
        norm = template_box_xyxy_norm(box, region, model.decode)[None].astype(np.float32)
        both = [(one, one.encode_template(crop, norm)) for one in (backend, reference)]
        for (_, before), (image, _) in itertools.pairwise(frames):
            if not np.isfinite(before).all() or min(before[2:]) < 1:
                continue
            around = CropRegion.around(before, model.search_factor, model.search_size)
            crops = to_rgb8(extract_crop(image, around))[None]
            cx, cy, w, h = np.array(
                [one.search(crops, template).boxes_cxcywh_norm[0] for one, template in both]
            ).T
            boxes = np.stack([cx - w / 2, cy - h / 2, w, h], axis=1)
            found.append(float(overlap(boxes[0], boxes[1])))
    return found


class Loop(NamedTuple):
    """A sequence tracked from its first box: mean overlap, and where it was TRACKING, by frame."""

    mean_overlap: float
    is_tracking: list[bool]


def closed_loop(backend: Backend, job: Job) -> dict[str, Loop]:
    """Every sequence tracked, by name."""
    found = {}
    for name, frames in scenes(job.sequences):
        tracker = Tracker(backend)
        tracker.init(*frames[0])
        overlaps, states = [], []
        for image, truth in frames[1:]:
            result = tracker.update(image)
            states.append(result is not None and result.state is State.TRACKING)
            if result is not None and np.isfinite(truth).all():
                overlaps.append(float(overlap(result.box_xywh, truth)))
        found[name] = Loop(float(np.mean(overlaps)), states)
    return found


def durations_ms(call: Callable[[], object], seconds: float) -> dict[str, float]:
    """Percentiles of up to 1000 calls, or of as many as the time allows, five at least."""
    for _ in range(_WARM_UPS):
        call()
    found: list[float] = []
    end_s = time.perf_counter() + seconds
    while len(found) < _LEAST_STEPS or (len(found) < _STEPS and time.perf_counter() < end_s):
        start_s = time.perf_counter()
        call()
        found.append(1e3 * (time.perf_counter() - start_s))
    p50, p95, p99 = np.percentile(found, (50, 95, 99))
    return {"p50": p50, "p95": p95, "p99": p99, "count": len(found)}


def measure(job: Job) -> dict[str, Any]:
    """All figures of a way."""
    start_s = time.perf_counter()
    backend = open_way(job.way, job.model)
    image, boxes = timing.make_scene(640, 480)
    subject = timing.Subject((job.model, job.way.backend, job.way.device, job.way.precision))
    timing.add_measures(subject, backend, image, boxes, TARGETS)
    warm_up_s = time.perf_counter() - start_s
    reference = open_way(Way("torch", "cpu", "fp32"), job.model)
    overlaps = teacher_forced(backend, reference, job)
    loops, wanted = closed_loop(backend, job), closed_loop(reference, job)
    differ = [
        one != other
        for name, loop in loops.items()
        for one, other in zip(loop.is_tracking, wanted[name].is_tracking, strict=True)
    ]
    subject.measures[LARGE_STEP] = _large_step(backend)
    subject.measures |= _parts(backend, job.way, image, boxes)
    before = _device_memory()
    share_s = job.seconds / len(subject.measures)
    times = {name: durations_ms(call, share_s) for name, call in subject.measures.items()}
    after = _device_memory()
    return {
        "provider": backend.info.provider,
        "device_name": backend.info.device_name,
        "load_and_warm_up_s": warm_up_s,
        "teacher_forced": {"mean": float(np.mean(overlaps)), "least": min(overlaps)},
        "ao": {name: loop.mean_overlap for name, loop in loops.items()},
        "ao_reference": {name: loop.mean_overlap for name, loop in wanted.items()},
        "state_differs": float(np.mean(differ)),
        "times_ms": times,
        # Linux counts in KiB.
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
        "device_memory_mb": after / 1e6,
        "device_memory_grown_mb": (after - before) / 1e6,
    }


def _large_step(backend: Backend) -> Callable[[], object]:
    image, _ = timing.make_scene(1920, 1080)
    subject = timing.Subject(("", "", "", ""))
    timing.add_measures(subject, backend, image, [np.array([660.0, 340.0, 600.0, 400.0])], (1,))
    return subject.measures["step 1"]


def _parts(
    backend: Backend, way: Way, image: Uint8Image, boxes: list[FloatArray]
) -> dict[str, Callable[[], object]]:
    """What a step is made of, by itself: cropping on the host, uploading and cropping there."""
    model = backend.model_config
    regions = [CropRegion.around(b, model.search_factor, model.search_size) for b in boxes]
    parts: dict[str, Callable[[], object]] = {}

    def cut(count: int) -> Uint8Image:
        return np.stack([to_rgb8(extract_crop(image, region)) for region in regions[:count]])

    for count in (1, 8):
        parts[f"crop on the host {count}"] = functools.partial(cut, count)
    if way.backend != "torch":
        return parts
    import torch

    from litetrack_ros.backends.torch_crop import device_crops, upload

    device = torch.device(way.device)
    wait = torch.cuda.synchronize if device.type == "cuda" else (lambda: None)
    crops = np.ascontiguousarray(cut(8).reshape(-1, model.search_size, 3))

    def send() -> None:
        upload(crops, device)
        wait()

    def send_and_cut(count: int) -> None:
        device_crops(upload(image, device), regions[:count], is_bgr=True)
        wait()

    parts["upload 8 crops"] = send
    for count in (1, 8):
        parts[f"upload and crop there {count}"] = functools.partial(send_and_cut, count)
    answer = torch.zeros((8, 6 + model.search_grid**2), device=device)
    parts["download 8 answers"] = lambda: answer.cpu()
    return parts


def _device_memory() -> int:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return 0
    return int(torch.cuda.memory_reserved())


def break_it(job: Job) -> dict[str, str]:
    """Make a fault on the GPU, then search: what does the backend say?"""
    import torch

    backend = open_way(job.way, job.model)
    side = backend.model_config.template_size
    blank = np.zeros((1, side, side, 3), np.uint8)
    template = backend.encode_template(blank, np.array([[0.25, 0.25, 0.75, 0.75]], np.float32))
    held = []
    if job.fault == "memory":
        size = 1 << 30
        while size >= 1 << 10:
            try:
                held.append(torch.empty(size, dtype=torch.uint8, device=job.way.device))
            except torch.OutOfMemoryError:
                size //= 2
    else:
        values = torch.zeros(1, device=job.way.device)
        with contextlib.suppress(RuntimeError):
            print(values[torch.tensor([5], device=job.way.device)].sum().item(), file=sys.stderr)
    side = backend.model_config.search_size
    try:
        backend.search(np.zeros((8, side, side, 3), np.uint8), backend.stack([template] * 8))
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the answer
        return {"said": f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"}
    return {"said": "no fault: it went on"}


if __name__ == "__main__":
    job = Job.from_json(sys.argv[1])
    print(json.dumps(break_it(job) if job.fault else measure(job)))
