"""The campaign's smallest tier: every part for a few seconds, with a seed that stays the same."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tally import Tally, table, write_table

SEED = 20260917
# Parts with the goal and the seconds that they get here; the storms need ROS.
STORMS = {
    "raw images": (1500, 8.0),
    "compressed images": (800, 8.0),
    "serialised messages": (800, 8.0),
    "transitions": (25, 10.0),
    "signals": (2, 10.0),
    "stops": (2, 6.0),
    "clock jumps": (8, 6.0),
}
OTHERS = {"damaged models": (50, 8.0), "hostile files": (150, 15.0), "fuzzed parsers": (400, 20.0)}


def _run(name: str, goal: int, seconds: float) -> Tally:
    from campaign import run_part

    tally = run_part(name, SEED, seconds, goal)
    assert tally.counts["faults"] == 0, "\n".join(tally.faults)
    return tally


@pytest.mark.ros
@pytest.mark.parametrize("name", STORMS)
def test_a_short_storm_breaks_no_promise(name: str) -> None:
    tally = _run(name, *STORMS[name])
    counts = Counter({k: v for k, v in tally.counts.items() if k != "faults"})
    assert counts.total() > 0


@pytest.mark.parametrize("name", OTHERS)
def test_damaged_and_hostile_files_do_no_harm(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    tally = _run(name, *OTHERS[name])
    assert tally.counts.total() > 20


@pytest.mark.skipif(importlib.util.find_spec("rosbags") is None, reason="no rosbags")
@pytest.mark.parametrize("name", ["injected kills", "full and read-only disks"])
def test_a_verb_that_fails_anywhere_leaves_nothing_half(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    tally = _run(name, 16, 40.0)
    if not any("no C compiler" in note for note in tally.notes):
        assert tally.counts["kills"] + tally.counts["failures"] >= 16


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
