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
from litetrack_ros.report.html_page import Section, Table, render
from litetrack_ros.resources import config_path
from litetrack_ros.speed.bench_way import TARGETS, Job, Way
from litetrack_ros.speed.timing import MAX_TARGETS, export_random_model

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
)
FAULTS = {"memory": "the device's memory is full", "assert": "an assertion fails on the device"}
TRAINING_STEPS = 200
_BROKEN = Way("torch", "cuda", "fp16")
_LEAST_S = 20.0  # below this nothing more is begun
_WAY_TIMEOUT_S = 120.0  # or twice its share: TensorRT builds engines


@dataclass
class Results:
    """What the bench found.

    Attributes:
        machine: what it ran on.
        settings: model, sequences and time.
        rows: figures by the ways' names.
        absent: reasons by the names of what was not measured.
        faults: what was said of each fault.
        training: pairs a second.
    """

    machine: dict[str, object]
    settings: dict[str, Any]
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
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
    seconds: float,
    folder: Path,
    say: Callable[[str], None],
) -> Results:
    """Measure everything that can be had here, until the time is up.

    Args:
        model: a model's name or weights file.
        sequences: folders for closed loops and parity; none is the drawn scene.
        train_data: materials to train with for some steps, on a GPU.
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
        if reason:
            found.absent[way.name] = reason
        else:
            here.append(way)
    onnx = [way for way in here if way.backend == "onnx"]
    exported = path
    if any(not OnnxPaths.beside(path, way.precision).exist() for way in onnx):
        say("export to ONNX")
        try:
            exported = _export(path, {way.precision for way in onnx}, folder)
        except LiteTrackError as error:
            found.absent |= {way.name: str(error) for way in onnx}
            here = [way for way in here if way not in onnx]
    # A part of what is left for each, so that none takes the time of those after it.
    for index, way in enumerate(here):
        left_s = end_s - time.monotonic()
        share_s = left_s / (len(here) - index + 1)
        if left_s < _LEAST_S:
            found.absent[way.name] = "the time was up"
            continue
        say(way.name)
        job = Job(way, str(exported if way.backend == "onnx" else path), places, share_s / 3)
        answer = _child(job, min(left_s, max(2 * share_s, _WAY_TIMEOUT_S)))
        if "failed" in answer:
            found.absent[way.name] = answer["failed"]
        else:
            found.rows[way.name] = answer
    for kind, words in FAULTS.items():
        reason = why_absent(_BROKEN) or _time_reason(end_s)
        if reason:
            found.absent[f"fault: {words}"] = reason
            continue
        say(words)
        job = Job(_BROKEN, str(path), (), 0.0, kind)
        answer = _child(job, max(1.0, end_s - time.monotonic()))
        found.faults[words] = answer.get("said", answer.get("failed", ""))
    _train(found, train_data, folder, end_s, say)
    return found


def _time_reason(end_s: float) -> str:
    return "the time was up" if end_s - time.monotonic() < _LEAST_S else ""


def _export(path: Path, precisions: set[str], folder: Path) -> Path:
    """A copy of the weights with ONNX files beside it."""
    for package in ("torch", "onnx"):
        require(package)
    copy = folder / path.name
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


def page(found: Results) -> str:
    """The results as one HTML page."""
    rows = found.rows
    steps = [f"step {count}" for count in TARGETS]
    speed_rows = [
        [name, *(f"{row['times_ms'][step][p]:.2f}" for step in steps for p in ("p50", "p99"))]
        for name, row in rows.items()
    ]
    titles = [f"{count} {p}" for count in TARGETS for p in ("median", "p99")]
    parts = sorted({part for row in rows.values() for part in row["times_ms"]} - {*steps})
    part_rows = [
        [part, *(_cell(row["times_ms"].get(part, {}).get("p50")) for row in rows.values())]
        for part in parts
    ]
    right = [
        [
            name,
            f"{row['teacher_forced']['mean']:.4f}",
            f"{row['teacher_forced']['least']:.4f}",
            f"{100 * row['state_differs']:.1f} %",
            *(f"{ao:.3f} ({ao - row['ao_reference'][one]:+.3f})" for one, ao in row["ao"].items()),
        ]
        for name, row in rows.items()
    ]
    names = next(iter(rows.values()))["ao"] if rows else {}
    memory = [
        [
            name,
            row["provider"],
            row["device_name"],
            f"{row['load_and_warm_up_s']:.1f}",
            *(f"{row[k]:.0f}" for k in ("peak_memory_mb", "device_memory_mb")),
            f"{row['device_memory_grown_mb']:.1f}",
        ]
        for name, row in rows.items()
    ]
    about = [[key, str(value)] for key, value in {**found.machine, **found.settings}.items()]
    said = list(found.faults.items())
    said += [(key, f"{value:.0f}") for key, value in found.training.items()]
    return render(
        "LiteTrack on this machine",
        [
            Section("Whole steps, ms, by number of targets", "640x480", table=Table(
                ["way", *titles], speed_rows)),
            Section("Parts, median ms", table=Table(["part", *rows], part_rows)),
            Section("The same boxes as the CPU in fp32?", "Overlap in the same crops, and mean "
                    "overlap with the truth in closed loop (in brackets less the CPU's).",
                    table=Table(["way", "mean", "least", "state differs", *names], right)),
            Section("Start and memory", table=Table(
                ["way", "provider", "device", "load and warm-up s", "process MB", "device MB",
                 "grown MB"], memory)),
            Section("Faults, and training", table=Table([], said) if said else None),
            Section("Not measured here", table=Table(["what", "why"], list(found.absent.items()))),
            Section("The machine", table=Table([], about)),
        ],
    )  # fmt: skip


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
