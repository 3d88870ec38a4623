"""Runs ``litetrack bag replay`` on real DDS, with nodes of known speed."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest


class Run(NamedTuple):
    """What a run left: exit status, figures and the rest of report.json, rows of frames.csv."""

    status: int
    figures: dict[str, Any]
    report: dict[str, Any]
    rows: list[dict[str, str]]
    folder: Path


@pytest.fixture
def run_bag(tmp_path: Path, tiny_model: Path) -> Callable[..., Run]:
    """Runs the verb with a report; ``node_command`` takes another node."""
    from litetrack_ros.replay.node_process import DEFAULT_COMMAND
    from litetrack_ros.replay.run import replay_bag
    from litetrack_ros.tools.arguments import read_request
    from litetrack_ros.tools.bag import replay as verb

    def run(bag: Path, *options: str, node_command: Sequence[str] = DEFAULT_COMMAND) -> Run:
        parser = argparse.ArgumentParser()
        verb.add_arguments(parser)
        folder = tmp_path / f"report{len(list(tmp_path.glob('report*')))}"
        words = [str(bag), "--model", str(tiny_model), "--backend", "torch", *options]
        args = parser.parse_args([*words, "--report", str(folder)])
        status = replay_bag(read_request(verb.Request, args), node_command)
        report = json.loads((folder / "report.json").read_text())
        with (folder / "frames.csv").open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        return Run(status, report["figures"], report, rows, folder)

    return run


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread: tiny networks are slower with several; and what the verb sets, put back."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
