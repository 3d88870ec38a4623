"""``litetrack bag replay``: replay a bag to the tracker node over real ROS, and measure."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from litetrack_ros.report.tables import format_table
from litetrack_ros.tools.arguments import add_model_arguments

HELP = "replay a bag to the tracker node over real ROS; latency, missed frames and accuracy"
EXIT_CONDITION = 1  # a --fail-if condition holds
EXIT_INCOMPLETE = 3  # the replay ended early; what there is was written
MODES = ("recorded", "lockstep", "peak")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument("bag", nargs="?", type=Path, metavar="BAG", help="a rosbag2 folder or file")
    add_model_arguments(parser)
    played = parser.add_argument_group("what is played")
    played.add_argument("--image-topic", metavar="T", help="needed where the bag has several")
    target = played.add_mutually_exclusive_group()
    target.add_argument(
        "--init-box",
        nargs=4,
        type=float,
        metavar=("X", "Y", "W", "H"),
        help="the target in the first frame played, px; without it, the first ground-truth box",
    )
    target.add_argument("--init-topic", metavar="T", help="the first box on this topic, by stamp")
    played.add_argument(
        "--mode",
        choices=MODES,
        default=MODES[0],
        help="at the recorded times, each frame after the last one's box, or at the highest rate "
        "the node keeps up with (%(default)s)",
    )
    played.add_argument(
        "--rate", type=float, default=1.0, help="times faster than recorded (%(default)s)"
    )
    played.add_argument("--loop", type=int, default=1, metavar="N", help="play N times")
    played.add_argument("--start", type=float, default=0.0, metavar="S", help="begin at second S")
    played.add_argument("--duration", type=float, metavar="S", help="play S seconds of the bag")
    results = parser.add_argument_group("results")
    results.add_argument(
        "--ground-truth",
        metavar="T",
        help="a topic of boxes, a groundtruth.txt (one x,y,w,h line a frame), or a CSV file with "
        "stamp_ns,x,y,width,height; without it, the topic /ground_truth if there is one",
    )
    results.add_argument(
        "--warm-up", type=int, metavar="N", help="frames that do not count for latency (10)"
    )
    results.add_argument(
        "--report", type=Path, metavar="DIR", help="write report.html, report.json, frames.csv"
    )
    results.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    results.add_argument(
        "--save-txt", type=Path, metavar="FILE", help="write one x,y,w,h line a frame"
    )
    results.add_argument(
        "--write-boxes", type=Path, metavar="BAG", help="copy the bag, with boxes and timing"
    )
    results.add_argument(
        "--fail-if",
        action="append",
        default=[],
        metavar="CONDITION",
        help='exit with status 1 where it holds, for example "latency_p95_ms > 40"',
    )
    results.add_argument(
        "--compare", nargs=2, type=Path, metavar=("A.json", "B.json"), help="compare two reports"
    )


def run(args: argparse.Namespace) -> int:
    """Compare reports, or replay."""
    from litetrack_ros.errors import ConfigError

    if args.compare is not None:
        return _compare(*args.compare)
    if args.bag is None:
        raise ConfigError("give a bag to play, or two reports with --compare A.json B.json")
    return benchmark(args)


def benchmark(args: argparse.Namespace, node_command: Sequence[str] | None = None) -> int:
    """Replay a bag and write what was asked for.

    Args:
        args: of the command line.
        node_command: the node's program; tests pass their own.
    """
    from litetrack_ros.dependencies import require

    require("rclpy")
    require("litetrack_ros.msg")
    from litetrack_ros.replay import run as bagging
    from litetrack_ros.replay.choosing import check_options
    from litetrack_ros.replay.conditions import parse_condition

    conditions = [parse_condition(text) for text in args.fail_if]
    check_options(args)
    measure = bagging.measure_peak if args.mode == "peak" else bagging.replay
    result = measure(args, node_command)
    status = 0
    for condition in conditions:
        if condition.holds(result.figures):
            value = result.figures[condition.figure]
            print(f"failed: {condition} ({condition.figure} is {value})")
            status = EXIT_CONDITION
    if result.failure:
        print(f"litetrack: {result.failure}", file=sys.stderr)
        return EXIT_INCOMPLETE
    return status


def _compare(first: Path, second: Path) -> int:
    from litetrack_ros.replay.report_parts import comparison, read_figures

    header = ("figure", first.stem, second.stem, "difference", "%")
    print(format_table(header, comparison(read_figures(first), read_figures(second))))
    return 0
