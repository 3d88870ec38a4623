"""``litetrack evaluate``: the one-pass protocol over one's own sequences or a benchmark's."""

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litetrack_ros.config import ModelChoice
from litetrack_ros.datasets.benchmarks import BENCHMARKS, read_benchmark
from litetrack_ros.datasets.sequences import AnnotatedSequence, find_sequences
from litetrack_ros.errors import ConfigError
from litetrack_ros.evaluation.comparison import compare, score_perturbed, scoring_of
from litetrack_ros.evaluation.conventions import CONVENTIONS, PLAIN
from litetrack_ros.evaluation.long_term import long_term_run
from litetrack_ros.evaluation.long_term_report import measure_long_term
from litetrack_ros.evaluation.results import SequenceRun, claim_folder
from litetrack_ros.evaluation.runner import (
    PERTURBATION,
    STATELESS,
    PlannedRun,
    plan,
    run_all,
)
from litetrack_ros.evaluation.trackers import LITETRACK, OpenedTracker, TrackerChoice
from litetrack_ros.opencv import cv2
from litetrack_ros.report.tables import format_table, write_json
from litetrack_ros.tools import arguments
from litetrack_ros.tools.workers import WorkerChoice, add_worker_arguments


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    model: ModelChoice
    dirs: tuple[Path, ...]
    benchmark: str | None
    convention: str | None
    tracker: str
    devices: tuple[str, ...] | None
    workers: WorkerChoice
    out: Path | None
    perturbed: int
    long_term: bool
    frame_rate: float
    json: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument(
        "dirs",
        nargs="+",
        type=Path,
        metavar="DIR",
        help="a sequence (frames and groundtruth.txt), or a folder of sequences",
    )
    parser.add_argument(
        "--benchmark", choices=list(BENCHMARKS), help="read DIR as this benchmark is published"
    )
    parser.add_argument(
        "--convention",
        choices=list(CONVENTIONS),
        help=f"how to score ({PLAIN}, or the benchmark's own)",
    )
    parser.add_argument(
        "--tracker",
        default=LITETRACK,
        metavar="NAME",
        help="%(default)s (the default), or one of OpenCV's: csrt, kcf, mil, medianflow, mosse ...",
    )
    arguments.add_model_arguments(parser)
    add_worker_arguments(parser)
    parser.add_argument(
        "--devices", nargs="+", metavar="DEVICE", help="processes take them in turn, over --device"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="write the results there; those that are complete are not run again",
    )
    parser.add_argument(
        "--perturbed",
        type=int,
        default=0,
        metavar="N",
        help="run N more times from first boxes that are up to 5 %% off",
    )
    arguments.add_long_term_arguments(parser)
    arguments.add_json_argument(parser)


def run(request: Request) -> int:
    """Run the protocol, print the table, save what was asked for."""
    if request.perturbed < 0:
        raise ConfigError(f"--perturbed is {request.perturbed}, but must be at least 0")
    if request.workers.ray is not None and request.devices:
        raise ConfigError("Ray gives each worker its GPU: --ray takes no --devices")
    arguments.check_frame_rate(request.frame_rate)
    sequences = _sequences(request)
    convention = _convention(request)
    devices = request.devices or (request.model.device,)
    choice = TrackerChoice(request.tracker, dataclasses.replace(request.model, device=devices[0]))
    opened = choice.open()
    about = _about(choice, opened)
    planned = plan(sequences, request.out, request.perturbed)
    if request.out is not None:
        claim_folder(request.out, _identity(about))
        left = {one.sequence.name for one in planned if one.finished() is None}
        print(f"{len(sequences) - len(left)} of {len(sequences)} sequences are done", flush=True)
    runs = _run_all(request, choice, opened, planned)
    if request.out is not None:
        print(f"results: {request.out}")
    if convention:
        figures = {**about, **_report(request, sequences, convention, runs)}
        if request.long_term:
            figures["long_term"] = _long_term(request, choice, sequences, runs)
        write_json(request.json, figures)
    return 0


def _run_all(
    request: Request, choice: TrackerChoice, opened: OpenedTracker, planned: list[PlannedRun]
) -> list[SequenceRun]:
    unfinished = sum(len(one.sequence) for one in planned if one.finished() is None)
    with arguments.Progress(unfinished, request.benchmark or "evaluate") as progress:
        sha256 = "" if opened.info is None else opened.info.model_sha256
        executor = request.workers.executor(
            opened.make,
            dataclasses.replace(choice, sha256=sha256).open_on,
            request.devices or (request.model.device,),
            progress.step,
        )
        return run_all(planned, executor)


def _sequences(request: Request) -> list[AnnotatedSequence]:
    if request.benchmark is None:
        return find_sequences(request.dirs)
    if len(request.dirs) > 1:
        raise ConfigError(f"--benchmark takes one DIR, not {len(request.dirs)}")
    return list(read_benchmark(request.benchmark, request.dirs[0]))


def _convention(request: Request) -> str:
    """What scores the results; empty where only a server can, and they are to be kept for it."""
    if request.benchmark is None:
        return request.convention or PLAIN
    if not BENCHMARKS[request.benchmark].convention and request.out is not None:
        return ""
    return request.convention or scoring_of(request.benchmark)


def _about(choice: TrackerChoice, opened: OpenedTracker) -> dict[str, Any]:
    """What the report says of the tracker, printed too."""
    if opened.info is not None:
        print(f"tracker: {arguments.describe_backend(opened.info)}", flush=True)
        return {
            "tracker": choice.name,
            "is_calibrated": opened.is_calibrated,
            "backend": dataclasses.asdict(opened.info),
        }
    print(f"tracker: {choice.name} of OpenCV {cv2.__version__}", flush=True)
    return {
        "tracker": choice.name,
        "is_calibrated": opened.is_calibrated,
        "opencv_version": cv2.__version__,
    }


def _identity(about: dict[str, Any]) -> dict[str, str]:
    """What makes the tracker's boxes its own: not where it runs."""
    network = about.get("backend", {})
    kept = {key: network[key] for key in ("model_name", "model_sha256", "precision") if network}
    return {**{key: about[key] for key in ("tracker", "opencv_version") if key in about}, **kept}


def _report(
    request: Request,
    sequences: list[AnnotatedSequence],
    convention: str,
    runs: list[SequenceRun],
) -> dict[str, Any]:
    """Print the tables of true and perturbed first boxes; the same figures for JSON."""
    of_each = 1 + request.perturbed
    true_runs = {request.tracker: runs[::of_each]}
    title = request.benchmark or "folder"
    found = compare(title, convention, sequences, true_runs)
    print(f"convention {convention}: {CONVENTIONS[convention].about}")
    print(format_table(*found.sequence_table(request.tracker)))
    figures = found.sequence_figures(request.tracker)
    if request.perturbed:
        groups = {
            sequence.name: runs[k * of_each + 1 : (k + 1) * of_each]
            for k, sequence in enumerate(sequences)
        }
        perturbed = score_perturbed(convention, sequences, groups)
        print(f"\nfrom {request.perturbed} first boxes, up to {PERTURBATION:.0%} off:")
        print(format_table(*perturbed.table()))
        figures["perturbed"] = perturbed.figures()
    return figures


def _long_term(
    request: Request,
    choice: TrackerChoice,
    sequences: list[AnnotatedSequence],
    runs: list[SequenceRun],
) -> dict[str, Any]:
    """Run again without the state machine, print the long-term tables; the figures for JSON."""
    stateless: list[SequenceRun] = []
    if choice.name == LITETRACK:
        free = dataclasses.replace(choice, stateless=True)
        folder = None if request.out is None else request.out / STATELESS
        stateless = _run_all(request, free, free.open(), plan(sequences, folder))
    pairs = zip(sequences, runs[:: 1 + request.perturbed], strict=True)
    known = [
        long_term_run(sequence, run, stateless[k] if stateless else None)
        for k, (sequence, run) in enumerate(pairs)
    ]
    report = measure_long_term(known, request.frame_rate)
    print(f"\n{format_table(*report.sequence_table())}\n\n{format_table(*report.table())}")
    return report.as_json()
