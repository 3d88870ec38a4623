"""What a part of the campaign did and found, and the table that tells of it."""

from __future__ import annotations

import math
import os
import platform
import subprocess
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "doc" / "reliability.md"
_MAX_FAULTS = 20


@dataclass
class Tally:
    """One part's counts, its timings, and every fault that it found.

    Attributes:
        part: name.
        seed: makes the same part again.
        counts: what was done, by the node's own counters where it has one.
        times_s: samples by what they time.
        faults: sentences; none is what is promised. Only the first are kept, all are counted.
        notes: what did not run, and why.
        patience: how many times longer than promised something may take, on a busy machine.
        took_s: how long it took.
    """

    part: str
    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    times_s: dict[str, list[float]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    took_s: float = 0.0
    patience: float = 1.0

    def fault(self, text: str) -> None:
        """Note a broken promise."""
        self.counts["faults"] += 1
        if len(self.faults) < _MAX_FAULTS:
            self.faults.append(text[:6000])

    def check(self, holds: bool, text: str) -> None:
        """Note a fault where something does not hold."""
        if not holds:
            self.fault(text)

    def time(self, what: str, seconds: float, most_s: float = math.inf) -> None:
        """Note how long something took, and a fault where that was too long."""
        self.times_s.setdefault(what, []).append(seconds)
        most_s *= self.patience
        self.check(seconds <= most_s, f"{what} took {seconds:.2f} s, more than {most_s:g} s")

    def as_json(self) -> dict[str, Any]:
        """Plain values; of the timings the median, the 99th percentile and the worst."""
        return {
            "part": self.part,
            "seed": self.seed,
            "took_s": round(self.took_s, 1),
            "counts": dict(sorted(self.counts.items())),
            "times_s": {what: _summary(values) for what, values in sorted(self.times_s.items())},
            "faults": self.faults,
            "notes": self.notes,
        }


def _summary(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    at = lambda share: ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]  # noqa: E731
    return {
        "samples": len(ordered),
        "p50": round(at(0.5), 4),
        "p99": round(at(0.99), 4),
        "worst": round(ordered[-1], 4),
    }


def heading(tier: str, seed: int) -> dict[str, Any]:
    """When, what and where a run was."""
    git = subprocess.run(
        ["git", "-C", ROOT, "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
    )
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "tier": tier,
        "seed": seed,
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": git.stdout.strip() or "unknown",
        "machine": f"{os.cpu_count()} cores ({model}), {platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def write_table(result: dict[str, Any], marks: str = "campaign", document: Path = DOCUMENT) -> None:
    """Put a run's figures between the marks of that name in the document."""
    begin, end = f"<!-- {marks} begin -->", f"<!-- {marks} end -->"
    text = document.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    document.write_text(f"{before}{begin}\n{table(result)}{end}{after}", encoding="utf-8")


def table(result: dict[str, Any]) -> str:
    """A run's figures in Markdown."""
    run = result["run"]
    lines = [
        f"Run of {run['date']}, tier `{run['tier']}`, seed {run['seed']}, commit "
        f"`{run['commit']}`, on {run['machine']}, Python {run['python']}.",
        "",
        "| part | done | times (p50 / p99 / worst) | faults |",
        "| --- | --- | --- | --- |",
    ]
    for part in result["parts"]:
        counts = {k: v for k, v in part["counts"].items() if k != "faults"}
        times = "; ".join(
            f"{what} {t['p50']:.2f} / {t['p99']:.2f} / {t['worst']:.2f} s"
            for what, t in part["times_s"].items()
        )
        done = ", ".join(f"{value:,} {name}" for name, value in counts.items())
        lines.append(f"| {part['part']} | {done} | {times} | {part['counts'].get('faults', 0)} |")
    notes = [f"- {part['part']}: {note}" for part in result["parts"] for note in part["notes"]]
    faults = [
        f"- {part['part']}: **{fault}**" for part in result["parts"] for fault in part["faults"]
    ]
    for title, entries in (("Not run, or run otherwise:", notes), ("Faults:", faults)):
        if entries:
            lines += ["", title, "", *entries]
    return "\n".join(lines) + "\n"


def merged(tallies: Iterable[Tally]) -> dict[str, Any]:
    """All parts as JSON."""
    return {"parts": [tally.as_json() for tally in tallies]}
