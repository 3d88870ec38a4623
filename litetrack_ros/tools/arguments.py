"""Arguments that several verbs share."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from litetrack_ros.config import BACKENDS, DEFAULT_CHOICE
from litetrack_ros.errors import ConfigError

if TYPE_CHECKING:
    from litetrack_ros.backends.base import BackendInfo
    from litetrack_ros.geometry import FloatArray
    from litetrack_ros.images import Image
    from litetrack_ros.media.sources import Source

Request = TypeVar("Request")


def read_request(kind: type[Request], namespace: argparse.Namespace) -> Request:
    """What a command line asks for, as a verb's frozen dataclass.

    Args:
        kind: the dataclass; each of its fields bears the name of an argument. A field that is a
            dataclass itself, such as :class:`ModelChoice`, takes those of its own fields, a list
            becomes a tuple.
        namespace: the arguments.
    """
    given = vars(namespace)
    values: dict[str, Any] = {}
    for name, wanted in get_type_hints(kind).items():
        if isinstance(wanted, type) and dataclasses.is_dataclass(wanted):
            names = [choice.name for choice in dataclasses.fields(wanted)]
            values[name] = wanted(**{n: given[n] for n in names if n in given})
        else:
            value = given[name]
            values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def add_model_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--model`` alone, for verbs that look into the network itself."""
    parser.add_argument(
        "--model",
        default=DEFAULT_CHOICE.model,
        help="a shipped model's name or a weights file (%(default)s)",
    )


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--model``, ``--backend``, ``--device`` and ``--precision``."""
    add_model_argument(parser)
    parser.add_argument(
        "--backend",
        default=DEFAULT_CHOICE.backend,
        choices=BACKENDS,
        help="what runs the network (%(default)s)",
    )
    parser.add_argument(
        "--device",
        default=DEFAULT_CHOICE.device,
        help="cpu, cuda, cuda:N or another that the backend knows (%(default)s)",
    )
    parser.add_argument(
        "--precision", default=DEFAULT_CHOICE.precision, help="of the network (%(default)s)"
    )


def describe_backend(info: BackendInfo) -> str:
    """What runs, in one line: model, backend, provider, hardware, precision."""
    hardware = f" ({info.device_name})" if info.device_name else ""
    return (
        f"{info.model_name} {info.model_sha256[:8]}, {info.backend} on {info.provider}{hardware}, "
        f"{info.precision}"
    )


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--json FILE``, which every command that prints a table takes."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as JSON")


def add_set_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``DIR`` and ``--set``, a data set to train on and which one it is."""
    parser.add_argument("dir", type=Path, metavar="DIR", help="the data set's folder")
    parser.add_argument(
        "--set",
        dest="name",
        metavar="NAME",
        help="which data set and split, such as got10k_vottrain or lasot_train (a wrong name lists "
        "them all); by default what the folder looks like",
    )


def add_long_term_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--long-term`` and ``--frame-rate``."""
    parser.add_argument(
        "--long-term",
        action="store_true",
        help="also measure whether the state and the score can be trusted, and how soon a target "
        "that was away is found",
    )
    parser.add_argument(
        "--frame-rate",
        type=float,
        default=30.0,
        metavar="HZ",
        help="of the sequences, for --long-term (%(default)s)",
    )


def check_frame_rate(frame_rate_hz: float) -> None:
    """Refuse a rate that no sequence has.

    Raises:
        ConfigError: not above 0.
    """
    if not frame_rate_hz > 0:
        raise ConfigError(f"--frame-rate is {frame_rate_hz:g}, but must be above 0")


def add_page_arguments(parser: argparse.ArgumentParser) -> None:
    """Add where the operator's page is served: ``--host``, ``--port``, ``--name``, ``--cert``."""
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="listen there (%(default)s: this machine alone); 0.0.0.0 is every network, and needs "
        "the token that is printed then",
    )
    parser.add_argument("--port", type=int, default=8680, help="(%(default)s)")
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="HOST",
        help="a name that browsers call this machine by, beside its own; may be repeated",
    )
    parser.add_argument("--cert", type=Path, metavar="FILE.pem", help="serve HTTPS with it")
    parser.add_argument("--key", type=Path, metavar="FILE.pem", help="the certificate's key")


def add_clip_arguments(parser: argparse.ArgumentParser, output_help: str) -> None:
    """Add ``--output``, ``--height`` and ``--longest`` of verbs that make clips to train on."""
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help=output_help)
    parser.add_argument("--height", type=int, default=270, help="of the clips, px (%(default)s)")
    parser.add_argument(
        "--longest", type=int, default=40, help="most frames kept of an object (%(default)s)"
    )


def add_init_box_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--init-box``."""
    parser.add_argument(
        "--init-box",
        nargs=4,
        type=float,
        metavar=("X", "Y", "W", "H"),
        help="the target in the first frame, px; without it, a sequence's first ground-truth box, "
        "or a box dragged on the display",
    )


def init_box(src: str, given_xywh: tuple[float, ...] | None) -> FloatArray | None:
    """The box given, or the first one of the source's ground truth, or None.

    Args:
        src: a video, a folder of images, a sequence or a camera.
        given_xywh: of ``--init-box``, px.

    Raises:
        DatasetError: the ground truth cannot be read.
    """
    import numpy as np

    from litetrack_ros.datasets.sequences import GROUND_TRUTH, read_sequence

    if given_xywh is not None:
        return np.array(given_xywh, dtype=np.float64)
    if (Path(src) / GROUND_TRUTH).is_file():
        return read_sequence(Path(src)).boxes_xywh[0]
    return None


def images_and_box(
    source: Source,
    init_box_xywh: FloatArray | None,
    init_point_xy: tuple[float, ...] | None = None,
) -> tuple[Iterator[Image], FloatArray]:
    """A source's images, and the target's box in the first, dragged on the display if not known.

    Args:
        source: what is tracked.
        init_box_xywh: of :func:`init_box`, px, ``(4,)``.
        init_point_xy: a point on the target, px, which is taken in place of the box.

    Raises:
        MediaError: the first image cannot be read.
        BoxError: the point shows nothing, there is no display to draw a box on, or none was drawn.
    """
    images = (frame.image for frame in source)
    if init_box_xywh is not None and init_point_xy is None:
        return images, init_box_xywh
    first = next(images)
    if init_point_xy is not None:
        from litetrack_ros.tracker.point_boxes import propose_boxes

        return itertools.chain([first], images), propose_boxes(first, init_point_xy)[0].box_xywh
    from litetrack_ros.media.windows import ask_for_box

    return itertools.chain([first], images), ask_for_box(first)


class Progress:
    """A progress bar with frames per second on stderr, where stderr is a terminal.

    Args:
        total: frames to come, where known.
        label: stands before the bar.
    """

    def __init__(self, total: int | None, label: str) -> None:
        self._bar: Any = None
        if not sys.stderr.isatty():
            return
        try:
            from tqdm import tqdm
        except ImportError:
            return  # an extra that only adds comfort
        self._bar = tqdm(total=total, desc=label, unit="frame", leave=False)

    def step(self) -> None:
        """One frame is done."""
        if self._bar is not None:
            self._bar.update()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
