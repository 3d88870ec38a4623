"""``litetrack node overhead``: what the node adds to the model, beside a bare subscriber."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from litetrack_ros.config import ModelChoice
from litetrack_ros.dependencies import require
from litetrack_ros.report.tables import format_table, write_json
from litetrack_ros.tools.arguments import add_json_argument, add_model_arguments

_PERCENTILES = (50, 95, 99)


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    model: ModelChoice
    size: str
    images: int
    rate: float
    default_dds: bool
    control: bool
    json: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    add_model_arguments(parser)
    parser.add_argument("--size", default="640x480", metavar="WxH", help="of the images, px")
    parser.add_argument(
        "--images", type=int, default=300, help="images to the node and to the bare subscriber each"
    )
    parser.add_argument(
        "--rate", type=float, default=10.0, help="images a second to each (%(default)s)"
    )
    parser.add_argument(
        "--default-dds",
        action="store_true",
        help="send with the DDS's own settings, not with config/fastdds_images.xml",
    )
    parser.add_argument(
        "--control",
        action="store_true",
        help="beside a node with predictions, bearings and ranges from depth, instead of beside a "
        "bare subscriber: what they add",
    )
    add_json_argument(parser)


def run(request: Request) -> int:
    """Measure and print."""
    require("rclpy")
    require("litetrack_ros.msg")
    from litetrack_ros.node.dds import stay_on_this_machine, use_image_profile
    from litetrack_ros.replay.camera import measure_overhead, measure_receiving

    stay_on_this_machine()
    if not request.default_dds:
        use_image_profile()
    width, height = (int(side) for side in request.size.split("x"))
    if request.control:
        return _run_control(request, (width, height))
    result = measure_overhead(request.model, (width, height), request.images, request.rate)
    receiving = measure_receiving((width, height), min(100, request.images))
    samples = {
        "overhead: callback to publish(), less model": result.overhead_ms,
        "model": result.model_ms,
        "stamp to callback, node": result.node_transport_ms,
        "stamp to callback, bare subscriber": result.bare_transport_ms,
        "take an image as a message": receiving["message"],
        "take an image raw, undecoded": receiving["raw"],
    }
    rows = [[name, str(len(values)), *_cells(values)] for name, values in samples.items()]
    print(format_table(["ms", "images", *(f"p{p}" for p in _PERCENTILES)], rows))
    ratio = _ratio(result.node_transport_ms, result.bare_transport_ms)
    print(f"stamp to callback: node over bare subscriber, medians: {ratio:.2f}")
    print(f"{result.sent} images sent to the node, {result.lost} without a box")
    write_json(request.json, _figures(request, samples, ratio, result.lost))
    return 0


def _run_control(request: Request, size_px: tuple[int, int]) -> int:
    from litetrack_ros.replay.control_overhead import SIDES, measure_control

    result = measure_control(request.model, size_px, request.images, request.rate)
    samples = {
        f"{what}, less model; control {side}": found[side]
        for what, found in (
            ("callback to publish() of boxes", result.until_boxes),
            ("image sent to last message here", result.until_all),
        )
        for side in SIDES
    }
    rows = [[name, str(len(values)), *_cells(values)] for name, values in samples.items()]
    print(format_table(["ms", "images", *(f"p{p}" for p in _PERCENTILES)], rows))
    growth = {f"p{p}": result.growth(p) for p in _PERCENTILES}
    for name, (until_boxes, until_all) in growth.items():
        print(f"growth at {name}: {until_boxes:+.2f} ms to the boxes, {until_all:+.2f} ms to all")
    print(f"images without an answer: {result.unanswered}")
    figures = {"growth_ms": growth, "samples_ms": samples, "unanswered": result.unanswered}
    write_json(request.json, figures)
    return 0


def _cells(values: list[float]) -> list[str]:
    if not values:
        return ["-"] * len(_PERCENTILES)
    return [f"{v:.2f}" for v in np.percentile(values, _PERCENTILES)]


def _ratio(node_ms: list[float], bare_ms: list[float]) -> float:
    if not node_ms or not bare_ms:
        return float("nan")
    return float(np.median(node_ms) / np.median(bare_ms))


def _figures(
    request: Request, samples: dict[str, list[float]], ratio: float, lost: int
) -> dict[str, Any]:
    percentiles = {
        name: {f"p{p}": float(v) for p, v in zip(_PERCENTILES, values_at, strict=True)}
        for name, values in samples.items()
        if values
        for values_at in [np.percentile(values, _PERCENTILES)]
    }
    return {
        "size": request.size,
        "rate_hz": request.rate,
        "images": request.images,
        "latency_ms": percentiles,
        "stamp_to_callback_ratio": ratio,
        "images_without_box": lost,
    }
