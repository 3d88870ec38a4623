"""``litetrack vot``: the tracker as the VOT toolkit starts it, over the TraX protocol.

The toolkit and the ``trax`` package (``vot-trax`` on PyPI) stay external tools; doc/reproducing.md
says how a workspace refers to this command.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.dependencies import require
from litetrack_ros.errors import DatasetError
from litetrack_ros.media.sources import read_image
from litetrack_ros.tools.arguments import add_model_arguments
from litetrack_ros.tracker.following import OneTargetTracker
from litetrack_ros.tracker.tracker import Tracker


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    model: ModelChoice


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_model_arguments(parser)


def run(request: Request) -> int:
    """Track what the toolkit sends, until it says goodbye."""
    trax = require("trax")
    serve(trax, Tracker(open_backend(request.model)))
    return 0


def serve(trax: Any, tracker: OneTargetTracker) -> int:
    """The dialogue: an image and a region, then images only, for any number of sequences.

    Args:
        trax: the module.
        tracker: is started anew at every initialisation.

    Returns:
        The number of frames answered.
    """
    answered = 0
    result = None  # the latest, kept for a target that was given up
    regions = [trax.Region.RECTANGLE]  # the toolkit sends and takes what is asked for here
    with trax.Server(regions, [trax.Image.PATH], tracker_name="litetrack") as server:
        while True:
            request = server.wait()
            if request.type not in (trax.TraxStatus.INITIALIZE, trax.TraxStatus.FRAME):
                return answered
            image = read_image(Path(request.image["color"].path()))
            if request.type == trax.TraxStatus.INITIALIZE:
                result = tracker.init(image, request.objects[0][0].bounds())
            else:
                result = tracker.update(image) or result
            if result is None:
                raise DatasetError("the toolkit sent a frame before a region to start from")
            box = trax.Rectangle.create(*result.box_xywh.tolist())
            server.status([(box, {})])
            answered += 1
