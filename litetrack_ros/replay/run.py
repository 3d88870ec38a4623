"""Carries a replay out: at the recorded times, in lockstep, or in search of the peak rate."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from litetrack_ros.errors import BagError, ReplayError
from litetrack_ros.files import make_folder, scratch_folder
from litetrack_ros.node.dds import stay_on_this_machine, use_image_profile
from litetrack_ros.replay.bag_reader import COMPRESSED_IMAGE, Bag
from litetrack_ros.replay.fates import ReplayedFrame, RowWriter, attribute_fates, read_rows
from litetrack_ros.replay.measures import Measured, figures, score, summarise_durations
from litetrack_ros.replay.node_process import DEFAULT_COMMAND, ResourceUse, ResourceWatch
from litetrack_ros.replay.player import InitialTarget, at_rate, available_memory_bytes, preload
from litetrack_ros.replay.playlist import Inputs, PlayedMessage, Playlist, read_inputs
from litetrack_ros.replay.replay_report import Finished, ReplayReport, describe_run, write_results
from litetrack_ros.replay.request import ReplayRequest
from litetrack_ros.replay.session import NodeSettings, replaying
from litetrack_ros.report.tables import format_table

EXIT_CONDITION = 1  # a condition of the request holds
EXIT_INCOMPLETE = 3  # the replay ended early; what there is was written

MAX_MISSED = 0.01  # share of frames, at the peak rate
LOAD_LEVELS = (50, 80, 95)  # percent of the peak rate
PEAK_RUNS = 5
PEAK_RUN_S = 3.0
_PEAK_LEAST_FRAMES = 60
_PEAK_WARM_UP = 10
_FIRST_RATE_HZ = 20.0
_LOWEST_RATE_HZ, _HIGHEST_RATE_HZ = 0.25, 5000.0
_PRECISION = 1.04  # ratio of the rates between which the peak lies in the end
_SHARE_OF_MEMORY = 0.5  # that preloaded frames may take


def replay_bag(request: ReplayRequest, node_command: Sequence[str] = DEFAULT_COMMAND) -> int:
    """Play a bag to a node of its own; print and write what was asked for.

    Args:
        request: what to play and to write.
        node_command: the node's program; tests pass their own.

    Returns:
        The exit status: 0, :data:`EXIT_CONDITION` or :data:`EXIT_INCOMPLETE`.

    Raises:
        LiteTrackError: bad input, or a node that did not start; nothing was played.
    """
    stay_on_this_machine()
    use_image_profile()
    with (
        Bag(request.bag) as bag,
        scratch_folder("bag") as scratch,
    ):
        if request.report is not None:
            make_folder(request.report)
        inputs = read_inputs(request, bag)
        settings = NodeSettings(
            request.model,
            compressed=inputs.playlist.topic.type_name == COMPRESSED_IMAGE,
            log_path=(request.report or scratch) / "node.log",
            reliable=request.mode == "lockstep",
            command=node_command,
        )
        x, y, width, height = (float(v) for v in inputs.init_box_xywh)
        init = InitialTarget(inputs.init_frame, (x, y, width, height))
        if request.mode == "peak":
            report = _search_peak(request, inputs, init, settings)
        else:
            report = _replay_once(request, inputs, init, settings, scratch / "rows.csv")
    status = 0
    for condition in request.conditions:
        if condition.holds(report.figures):
            value = report.figures[condition.figure]
            print(f"failed: {condition} ({condition.figure} is {value})")
            status = EXIT_CONDITION
    if report.failure:
        print(f"litetrack: {report.failure}", file=sys.stderr)
        return EXIT_INCOMPLETE
    return status


def _replay_once(
    request: ReplayRequest,
    inputs: Inputs,
    init: InitialTarget,
    settings: NodeSettings,
    raw_path: Path,
) -> ReplayReport:
    """Play the bag once through, and write everything asked for."""
    playlist = inputs.playlist
    print(f"playing {request.bag}: {playlist.topic.name}, {request.mode}", flush=True)
    outcome = _play(playlist, init, settings, raw_path, request.mode == "lockstep")
    rows = read_rows(raw_path)
    if len(rows) == 0:
        raise ReplayError(outcome.failure or "no frame was played")
    warnings = [playlist.stamps.warning] if playlist.stamps.warning else []
    by_frame = inputs.truth_by_frame(warnings)
    truth = np.full((len(rows), 4), np.nan) if by_frame is None else by_frame[rows.frame]
    measured = Measured(
        rows,
        attribute_fates(rows, outcome.final_counts),
        outcome.node,
        outcome.client_cpu_percent,
        request.warm_up,
        None if by_frame is None else score(rows, truth, inputs.init_frame, inputs.init_box_xywh),
        is_paced=request.mode != "lockstep",
    )
    values = figures(measured)
    values["stamps_out_of_order"] = playlist.stamps.out_of_order
    values["stamps_repeated"] = playlist.stamps.repeated
    if not values["valid"]:
        warnings.append(
            f"INVALID: the player's jitter (p95 {values['player_jitter_p95_ms']:.1f} ms) is above "
            "5 ms: this machine is too busy for timing"
        )
    metadata = {**describe_run(request, inputs), "node": outcome.diagnostics.get("model", {})}
    report = ReplayReport(values, metadata, outcome.failure, warnings, outcome.diagnostics)
    write_results(request, Finished(inputs, measured, truth, report, raw_path))
    return report


@dataclass(frozen=True)
class _Outcome:
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


def _play(
    playlist: Playlist,
    init: InitialTarget,
    settings: NodeSettings,
    raw_path: Path,
    is_lockstep: bool,
) -> _Outcome:
    """Play a bag to a node, a row of ``raw_path`` for every frame; a failure in mid-run is told."""
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
    client_cpu_percent = 100 * cpu_s / wall_s
    return _Outcome(failure, counts if is_final else {}, diagnostics, watch.use, client_cpu_percent)


def _search_peak(
    request: ReplayRequest, inputs: Inputs, init: InitialTarget, settings: NodeSettings
) -> ReplayReport:
    """Search the peak rate with the frames in memory, and write the figures."""
    topic = inputs.playlist.topic
    needed_mb = topic.message_count * len(inputs.playlist.nth(0).data) / 1e6
    free = int(_SHARE_OF_MEMORY * available_memory_bytes())
    print(
        f"loading {request.bag}: at most {topic.message_count} frames, {needed_mb:.0f} MB; "
        f"{free / 1e6:.0f} MB may be taken",
        flush=True,
    )
    loaded = preload(inputs.playlist, free)
    found = measure_peak(loaded, init, settings, lambda text: print(text, flush=True))
    print(format_table(("figure", "value"), [[k, f"{v:.2f}"] for k, v in found.items()]))
    report = ReplayReport(dict(found), describe_run(request, inputs))
    if request.json is not None:
        report.write(request.json)
    return report


def measure_peak(
    loaded: list[PlayedMessage],
    init: InitialTarget,
    settings: NodeSettings,
    report: Callable[[str], None],
    runs: int = PEAK_RUNS,
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


def search_peak_rate(
    missed_at: Callable[[float], float], first_rate_hz: float = _FIRST_RATE_HZ
) -> float:
    """The highest rate at which at most :data:`MAX_MISSED` is missed: doubled, then bisected.

    Args:
        missed_at: plays at a rate in Hz and returns the share of frames missed.
        first_rate_hz: where to begin.

    Returns:
        Hz; 0 if even the lowest rate is too much.
    """
    low, high = 0.0, 0.0
    rate = first_rate_hz
    while not (low and high):
        if missed_at(rate) <= MAX_MISSED:
            low, rate = rate, 2 * rate
            if low >= _HIGHEST_RATE_HZ:
                return low
        else:
            high, rate = rate, rate / 2
            if high <= _LOWEST_RATE_HZ:
                return 0.0
    while high / low > _PRECISION:
        middle = (low * high) ** 0.5
        if missed_at(middle) <= MAX_MISSED:
            low = middle
        else:
            high = middle
    return low


def mean_without_extremes(values: Sequence[float]) -> float:
    """The mean without the least and the greatest value; of one or two values, of all."""
    kept = sorted(values)[1:-1] if len(values) > 2 else list(values)
    return sum(kept) / len(kept)
