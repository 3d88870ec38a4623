"""``litetrack vot``: the tracker as the VOT toolkit starts it, over the TraX protocol.

The toolkit and the ``trax`` package (``vot-trax`` on PyPI) stay external tools; doc/reproducing.md
says how a workspace refers to this command.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.tools.arguments import add_model_arguments

if TYPE_CHECKING:
    from litetrack_ros.evaluation.runner import SequenceTracker


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    model: ModelChoice


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_model_arguments(parser)


def run(request: Request) -> int:
    """Track what the toolkit sends, until it says goodbye."""
    from litetrack_ros.dependencies import require
    from litetrack_ros.evaluation.runner import LiteTrackSequenceTracker

    trax = require("trax")
    tracker = LiteTrackSequenceTracker(open_backend(request.model))
    serve(trax, tracker)
    return 0


def serve(trax: Any, tracker: SequenceTracker) -> int:
    """The dialogue: an image and a region, then images only, for any number of sequences.

    Args:
        trax: the module.
        tracker: is started anew at every initialisation.

    Returns:
        The number of frames answered.
    """
    from litetrack_ros.media.sources import read_image

    answered = 0
    regions = [trax.Region.RECTANGLE]  # the toolkit sends and takes what is asked for here
    with trax.Server(regions, [trax.Image.PATH], tracker_name="litetrack") as server:
        while True:
            request = server.wait()
            if request.type not in (trax.TraxStatus.INITIALIZE, trax.TraxStatus.FRAME):
                return answered
            image = read_image(Path(request.image["color"].path()))
            if request.type == trax.TraxStatus.INITIALIZE:
                box = np.array(request.objects[0][0].bounds(), dtype=np.float64)
                tracker.init(image, box)
            else:
                box = tracker.update(image)
            server.status([(trax.Rectangle.create(*(float(v) for v in box)), {})])
            answered += 1
