"""The campaign's smallest tier: every part for a few seconds, with a seed that stays the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from tally import Tally, table, write_table

SEED = 20260917
CAMPAIGN = Path(__file__).with_name("campaign.py")
# Parts and the seconds that they get here; the storms need ROS.
STORMS = {
    "raw images": 8,
    "compressed images": 8,
    "serialised messages": 8,
    "transitions": 10,
    "signals": 8,
    "clock jumps": 6,
}
OTHERS = {
    "damaged models": 8,
    "hostile files": 10,
    "fuzzed parsers": 15,
    "injected kills": 30,
    "full and read-only disks": 30,
}


def _run(name: str, seconds: float, tmp_path: Path) -> dict[str, Any]:
    """A part in a process of its own: it forks, and this one may have threads."""
    out = tmp_path / "campaign.json"
    words = [sys.executable, str(CAMPAIGN), "--only", name, "--seed", str(SEED)]
    words += ["--minutes", str(seconds / 60), "--out", str(out), "--patience", "4"]
    done = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert out.is_file(), done.stderr[-2000:]
    [part] = json.loads(out.read_text())["parts"]
    assert part["faults"] == [], "\n".join(part["faults"])
    assert done.returncode == 0, done.stderr[-2000:]
    return part


@pytest.mark.ros
@pytest.mark.parametrize("name", STORMS)
def test_a_short_storm_breaks_no_promise(name: str, tmp_path: Path) -> None:
    assert sum(_run(name, STORMS[name], tmp_path)["counts"].values()) > 0


@pytest.mark.parametrize("name", OTHERS)
def test_damaged_and_hostile_files_and_kills_do_no_harm(name: str, tmp_path: Path) -> None:
    pytest.importorskip("rosbags")
    part = _run(name, OTHERS[name], tmp_path)
    assert sum(part["counts"].values()) > 0 or part["notes"]


def test_an_oracle_that_sees_nothing_wrong_can_still_see(tmp_path: Path) -> None:
    tally = Tally("a part", 1)
    tally.check(True, "fine")
    tally.time("an answer", 0.1, 1.0)
    assert tally.counts["faults"] == 0
    tally.time("an answer", 2.0, 1.0)
    tally.check(False, "wrong")
    assert tally.faults == ["an answer took 2.00 s, more than 1 s", "wrong"]
    part = tally.as_json()
    assert part["times_s"]["an answer"] == {"samples": 2, "p50": 0.1, "p99": 2.0, "worst": 2.0}
    run = dict.fromkeys(("tier", "seed", "date", "commit", "machine", "python"), "x")
    result = json.loads(json.dumps({"run": run, "parts": [part]}))
    document = tmp_path / "reliability.md"
    document.write_text("before\n<!-- campaign begin -->\nold\n<!-- campaign end -->\nafter\n")
    write_table(result, document=document)
    text = document.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "| a part |" in table(result) and "| 2 |" in text


def test_the_document_has_a_place_for_the_figures(root: Path) -> None:
    text = (root / "doc" / "reliability.md").read_text(encoding="utf-8")
    for marks in ("campaign", "soak"):
        assert text.count(f"<!-- {marks} begin -->") == text.count(f"<!-- {marks} end -->") == 1
