"""Carries a benchmark out: plays what a playlist says, and returns what was measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from litetrack_ros.errors import BagError, ReplayError
from litetrack_ros.replay.durations import summarise_durations
from litetrack_ros.replay.peak import (
    LOAD_LEVELS,
    RUNS,
    at_rate,
    mean_without_extremes,
    search_peak_rate,
)
from litetrack_ros.replay.player import InitBox
from litetrack_ros.replay.playlist import Playlist
from litetrack_ros.replay.records import PlayedMessage, ReplayedFrame
from litetrack_ros.replay.resource_use import ResourceUse, ResourceWatch
from litetrack_ros.replay.rows import RowWriter
from litetrack_ros.replay.session import NodeSettings, replaying

PEAK_RUN_S = 3.0
_PEAK_LEAST_FRAMES = 60
_PEAK_WARM_UP = 10


@dataclass(frozen=True)
class Outcome:
    """What came of a replay; the rows lie in a file.

    Attributes:
        failure: why it ended early, a sentence; empty when it did not.
        final_counts: the node's counts of images at the end; empty where they are not final.
        diagnostics: the node's last diagnostics by task.
        node: its processor time and memory.
        client_cpu_percent: processor time of player and collector, of one core.
    """

    failure: str
    final_counts: dict[str, int]
    diagnostics: dict[str, dict[str, str]]
    node: ResourceUse
    client_cpu_percent: float


def replay(
    playlist: Playlist,
    init: InitBox | None,
    settings: NodeSettings,
    raw_path: Path,
    is_lockstep: bool,
) -> Outcome:
    """Play a bag to a node.

    Args:
        playlist: what to play.
        init: selects the target.
        settings: of the node.
        raw_path: takes a row for every frame.
        is_lockstep: wait for each answer, in place of the recorded times.

    Returns:
        The outcome, after a failure in mid-run too.

    Raises:
        ReplayError: the node did not start.
    """
    failure = ""
    with raw_path.open("w", newline="", encoding="utf-8") as stream:
        rows = RowWriter(stream)
        with replaying(settings, rows.write) as session:
            with ResourceWatch(session.node.pid) as watch:
                cpu_s, wall_s = time.process_time(), time.perf_counter()
                play = session.play_lockstep if is_lockstep else session.play_recorded
                try:
                    play(playlist.messages(), init)
                    session.check_selected()
                except (ReplayError, BagError) as error:
                    failure = str(error)
                except KeyboardInterrupt:
                    failure = "interrupted by the user"
                cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
            counts = session.collector.node_counts()
            diagnostics = session.collector.diagnostics()
    is_final = not failure and counts.get("waiting") == 0
    return Outcome(
        failure, counts if is_final else {}, diagnostics, watch.use, 100 * cpu_s / wall_s
    )


def measure_peak(
    loaded: list[PlayedMessage],
    init: InitBox | None,
    settings: NodeSettings,
    report: Callable[[str], None],
    runs: int = RUNS,
    run_s: float = PEAK_RUN_S,
) -> dict[str, float]:
    """Find the highest rate with at most 1 % of frames missed, and the latency below it.

    Everything is done ``runs`` times; the best and the worst result are left out.

    Args:
        loaded: one pass of the bag, in memory.
        init: selects the target.
        settings: of the node.
        report: takes a sentence on the progress.
        runs: how often.
        run_s: length of each replay.

    Returns:
        Figures by name.

    Raises:
        ReplayError: the node did not start, died, or refused the init box.
    """
    frames: list[ReplayedFrame] = []
    with replaying(settings, frames.append) as session:

        def play(rate_hz: float) -> list[ReplayedFrame]:
            frames.clear()
            session.play_at_rate(at_rate(loaded, rate_hz, run_s, _PEAK_LEAST_FRAMES), init)
            session.check_selected()
            return frames[_PEAK_WARM_UP:]

        def missed_at(rate_hz: float) -> float:
            return float(np.mean([frame.answered_s is None for frame in play(rate_hz)]))

        peaks: list[float] = []
        for run in range(runs):
            peaks.append(search_peak_rate(missed_at, *peaks[-1:]))
            report(f"run {run + 1} of {runs}: {peaks[-1]:.1f} Hz")
            if peaks[-1] == 0:
                raise ReplayError("the node keeps up with no rate: see its log")
        peak_hz = mean_without_extremes(peaks)
        figures = {"peak_rate_hz": peak_hz, "peak_rate_min_hz": min(peaks)}
        figures["peak_rate_max_hz"] = max(peaks)
        for level in LOAD_LEVELS:
            found = [_latencies(play(peak_hz * level / 100)) for _ in range(runs)]
            report(f"latency at {level} % of {peak_hz:.1f} Hz measured")
            for name in found[0]:
                value = mean_without_extremes([run_figures[name] for run_figures in found])
                figures[f"{name.removesuffix('_ms')}_at_{level}_percent_ms"] = value
    return figures


def _latencies(frames: list[ReplayedFrame]) -> dict[str, float]:
    values = [1e3 * (f.answered_s - f.published_s) for f in frames if f.answered_s is not None]
    summary = summarise_durations(np.array(values))
    return {
        "latency_p50_ms": summary.p50,
        "latency_p95_ms": summary.p95,
        "latency_p99_ms": summary.p99,
        "latency_max_ms": summary.maximum,
    }
