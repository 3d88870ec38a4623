"""``litetrack node-benchmark``: what the node adds to the model, beside a bare subscriber."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from litetrack_ros.dependencies import require
from litetrack_ros.tools.arguments import add_model_arguments
from litetrack_ros.tools.tables import add_json_argument, format_table, write_json

HELP = "measure the node's own share of the latency, beside a bare subscriber, on real ROS 2"

_PERCENTILES = (50, 95, 99)


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
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    require("rclpy")
    require("litetrack_ros.msg")
    from litetrack_ros.node.dds import stay_on_this_machine, use_image_profile
    from litetrack_ros.node.overhead import measure_overhead, measure_receiving

    stay_on_this_machine()
    if not args.default_dds:
        use_image_profile()
    width, height = (int(side) for side in args.size.split("x"))
    names = ("model", "backend", "device", "precision")
    parameters = {name: getattr(args, name) for name in names}
    result = measure_overhead(parameters, (width, height), args.images, args.rate)
    receiving = measure_receiving((width, height), min(100, args.images))
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
    lost = result.sent - len(result.overhead_ms) - _uncounted(result)
    print(f"{result.sent} images sent to the node, {lost} without a box")
    write_json(args.json, _figures(args, samples, ratio, lost))
    return 0


def _cells(values: list[float]) -> list[str]:
    if not values:
        return ["-"] * len(_PERCENTILES)
    return [f"{v:.2f}" for v in np.percentile(values, _PERCENTILES)]


def _ratio(node_ms: list[float], bare_ms: list[float]) -> float:
    if not node_ms or not bare_ms:
        return float("nan")
    return float(np.median(node_ms) / np.median(bare_ms))


def _uncounted(result: Any) -> int:
    from litetrack_ros.node.overhead import WARM_UP

    return WARM_UP if result.overhead_ms else 0


def _figures(
    args: argparse.Namespace, samples: dict[str, list[float]], ratio: float, lost: int
) -> dict[str, Any]:
    percentiles = {
        name: {f"p{p}": float(v) for p, v in zip(_PERCENTILES, values_at, strict=True)}
        for name, values in samples.items()
        if values
        for values_at in [np.percentile(values, _PERCENTILES)]
    }
    return {
        "size": args.size,
        "rate_hz": args.rate,
        "images": args.images,
        "latency_ms": percentiles,
        "stamp_to_callback_ratio": ratio,
        "images_without_box": lost,
    }
