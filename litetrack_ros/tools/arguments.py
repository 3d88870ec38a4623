"""Arguments that several verbs share."""

from __future__ import annotations

import argparse
import inspect
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from litetrack_ros.backends.base import Backend, BackendInfo


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--model``, ``--backend``, ``--device`` and ``--precision``.

    The defaults are those of ``open_backend`` itself, so that no command can differ from it.
    """
    from litetrack_ros.backends.registry import BACKENDS, open_backend

    defaults = {p.name: p.default for p in inspect.signature(open_backend).parameters.values()}
    parser.add_argument(
        "--model",
        default=defaults["model"],
        help="a shipped model's name or a weights file (%(default)s)",
    )
    parser.add_argument(
        "--backend",
        default=defaults["backend"],
        choices=BACKENDS,
        help="what runs the network (%(default)s)",
    )
    parser.add_argument(
        "--device", default=defaults["device"], help="cpu, cuda or cuda:N (%(default)s)"
    )
    parser.add_argument(
        "--precision", default=defaults["precision"], help="of the network (%(default)s)"
    )


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
