"""Every way of running a model on this machine, beside the CPU in fp32: what a GPU decides.

Each way is measured by a process of its own (:mod:`litetrack_ros.speed.bench_way`), until the time
is up. What cannot be had here is named too, with the reason.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from litetrack_ros import machine
from litetrack_ros.backends.onnx_files import OnnxPaths
from litetrack_ros.backends.providers import plan_providers
from litetrack_ros.backends.registry import find_model
from litetrack_ros.child_processes import ending_with_us
from litetrack_ros.dependencies import require
from litetrack_ros.errors import LiteTrackError
from litetrack_ros.resources import config_path
from litetrack_ros.speed.bench_faults import FAULTS
from litetrack_ros.speed.bench_way import AUTHORS, Job, Way
from litetrack_ros.speed.timing import MAX_TARGETS, export_random_model, write_random_model

_LARGE = "b4"
REFERENCE = Way("torch", "cpu", "fp32")
WAYS = (
    REFERENCE,
    Way("torch", "cpu", "fp32", "static"),
    Way("onnx", "cpu", "fp32"),
    *(
        Way("torch", "cuda", precision, form)
        for form in ("plain", "static")
        for precision in ("fp32", "fp16", "bf16")
    ),
    Way("torch", "cuda", "fp16", "compiled"),
    *(Way("onnx", device, p) for device in ("cuda", "tensorrt") for p in ("fp32", "fp16")),
    # The authors' size, for its speed and its rounding.
    Way("torch", "cpu", "fp32", random=_LARGE),
    *(Way("torch", "cuda", "fp16", form, _LARGE) for form in ("plain", "static", "compiled")),
    *(Way("onnx", device, "fp16", random=_LARGE) for device in ("cuda", "tensorrt")),
    # Their forward, to which that of the same size above is a ratio.
    Way(AUTHORS, "cpu", "fp32", random=_LARGE),
    *(Way(AUTHORS, "cuda", "fp16", form, _LARGE) for form in ("plain", "compiled")),
)
TRAINING_STEPS = 200
_BROKEN = Way("torch", "cuda", "fp16")
_FAULT_S = 10.0  # kept for each
_TRAINING_S = 90.0  # kept for both runs
_LEAST_S = 20.0  # below this nothing more is begun
_WAY_TIMEOUT_S = 120.0  # or twice its share: TensorRT builds engines


@dataclass
class Results:
    """What the bench found.

    Attributes:
        machine: what it ran on.
        settings: model, sequences and time.
        rows: figures by the ways' names.
        authors: times of the authors' own network, likewise.
        absent: reasons by the names of what was not measured.
        faults: what was said of each fault.
        training: pairs a second.
    """

    machine: dict[str, object]
    settings: dict[str, Any]
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    authors: dict[str, dict[str, Any]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    training: dict[str, float] = field(default_factory=dict)


def why_absent(way: Way) -> str:
    """Why a way cannot be gone here; empty where it can."""
    try:
        if way.backend == "onnx":
            plan_providers(way.device, require("onnxruntime").get_available_providers(), False)
        else:
            require("torch")
            from litetrack_ros.backends.torch_backend import check_device

            check_device(way.device)
    except LiteTrackError as error:
        return str(error)
    return ""


def run_bench(
    model: str,
    sequences: Sequence[Path],
    train_data: Path | None,
    authors: Path | None,
    seconds: float,
    folder: Path,
    say: Callable[[str], None],
) -> Results:
    """Measure everything that can be had here, until the time is up.

    Args:
        model: a model's name or weights file.
        sequences: folders for closed loops and parity; none is the drawn scene.
        train_data: materials to train with for some steps, on a GPU.
        authors: a checkout of the authors' code, to be measured against.
        seconds: for all.
        folder: for exported files and the training's run.
        say: takes a line on what goes on.

    Raises:
        WeightsError: no such model.
    """
    end_s = time.monotonic() + seconds
    path = find_model(model)
    places = tuple(str(place.resolve()) for place in sequences)
    found = Results(
        machine.describe(),
        {"model": model, "sequences": [p.name for p in sequences], "seconds": seconds},
    )
    here = []
    for way in WAYS:
        reason = why_absent(way)
        if way.backend == AUTHORS and authors is None:
            reason = reason or "no checkout of the authors' code was given (--against)"
        if reason:
            found.absent[way.name] = reason
        else:
            here.append(way)
    models = _models(path, here, folder, found, say)
    if authors is not None:
        models[AUTHORS] = authors
    here = [way for way in here if way.name not in found.absent]
    # A part of what is left for each, so that none takes the time of those after it.
    kept_s = 0.0 if why_absent(_BROKEN) else 2 * len(FAULTS) * _FAULT_S
    kept_s += _TRAINING_S if train_data is not None and kept_s else 0.0
    for index, way in enumerate(here):
        left_s = end_s - kept_s - time.monotonic()
        share_s = left_s / (len(here) - index)
        if left_s < _LEAST_S:
            found.absent[way.name] = "the time was up"
            continue
        say(way.name)
        reference = folder / f"{way.random or 'model'}.json"
        job = Job(
            way,
            str(models[_file_key(way)]),
            () if way.random else places,
            share_s / 4,
            str(reference),
        )
        result = _child(job, min(left_s, max(2 * share_s, _WAY_TIMEOUT_S)))
        if "failed" in result:
            found.absent[way.name] = result["failed"]
        else:
            (found.authors if way.backend == AUTHORS else found.rows)[way.name] = result
    _break(found, path, end_s, say)
    _train(found, train_data, folder, end_s, say)
    return found


def _models(
    path: Path,
    ways: Sequence[Way],
    folder: Path,
    found: Results,
    say: Callable[[str], None],
) -> dict[object, Path]:
    """The files to run, by :func:`_file_key`."""
    models: dict[object, Path] = {("", False): path, ("", True): path}
    for random in sorted({way.random for way in ways if way.random}):
        require("torch")
        file = write_random_model(folder, random)
        models[random, False] = models[random, True] = file
    for random in sorted({way.random for way in ways}):
        onnx = [way for way in ways if way.backend == "onnx" and way.random == random]
        file = models[random, True]
        if all(OnnxPaths.beside(file, way.precision).exist() for way in onnx):
            continue
        say(f"export {random or path.stem} to ONNX")
        try:
            models[random, True] = _export(file, {way.precision for way in onnx}, folder)
        except LiteTrackError as error:
            found.absent |= {way.name: str(error) for way in onnx}
    return models


def _file_key(way: Way) -> object:
    """Ways with the same run the same file: the variant of random weights, and whether in ONNX."""
    return AUTHORS if way.backend == AUTHORS else (way.random, way.backend == "onnx")


def _break(found: Results, path: Path, end_s: float, say: Callable[[str], None]) -> None:
    """Make each fault, where the CPU may go on and where it may not."""
    for kind, words in FAULTS.items():
        for allow_fallback in (False, True):
            name = f"{words}, {'with' if allow_fallback else 'without'} a fallback"
            reason = why_absent(_BROKEN) or _time_reason(end_s)
            if reason:
                found.absent[f"fault: {name}"] = reason
                continue
            say(name)
            job = Job(_BROKEN, str(path), (), 0.0, fault=kind, allow_fallback=allow_fallback)
            result = _child(job, max(1.0, end_s - time.monotonic()))
            found.faults[name] = result.get("said", result.get("failed", ""))


def _time_reason(end_s: float) -> str:
    return "the time was up" if end_s - time.monotonic() < _LEAST_S else ""


def _export(path: Path, precisions: set[str], folder: Path) -> Path:
    """A copy of the weights with ONNX files beside it."""
    for package in ("torch", "onnx"):
        require(package)
    copy = folder / path.name
    if copy != path:
        copy.write_bytes(path.read_bytes())
    for precision in sorted(precisions):
        export_random_model(copy, precision, MAX_TARGETS)
    return copy


def _child(job: Job, timeout_s: float) -> dict[str, Any]:
    words = [sys.executable, "-m", "litetrack_ros.speed.bench_way", job.to_json()]
    try:
        done = subprocess.run(
            ending_with_us(words), capture_output=True, text=True, timeout=timeout_s
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"not done within {timeout_s:.0f} s"}
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        last = (done.stderr.strip().splitlines() or ["without a word"])[-1]
        return {"failed": f"its process ended with status {done.returncode}: {last}"}
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def _train(
    found: Results, data: Path | None, folder: Path, end_s: float, say: Callable[[str], None]
) -> None:
    name = f"training, {TRAINING_STEPS} steps"
    reason = why_absent(_BROKEN) or _time_reason(end_s)
    if not reason and data is None:
        reason = "no materials were given (--train-data)"
    if reason:
        found.absent[name] = reason
        return
    say(name)
    # Two runs: the difference is free of what a start costs.
    taken_s = []
    cores = machine.core_count()
    batch, recipe = 32, str(config_path("train_nano.yaml"))
    for steps in (20, 20 + TRAINING_STEPS):
        words = [
            sys.executable,
            "-m",
            "litetrack_ros.tools.main",
            "train",
            recipe,
        ]
        words += ["--data", str(data), "--out", str(folder / f"run{steps}"), "--device", "cuda"]
        words += ["--workers", str(max(1, cores - 1)), "--set", f"steps={steps}"]
        words += [f"batch_size={batch}", "warmup_steps=10", f"validate_every={steps}"]
        words += [f"checkpoint_every={steps}", "validation_pairs=32", "quality_from_step=0"]
        start_s = time.monotonic()
        try:
            done = subprocess.run(
                ending_with_us(words),
                capture_output=True,
                text=True,
                timeout=max(1.0, end_s - start_s),
            )
        except subprocess.TimeoutExpired:
            found.absent[name] = "the time was up before it was done"
            return
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["without a word"])[-1]
            found.absent[name] = f"it ended with status {done.returncode}: {last}"
            return
        taken_s.append(time.monotonic() - start_s)
    own_s = taken_s[1] - taken_s[0]
    found.training = {"steps": TRAINING_STEPS, "pairs_per_s": TRAINING_STEPS * batch / own_s}
