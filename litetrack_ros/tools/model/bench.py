"""``litetrack model bench``: everything that a GPU decides, measured by itself in eight minutes."""

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.config import DEFAULT_MODEL
from litetrack_ros.datasets.sequences import find_sequences
from litetrack_ros.files import scratch_folder, write_text
from litetrack_ros.report.tables import format_table, write_json


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    model: str
    sequences: tuple[Path, ...]
    train_data: Path | None
    against: Path | None
    minutes: float
    out: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a model's name or weights file")
    parser.add_argument(
        "--sequences",
        nargs="+",
        type=Path,
        default=[],
        metavar="DIR",
        help="sequences for closed loops, or folders of them; without, the drawn scene",
    )
    parser.add_argument(
        "--train-data", type=Path, metavar="DIR", help="materials, to train 200 steps on a GPU"
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="DIR",
        help="a checkout of the authors' code, whose B4 is measured beside ours",
    )
    parser.add_argument("--minutes", type=float, default=7.5, help="for all (%(default)s)")
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("bench"), metavar="NAME",
        help="writes NAME.json and NAME.html (%(default)s)",
    )  # fmt: skip


def run(request: Request) -> int:
    """Measure, write both files, print the whole steps and what is absent."""
    from litetrack_ros.speed.bench import run_bench
    from litetrack_ros.speed.bench_page import page

    sequences = [sequence.folder for sequence in find_sequences(request.sequences)]
    with scratch_folder("bench") as folder:
        found = run_bench(
            request.model,
            sequences,
            request.train_data,
            request.against,
            60.0 * request.minutes,
            folder,
            lambda text: print(f"... {text}", flush=True),
        )
    write_json(request.out.with_suffix(".json"), dataclasses.asdict(found))
    write_text(request.out.with_suffix(".html"), page(found))
    rows = [
        [name, *(f"{row['times_ms'][f'step {n}']['p50']:.2f}" for n in (1, 2, 4, 8))]
        for name, row in found.rows.items()
    ]
    print(format_table(("way", "step 1 ms", "2", "4", "8"), rows))
    for name, reason in found.absent.items():
        print(f"absent: {name}: {reason}")
    print(f"{request.out.with_suffix('.html')}")
    return 0
