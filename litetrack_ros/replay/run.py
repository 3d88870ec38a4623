"""Carries out ``litetrack bag replay``."""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from litetrack_ros.errors import ReplayError
from litetrack_ros.files import make_folder
from litetrack_ros.replay.accuracy import score
from litetrack_ros.replay.bag_reader import Bag
from litetrack_ros.replay.choosing import Inputs, read_inputs
from litetrack_ros.replay.fates import attribute_fates
from litetrack_ros.replay.figures import DEFAULT_WARM_UP, Measured, figures
from litetrack_ros.replay.playlist import available_memory_bytes, preload
from litetrack_ros.replay.report_parts import content, machine, write_report_json
from litetrack_ros.replay.results_out import Finished, write_results
from litetrack_ros.replay.rows import read_rows
from litetrack_ros.report.tables import format_table

if TYPE_CHECKING:
    from litetrack_ros.replay.measuring import Outcome
    from litetrack_ros.replay.player import InitBox
    from litetrack_ros.replay.session import NodeSettings

_SHARE_OF_MEMORY = 0.5  # that preloaded frames may take


class Result(NamedTuple):
    """Figures by name, and why the replay ended early; empty where it did not."""

    figures: dict[str, float | None]
    failure: str


def replay(args: argparse.Namespace, node_command: Sequence[str] | None) -> Result:
    """Play the bag once through, and write everything asked for.

    Raises:
        LiteTrackError: bad input; nothing was played.
    """
    from litetrack_ros.node.dds import stay_on_this_machine, use_image_profile
    from litetrack_ros.replay import measuring as benchmark

    stay_on_this_machine()
    use_image_profile()
    is_lockstep = args.mode == "lockstep"
    with Bag(args.bag) as bag, _work_folder(args.report) as (folder, scratch):
        inputs = read_inputs(args, bag)
        print(f"playing {args.bag}: {inputs.playlist.topic.name}, {args.mode}", flush=True)
        settings = _settings(args, inputs, folder, node_command)
        raw_path = scratch / "rows.csv"
        outcome = benchmark.replay(inputs.playlist, _init(inputs), settings, raw_path, is_lockstep)
        return _finish(args, inputs, outcome, raw_path)


def _finish(args: argparse.Namespace, inputs: Inputs, outcome: Outcome, raw_path: Path) -> Result:
    rows = read_rows(raw_path)
    if len(rows) == 0:
        raise ReplayError(outcome.failure or "no frame was played")
    warnings: list[str] = [inputs.playlist.stamps.warning] if inputs.playlist.stamps.warning else []
    by_frame = inputs.truth_by_frame(warnings)
    truth = np.full((len(rows), 4), np.nan) if by_frame is None else by_frame[rows.frame]
    measured = Measured(
        rows,
        attribute_fates(rows, outcome.final_counts),
        outcome.node,
        outcome.client_cpu_percent,
        DEFAULT_WARM_UP if args.warm_up is None else args.warm_up,
        None if by_frame is None else score(rows, truth, inputs.init_frame, inputs.init_box_xywh),
        is_paced=args.mode != "lockstep",
    )
    values = figures(measured)
    values["stamps_out_of_order"] = inputs.playlist.stamps.out_of_order
    values["stamps_repeated"] = inputs.playlist.stamps.repeated
    if not values["valid"]:
        warnings.append(
            f"INVALID: the player's jitter (p95 {values['player_jitter_p95_ms']:.1f} ms) is above "
            "5 ms: this machine is too busy for timing"
        )
    metadata = {**_metadata(args, inputs), "node": outcome.diagnostics.get("model", {})}
    report = content(values, metadata, outcome.failure, warnings)
    report["diagnostics"] = outcome.diagnostics
    write_results(args, Finished(inputs, measured, truth, report, raw_path))
    return Result(values, outcome.failure)


def measure_peak(args: argparse.Namespace, node_command: Sequence[str] | None) -> Result:
    """Search the peak rate.

    Raises:
        LiteTrackError: bad input, too little memory, or a node that cannot be measured.
    """
    from litetrack_ros.node.dds import stay_on_this_machine, use_image_profile
    from litetrack_ros.replay import measuring as benchmark

    stay_on_this_machine()
    use_image_profile()
    with Bag(args.bag) as bag, _work_folder(None) as (folder, _):
        inputs = read_inputs(args, bag)
        topic = inputs.playlist.topic
        first = inputs.playlist.nth(0)
        needed_mb = topic.message_count * len(first.data) / 1e6
        free = int(_SHARE_OF_MEMORY * available_memory_bytes())
        print(
            f"loading {args.bag}: at most {topic.message_count} frames, {needed_mb:.0f} MB; "
            f"{free / 1e6:.0f} MB may be taken",
            flush=True,
        )
        loaded = preload(inputs.playlist, free)
        settings = _settings(args, inputs, folder, node_command)
        values: dict[str, Any] = dict(
            benchmark.measure_peak(
                loaded, _init(inputs), settings, lambda text: print(text, flush=True)
            )
        )
        print(format_table(("figure", "value"), [[k, f"{v:.2f}"] for k, v in values.items()]))
        if args.json is not None:
            report = content(values, _metadata(args, inputs), "", [])
            write_report_json(args.json, report)
    return Result(values, "")


def _init(inputs: Inputs) -> InitBox:
    from litetrack_ros.replay.player import InitBox

    x, y, width, height = (float(v) for v in inputs.init_box_xywh)
    return InitBox(inputs.init_frame, (x, y, width, height))


def _settings(
    args: argparse.Namespace, inputs: Inputs, folder: Path, node_command: Sequence[str] | None
) -> NodeSettings:
    from litetrack_ros.replay.bag_types import COMPRESSED_IMAGE
    from litetrack_ros.replay.node_process import DEFAULT_COMMAND
    from litetrack_ros.replay.session import NodeSettings

    names = ("model", "backend", "device", "precision")
    return NodeSettings(
        {name: getattr(args, name) for name in names},
        compressed=inputs.playlist.topic.type_name == COMPRESSED_IMAGE,
        log_path=folder / "node.log",
        reliable=args.mode == "lockstep",
        command=node_command or DEFAULT_COMMAND,
    )


def _metadata(args: argparse.Namespace, inputs: Inputs) -> dict[str, Any]:
    names = ("mode", "rate", "loop", "start", "duration", "model", "backend", "device", "precision")
    return {
        "bag": str(args.bag),
        "image_topic": inputs.playlist.topic.name,
        "image_type": inputs.playlist.topic.type_name,
        **{name: getattr(args, name) for name in names},
        "init_frame": inputs.init_frame,
        "init_box_xywh": [float(v) for v in inputs.init_box_xywh],
        "ground_truth": inputs.truth_name or None,
        "machine": machine(),
    }


@contextlib.contextmanager
def _work_folder(report: Path | None) -> Iterator[tuple[Path, Path]]:
    """The folder of results, a temporary one without a report; and one for what is passing."""
    with tempfile.TemporaryDirectory(prefix=f"litetrack_bag_{os.getpid()}_") as name:
        if report is not None:
            make_folder(report)
        yield report or Path(name), Path(name)
