"""The campaign against the tracker: parts, tiers, a JSON of figures, the table in the document.

`python test/campaign/campaign.py --tier campaign` runs for half an hour, `--tier full` until every
goal is reached (hours). Each part makes everything from its seed: `--only PART --seed N` makes one
again. A part ends early where its share of the time is over, and the counts say how far it came.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import json
import os
import sys
import time
import traceback
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "helpers"), str(HERE.parents[1])]

from tally import Tally, heading, merged, write_table  # noqa: E402

Deadline = Callable[[], bool]
# A part: where it is, the goal of a full run, and its share of the time of a shorter one.
PARTS: dict[str, tuple[str, int, float]] = {
    "raw images": ("storms.raw_images", 1_000_000, 4),
    "compressed images": ("storms.compressed_images", 200_000, 3),
    "serialised messages": ("storms.serialised_messages", 100_000, 2),
    "transitions": ("storms.transitions", 2_000, 3),
    "signals": ("storms.signals", 500, 3),
    "stops": ("storms.stops", 200, 1),
    "clock jumps": ("storms.clock_jumps", 2_000, 1),
    "damaged models": ("damaged_files.models", 1_000, 2),
    "hostile files": ("damaged_files.others", 5_000, 2),
    "injected kills": ("injected_kills.at_every_call", 100_000, 4),
    "kills at random times": ("injected_kills.at_random_times", 30, 1),
    "full and read-only disks": ("injected_kills.failing_disks", 100_000, 2),
    "fuzzed parsers": ("parser_fuzz.fuzz", 10_000_000, 2),
}
# Minutes in all; a full run has no end but its goals.
TIERS = {"commit": 2.0, "campaign": 30.0, "full": 24 * 60.0}


def run_part(name: str, seed: int, seconds: float, patience: float = 1.0) -> Tally:
    """Run one part to its goal, or until its time is over.

    What it raises is a fault of the campaign or of the tracker: either way it is told.
    """
    where, full_goal, _ = PARTS[name]
    module, _, function = where.partition(".")
    tally = Tally(name, seed ^ zlib.crc32(name.encode()), patience=patience)
    began = time.monotonic()
    try:
        run = getattr(importlib.import_module(module), function)
        run(tally, full_goal, lambda: time.monotonic() > began + seconds)
    except Exception:  # noqa: BLE001
        tally.fault(f"the part ended early: {traceback.format_exc()[-900:]}")
    tally.took_s = time.monotonic() - began
    return tally


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts of a tier; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tier", choices=TIERS, default="campaign")
    parser.add_argument("--minutes", type=float, help="in all, instead of the tier's")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument(
        "--seed", type=int, default=time.time_ns() % 2**31, help="default: the time"
    )
    parser.add_argument(
        "--patience", type=float, default=1.0, help="times longer than promised, on a busy machine"
    )
    parser.add_argument("--out", type=Path, default=Path("campaign.json"))
    parser.add_argument("--table", action="store_true", help="write doc/reliability.md's table")
    asked = parser.parse_args(arguments)
    faulthandler.enable()
    os.environ["OMP_NUM_THREADS"] = "1"  # threads of this process would not survive a fork
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    shares = sum(PARTS[name][2] for name in asked.only)
    minutes = asked.minutes or TIERS[asked.tier]
    run, tallies = heading(asked.tier, asked.seed), []
    print(f"campaign {asked.tier}: {minutes:g} minutes, seed {asked.seed}", flush=True)
    for name in asked.only:
        seconds = 60 * minutes * (PARTS[name][2] / shares if asked.tier != "full" else 1.0)
        tallies.append(run_part(name, asked.seed, seconds, asked.patience))
        print(json.dumps(tallies[-1].as_json(), ensure_ascii=False), flush=True)
        result = {"run": run, **merged(tallies)}  # what was found is kept, whatever comes next
        asked.out.write_text(json.dumps(result, indent=1, ensure_ascii=False), encoding="utf-8")
    if asked.table:
        write_table(result)
    faults = sum(tally.counts["faults"] for tally in tallies)
    print(f"campaign: {faults} faults; figures in {asked.out}")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
