"""Arguments that several verbs share."""

from __future__ import annotations

import argparse
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from litetrack_ros.backends.base import Backend, BackendInfo
    from litetrack_ros.geometry import FloatArray


def add_model_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--model`` alone, for verbs that look into the network itself."""
    parser.add_argument(
        "--model",
        default=_model_defaults()["model"],
        help="a shipped model's name or a weights file (%(default)s)",
    )


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--model``, ``--backend``, ``--device`` and ``--precision``."""
    from litetrack_ros.backends.registry import BACKENDS

    defaults = _model_defaults()
    add_model_argument(parser)
    parser.add_argument(
        "--backend",
        default=defaults["backend"],
        choices=BACKENDS,
        help="what runs the network (%(default)s)",
    )
    parser.add_argument(
        "--device",
        default=defaults["device"],
        help="cpu, cuda, cuda:N or another that the backend knows (%(default)s)",
    )
    parser.add_argument(
        "--precision", default=defaults["precision"], help="of the network (%(default)s)"
    )


def _model_defaults() -> dict[str, Any]:
    """The defaults of ``open_backend`` itself, so that no command can differ from it."""
    from litetrack_ros.backends.registry import open_backend

    return {p.name: p.default for p in inspect.signature(open_backend).parameters.values()}


def open_model(args: argparse.Namespace) -> Backend:
    """Open the backend that :func:`add_model_arguments` describes.

    Raises:
        WeightsError: no such model, or a damaged file.
        BackendError: the backend, device or precision cannot be had.
        MissingDependencyError: the backend's package is not installed.
    """
    from litetrack_ros.backends.registry import open_backend

    return open_backend(
        args.model, backend=args.backend, device=args.device, precision=args.precision
    )


def describe_backend(info: BackendInfo) -> str:
    """What runs, in one line: model, backend, provider, hardware, precision."""
    hardware = f" ({info.device_name})" if info.device_name else ""
    return (
        f"{info.model_name} {info.model_sha256[:8]}, {info.backend} on {info.provider}{hardware}, "
        f"{info.precision}"
    )


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


def init_box(args: argparse.Namespace) -> FloatArray | None:
    """The box given, or the first one of the source's ground truth, or None.

    Raises:
        DatasetError: the ground truth cannot be read.
    """
    import numpy as np

    from litetrack_ros.datasets.sequences import GROUND_TRUTH, read_sequence

    if args.init_box is not None:
        return np.array(args.init_box, dtype=np.float64)
    if (Path(args.src) / GROUND_TRUTH).is_file():
        return read_sequence(Path(args.src)).boxes_xywh[0]
    return None


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
