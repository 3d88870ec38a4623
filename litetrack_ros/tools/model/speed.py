"""``litetrack model speed``: how fast models run here, beside others if asked to."""

import argparse
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from litetrack_ros import machine
from litetrack_ros.backends.onnx_files import PRECISIONS, model_name
from litetrack_ros.config import DEFAULT_MODEL, ModelChoice
from litetrack_ros.dependencies import require
from litetrack_ros.errors import BackendError, ConfigError, WeightsError
from litetrack_ros.files import scratch_folder, write_text
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Uint8Image
from litetrack_ros.report.tables import format_table, write_json
from litetrack_ros.speed import timing
from litetrack_ros.speed.authors import measure_authors, variants_of
from litetrack_ros.tools.arguments import Progress, add_json_argument

OPENCV = "opencv"
_LABELS = ("model", "backend", "provider", "precision")
_OPENCV_TRACKERS = ("csrt", "kcf", "medianflow", "mil", "mosse")  # those without a network's file
_HEADER = ("subject", "measure", "median ms", "p95", "p99", "fps", "ratio", "cpu ms", "cpu ratio")


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    model: tuple[str, ...]
    variant: tuple[str, ...]
    backend: tuple[str, ...]
    device: tuple[str, ...]
    precision: tuple[str, ...]
    targets: tuple[int, ...]
    size: tuple[int, int]
    threads: int
    rounds: int
    against: tuple[str, ...]
    markdown: Path | None
    json: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument("--model", nargs="+", default=[], help="models' names or files")
    parser.add_argument(
        "--variant", nargs="+", default=[], help="variants with random weights, such as b4 nano"
    )
    parser.add_argument("--backend", nargs="+", default=["auto"], help="auto, torch, onnx (auto)")
    parser.add_argument(
        "--device", nargs="+", default=["cpu"], help="cpu, cuda, tensorrt ... (cpu)"
    )
    parser.add_argument("--precision", nargs="+", default=["fp32"], help="fp32, fp16, int8 (fp32)")
    parser.add_argument("--targets", nargs="+", type=int, default=[1, 2, 4, 8], help="(1 2 4 8)")
    parser.add_argument(
        "--size", type=_size, default=(640, 480), metavar="WxH", help="of the picture (640x480)"
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 is one a core (0)")
    parser.add_argument("--rounds", type=int, default=30, help="(%(default)s)")
    parser.add_argument(
        "--against",
        nargs="+",
        default=[],
        metavar="opencv|DIR",
        help="measure OpenCV's trackers, or the authors' code in a checkout of theirs, in the same "
        "rounds; ratios are to its first one's search",
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table here too")
    add_json_argument(parser)


def run(request: Request) -> int:
    """Prepare every subject, measure all in turns, print the table."""
    most = timing.MAX_TARGETS
    if request.rounds < 1 or not all(1 <= count <= most for count in request.targets):
        raise ConfigError(f"rounds must be at least 1, and targets from 1 to {most}")
    here = machine.describe()
    with scratch_folder("speed") as folder:
        subjects = _prepare(request, folder)
        rows, figures = _measure(request, subjects)
    about = ", ".join(f"{k} {v}" for k, v in here.items() if v not in (None, {}))
    print(about)
    print(format_table(_HEADER, rows))
    memory = [_memory_row(subject) for subject in subjects if not math.isnan(subject.load_s)]
    memory_header = ("subject", "load and warm-up s", "peak memory MB")
    print(f"\n{format_table(memory_header, memory)}")
    if request.markdown is not None:
        tables = [_markdown(_HEADER, rows), _markdown(memory_header, memory)]
        write_text(request.markdown, "\n".join([about, "", *tables]))
    settings = {
        "size_px": list(request.size),
        "rounds": request.rounds,
        "threads": request.threads,
        "reference": subjects[0].name,
    }
    write_json(request.json, {"machine": here, **settings, "subjects": figures})
    return 0


def _prepare(request: Request, folder: Path) -> list[timing.Subject]:
    """Load everything; what cannot be had here is named and left out."""
    image, boxes = timing.make_scene(*request.size)
    subjects = list(_others(request, image, boxes[0]))
    for label, choice in _choices(request, folder):
        try:
            subject = timing.measure_choice(label, choice, image, boxes, request.targets)
        except (BackendError, WeightsError) as error:
            print(f"left out: {label} {choice.backend} {choice.precision}: {error}")
            continue
        subject.peak_memory_mb = timing.measure_memory(choice)
        subjects.append(subject)
    if not subjects:
        raise BackendError("nothing of what was asked for can be measured here")
    return subjects


def _choices(request: Request, folder: Path) -> Iterator[tuple[str, ModelChoice]]:
    """Every combination that was asked for, after the model's name for the table."""
    models = {model_name(Path(model)): model for model in request.model}
    if not request.model and not request.variant:
        models = {DEFAULT_MODEL: DEFAULT_MODEL}
    for name in request.variant:
        path = timing.write_random_model(folder, name)
        models[f"{name} (random)"] = str(path)
        for precision in set(request.precision) & set(PRECISIONS):
            if set(request.backend) != {"torch"}:
                timing.export_random_model(path, precision, timing.MAX_TARGETS)
    ways = itertools.product(request.backend, request.device, request.precision)
    for (label, model), (backend, device, precision) in itertools.product(models.items(), ways):
        yield label, ModelChoice(model, backend, device, precision, threads=request.threads)


def _others(request: Request, image: Uint8Image, box: FloatArray) -> Iterator[timing.Subject]:
    for folder in (Path(name) for name in request.against if name != OPENCV):
        if request.threads:
            require("torch").set_num_threads(request.threads)
        known = variants_of(folder)
        for name in [v for v in request.variant if v in known] or known[:1]:
            yield measure_authors(folder, name, request.device[0])
    if OPENCV in request.against:
        for name in _OPENCV_TRACKERS:
            try:
                yield timing.measure_opencv(name, image, box)
            except BackendError as error:
                print(f"left out: {error}")


def _measure(
    request: Request, subjects: list[timing.Subject]
) -> tuple[list[list[str]], list[dict[str, Any]]]:
    from litetrack_ros.replay.measures import summarise_durations

    measures = {
        (subject.name, name): call
        for subject in subjects
        for name, call in subject.measures.items()
    }
    with Progress(request.rounds, "rounds") as progress:
        times = timing.interleave(measures, request.rounds, progress.step)
    first = subjects[0]
    base_name = "search 1" if "search 1" in first.measures else next(iter(first.measures))
    base = times[first.name, base_name]
    rows, figures = [], []
    for subject in subjects:
        memory = subject.peak_memory_mb
        entry: dict[str, Any] = {
            **dict(zip(_LABELS, subject.labels, strict=True)),
            "load_s": subject.load_s,
            "peak_memory_mb": None if math.isnan(memory) else memory,
            "measures_ms": {},
        }
        for name in subject.measures:
            own = times[subject.name, name]
            summary = summarise_durations(np.array(own.wall))
            ratio, cpu_ratio = (timing.median_ratio(*pair) for pair in zip(own, base, strict=True))
            cpu = float(np.median(own.cpu))
            entry["measures_ms"][name] = {
                **summary._asdict(),
                "minimum": min(own.wall),
                "ratio": ratio,
                "cpu_p50": cpu,
                "cpu_minimum": min(own.cpu),
                "cpu_ratio": cpu_ratio,
            }
            cells = [f"{v:.2f}" for v in (summary.p50, summary.p95, summary.p99)]
            cells += [f"{1e3 / summary.p50:.1f}", f"{ratio:.3f}", f"{cpu:.2f}", f"{cpu_ratio:.3f}"]
            rows.append([subject.name, name, *cells])
        figures.append(entry)
    return rows, figures


def _memory_row(subject: timing.Subject) -> list[str]:
    memory = "-" if math.isnan(subject.peak_memory_mb) else f"{subject.peak_memory_mb:.0f}"
    return [subject.name, f"{subject.load_s:.2f}", memory]


def _markdown(header: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()) or min(int(width), int(height)) < 64:
        raise argparse.ArgumentTypeError(f"'{text}' is no size such as 640x480, at least 64x64")
    return int(width), int(height)
