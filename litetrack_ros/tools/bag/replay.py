"""``litetrack bag replay``: replay a bag to the tracker node over real ROS, and measure."""

import argparse
from pathlib import Path

from litetrack_ros.dependencies import require
from litetrack_ros.replay.request import MODES
from litetrack_ros.replay.request import ReplayRequest as Request
from litetrack_ros.tools.arguments import add_model_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument("bag", type=Path, metavar="BAG", help="a rosbag2 folder or file")
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
        "--warm-up",
        type=int,
        default=10,
        metavar="N",
        help="frames that do not count for latency (%(default)s)",
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


def run(request: Request) -> int:
    """Replay, and write what was asked for."""
    require("rclpy")
    require("litetrack_ros.msg")
    from litetrack_ros.replay.run import replay_bag

    return replay_bag(request)
