"""``litetrack ope``: one-pass evaluation of a benchmark, resumable and in parallel."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.tools.arguments import Progress, add_model_arguments

if TYPE_CHECKING:
    from litetrack_ros.evaluation.runner import TrackerFactory

LITETRACK = "litetrack"


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    model: ModelChoice
    benchmark: str
    dir: Path
    out: Path
    tracker: str
    devices: tuple[str, ...] | None
    jobs: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    from litetrack_ros.datasets.benchmarks import BENCHMARKS

    parser.add_argument("benchmark", choices=list(BENCHMARKS), help="which benchmark")
    parser.add_argument("dir", type=Path, metavar="DIR", help="the benchmark's folder")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="for the results")
    parser.add_argument(
        "--tracker", default=LITETRACK, help="%(default)s (the default), or one of OpenCV's"
    )
    add_model_arguments(parser)
    parser.add_argument(
        "--devices", nargs="+", metavar="DEVICE", help="processes take them in turn, over --device"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes (%(default)s)")


def run(request: Request) -> int:
    """Track what has no result yet."""
    from litetrack_ros.datasets.benchmarks import read_benchmark
    from litetrack_ros.evaluation.campaign import run_campaign, unfinished

    sequences = read_benchmark(request.benchmark, request.dir)
    left = unfinished(sequences, request.out)
    opener = Opener(
        request.tracker, request.model.model, request.model.backend, request.model.precision
    )
    print(f"{len(sequences) - len(left)} of {len(sequences)} sequences are done", flush=True)
    with Progress(sum(len(s) for s in left), request.benchmark) as progress:
        devices = request.devices or [request.model.device]
        for sequence in run_campaign(sequences, opener, request.out, devices, request.jobs):
            for _ in range(len(sequence)):
                progress.step()
    print(f"results: {request.out}")
    return 0


@dataclass(frozen=True)
class Opener:
    """Opens a tracker in a worker process; see :func:`litetrack_ros.backends.open_backend`."""

    tracker: str
    model: str
    backend: str
    precision: str

    def __call__(self, device: str) -> TrackerFactory:
        """What makes a tracker for each sequence."""
        if self.tracker != LITETRACK:
            from litetrack_ros.evaluation.opencv_trackers import OpenCvSequenceTracker

            return lambda: OpenCvSequenceTracker(self.tracker)
        from litetrack_ros.config import ModelChoice
        from litetrack_ros.evaluation.runner import LiteTrackSequenceTracker

        opened = open_backend(ModelChoice(self.model, self.backend, device, self.precision))
        return lambda: LiteTrackSequenceTracker(opened)
