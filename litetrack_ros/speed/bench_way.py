"""One way of running a model, measured in a process of its own: what faults takes only itself down.

`python -m litetrack_ros.speed.bench_way JSON` prints one JSON; :mod:`litetrack_ros.speed.bench`
starts it.
"""

import functools
import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from litetrack_ros.backends.base import Backend
from litetrack_ros.backends.registry import find_model, open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.crop import CropRegion, extract_crops
from litetrack_ros.dependencies import require
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Uint8Image
from litetrack_ros.speed import timing
from litetrack_ros.speed.authors import measure_authors
from litetrack_ros.speed.bench_answers import Answers, answers_of
from litetrack_ros.speed.bench_faults import break_it
from litetrack_ros.tracker.result import TrackResult

AUTHORS = "authors'"
TARGETS = (1, 2, 4, 8)
LARGE_STEP = "step 1, 1920x1080, box 600x400"
_STEPS = 1000
_LEAST_STEPS = 5
_WARM_UPS = 3


@dataclass(frozen=True)
class Way:
    """A way of running a model.

    Attributes:
        backend: ``torch`` or ``onnx``; ``authors'`` is their own network.
        device: as of :class:`litetrack_ros.config.ModelChoice`.
        precision: of the weights.
        form: ``plain``; of torch also ``static`` (on a GPU a CUDA graph) and ``compiled``.
        random: a variant's name, to run it with random weights rather than the model given.
    """

    backend: str
    device: str
    precision: str
    form: str = "plain"
    random: str = ""

    @property
    def name(self) -> str:
        """For tables."""
        form = {"static": " graph" if self.device != "cpu" else " static", "compiled": " compiled"}
        name = f"{self.backend} {self.device} {self.precision}{form.get(self.form, '')}"
        return f"{self.random} random, {name}" if self.random else name


@dataclass(frozen=True)
class Job:
    """What the process is asked for.

    Attributes:
        way: to measure, or to break.
        model: a model's name or file; of the authors' network the folder of their checkout.
        sequences: folders; none is the drawn scene.
        seconds: for timing, all together.
        reference: file of what the CPU answers in fp32, which is written where there is none.
        fault: empty to measure; else of :data:`litetrack_ros.speed.bench_faults.FAULTS`.
        allow_fallback: after a fault.
    """

    way: Way
    model: str
    sequences: tuple[str, ...]
    seconds: float
    reference: str = ""
    fault: str = ""
    allow_fallback: bool = False

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


def measure(job: Job) -> dict[str, Any]:
    """All figures of a way."""
    start_s = time.perf_counter()
    backend = open_way(job.way, job.model)
    image, boxes = timing.make_scene(640, 480)
    subject = timing.Subject((job.model, job.way.backend, job.way.device, job.way.precision))
    timing.add_measures(subject, backend, image, boxes, TARGETS)
    for call in subject.measures.values():
        call()
    warm_up_s = time.perf_counter() - start_s
    own, wanted = _answers(job, backend)
    overlaps = own.overlaps_with(wanted)
    subject.measures[LARGE_STEP] = _large_step(backend)
    subject.measures |= _parts(backend, job.way, image, boxes)
    before = _device_memory_mb()
    share_s = job.seconds / len(subject.measures)
    times: dict[str, dict[str, float]] = {}
    for name, call in subject.measures.items():
        times |= durations_ms(name, call, share_s)
    after = _device_memory_mb()
    return {
        "provider": backend.info.provider,
        "device_name": backend.info.device_name,
        "is_random": bool(job.way.random),
        "load_and_warm_up_s": warm_up_s,
        "teacher_forced": {"mean": float(np.mean(overlaps)), "least": min(overlaps)},
        "ao": own.ao,
        "ao_reference": wanted.ao,
        "state_differs": own.states_differ(wanted),
        "times_ms": times,
        "peak_memory_mb": timing.peak_memory_mb(),
        "graph_memory_mb": getattr(backend, "graph_memory_bytes", 0) / 1e6,
        "device_memory_mb": after,
        "device_memory_grown_mb": None if after is None or before is None else after - before,
        "calls": sum(int(found["count"]) for found in times.values()),
    }


def _answers(job: Job, backend: Backend) -> tuple[Answers, Answers]:
    """This way's, and the reference's, which the first process that comes writes down."""
    is_random = bool(job.way.random)
    wanted = Answers.read(Path(job.reference))
    # What the reference had no time for is not asked.
    folders = job.sequences if wanted is None else job.sequences[: len(wanted.ao) or None]
    own = answers_of(backend, folders, is_random, job.seconds)
    if wanted is None:
        reference = Way("torch", "cpu", "fp32", random=job.way.random)
        wanted = own
        if job.way != reference:
            wanted = answers_of(open_way(reference, job.model), folders, is_random, job.seconds)
            own.keep(wanted.ao)
        wanted.write(Path(job.reference))
    return own, wanted


def durations_ms(
    name: str, call: Callable[[], object], seconds: float
) -> dict[str, dict[str, float]]:
    """Percentiles of up to 1000 calls, or of as many as the time allows, five at least.

    Returns:
        By name. Of whole steps also ``NAME: crop``, ``model`` and ``decode``.
    """
    for _ in range(_WARM_UPS):
        call()
    spent: list[float] = []
    stages: dict[str, list[float]] = {"crop": [], "model": [], "decode": []}
    end_s = time.perf_counter() + seconds
    while len(spent) < _LEAST_STEPS or (len(spent) < _STEPS and time.perf_counter() < end_s):
        start_s = time.perf_counter()
        answer = call()
        spent.append(1e3 * (time.perf_counter() - start_s))
        if isinstance(answer, list) and answer and isinstance(answer[0], TrackResult):
            for stage, found in stages.items():
                found.append(getattr(answer[0].timing, f"{stage}_ms"))
    parts = {f"{name}: {stage}": found for stage, found in stages.items() if found}
    return {key: _percentiles(values) for key, values in ({name: spent} | parts).items()}


def _percentiles(values: list[float]) -> dict[str, float]:
    p50, p95, p99 = (float(value) for value in np.percentile(values, (50, 95, 99)))
    return {"p50": p50, "p95": p95, "p99": p99, "count": len(values)}


def _large_step(backend: Backend) -> Callable[[], object]:
    image, _ = timing.make_scene(1920, 1080)
    subject = timing.Subject(("", "", "", ""))
    timing.add_measures(subject, backend, image, [np.array([660.0, 340.0, 600.0, 400.0])], (1,))
    return subject.measures["step 1"]


def _parts(
    backend: Backend, way: Way, image: Uint8Image, boxes: Iterable[FloatArray]
) -> dict[str, Callable[[], object]]:
    """What a step is made of beside the network, here and there, for each number of targets."""
    model = backend.model_config
    regions = [CropRegion.around(b, model.search_factor, model.search_size) for b in boxes]
    parts: dict[str, Callable[[], object]] = {}
    for count in TARGETS:
        parts[f"crop here {count}"] = functools.partial(
            extract_crops, image, regions[:count], "bgr"
        )
    if way.backend != "torch":
        return parts
    import torch

    from litetrack_ros.backends.torch_crop import Uploader, cut_there

    device = torch.device(way.device)
    uploader = Uploader(device)
    wait = torch.cuda.synchronize if device.type == "cuda" else (lambda: None)
    answers = torch.zeros((max(TARGETS), 6 + model.search_grid**2), device=device)

    def send(array: Uint8Image) -> None:
        uploader.send(array)
        wait()

    def send_and_cut(count: int) -> None:
        cut_there(uploader, image, regions[:count], is_bgr=True)
        wait()

    def fetch(count: int) -> None:
        answers[:count].cpu()

    parts["upload the image"] = functools.partial(send, image)
    for count in TARGETS:
        crops = extract_crops(image, regions[:count], "bgr")
        parts[f"upload {count} crops"] = functools.partial(send, crops)
        parts[f"upload the image and crop there {count}"] = functools.partial(send_and_cut, count)
        parts[f"download {count} answers"] = functools.partial(fetch, count)
    return parts


def _device_memory_mb() -> float | None:
    """In use on the GPU, by whom ever; None where PyTorch sees none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    free, total = torch.cuda.mem_get_info()
    return float(total - free) / 1e6


def _measure_authors(job: Job) -> dict[str, Any]:
    """Their template and their search step, of one target."""
    way, is_compiled = job.way, job.way.form == "compiled"
    subject = measure_authors(Path(job.model), way.random, way.device, way.precision, is_compiled)
    times: dict[str, dict[str, float]] = {}
    for name, call in subject.measures.items():
        times |= durations_ms(name, call, job.seconds / len(subject.measures))
    return {"times_ms": times}


def answer(job: Job) -> dict[str, Any]:
    """What is asked for."""
    way = job.way
    if way.backend == AUTHORS:
        return _measure_authors(job)
    if not job.fault:
        return measure(job)
    choice = ModelChoice(job.model, way.backend, way.device, way.precision, job.allow_fallback)
    return break_it(choice, job.fault)


if __name__ == "__main__":
    print(json.dumps(answer(Job.from_json(sys.argv[1]))))
