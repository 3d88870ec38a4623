"""Finds the verb of the ``litetrack`` command that was asked for, and runs it.

A verb is a module of this package, or of the package named after its noun, that defines a frozen
dataclass ``Request``, ``add_arguments`` and ``run``. Only the chosen verb's module is imported, so
that help is quick and works where an optional package is missing.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, Protocol, cast

from litetrack_ros.errors import LiteTrackError
from litetrack_ros.tools.arguments import read_request
from litetrack_ros.version import __version__

EXIT_BAD_INPUT = 2  # argparse uses the same status
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
EXIT_TERMINATED = 143  # 128 + SIGTERM
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)
# What a full disk, a terminal that is gone or a descriptor that is closed makes of print().
_NO_OUTPUT = (errno.ENOSPC, errno.EIO, errno.EBADF)

# The verbs by noun, each with a line for the help; those that need no noun come first.
VERBS: dict[str, dict[str, str]] = {
    "": {
        "demo": "track a moving scene with the node on real ROS 2; writes a video and a table",
        "track": "follow a target through a video, a folder of images or a camera",
        "page": "watch and select targets of a running node in a browser, from a phone too",
        "evaluate": "track one's own sequences or a benchmark's once each, and score the boxes",
        "compare": "score raw result files of trackers on a benchmark, with plots and a report",
        "draw": "draw the saved boxes of one or several trackers on the video",
        "submit": "pack result files for GOT-10k's or TrackingNet's server, or GOT-10k's toolkit",
        "paper": "write a table or figure of the paper, with one's own finished runs beside it",
        "vot": "answer the VOT toolkit over TraX (the toolkit starts this command)",
        "train": "train a model by a recipe",
        "doctor": "check the installation, and say what to do about each fault",
    },
    "model": {
        "list": "list the model variants with parameters and MACs, and the paper's figures",
        "convert": "convert one of the authors' checkpoints without executing anything in it",
        "export": "write a model as ONNX files, and check them against PyTorch",
        "speed": "measure models on this machine: template, search and whole step",
        "bench": "measure every way of running a model here, GPU and CPU, with parity and faults",
        "bundle": "pack what the bench needs for a machine with a GPU and no network",
        "tune": "choose a model's window, size smoothing and LOST thresholds",
        "calibrate": "fit a model's probabilities, and choose its thresholds on them",
        "still": "show a model a still target, and none: is it kept, and let go of",
        "light": "track targets whose template is dark, with one template, two and a wrong one",
        "prune": "keep a trained model's first layers, or report all ways to do so",
        "points": "click on annotated objects, and say how often the right box came of it",
        "returns": "let targets leave made videos and come back, and say which are found again",
        "attention": "draw the attention to the target in a frame's search region",
    },
    "data": {
        "check": "verify training data in their published layouts",
        "check-overlap": "find copies of test pictures among those to train on",
        "shard": "write training data as indexed tar files that are read by offset",
        "pairs": "show synthetic training pairs, or time how fast they are made",
        "objects": "outline the main objects of photos, to train on",
        "clips": "cut moving objects out of videos from a fixed camera, to train on",
        "label": "label a video by tracking it forwards and backwards, to train on",
        "dev-set": "write made or spliced sequences and held-out clips to choose models on",
    },
    "node": {
        "select": "select the node's target with the mouse on a live image topic",
        "health": "is a running node active and without an ERROR; for health checks",
        "overhead": "measure the node's own share of the latency, beside a bare subscriber",
        "prediction": "score boxes that are moved on to the moment of use, and their covariance",
        "follow": "let a made pan-tilt camera follow a target, with prediction and without",
    },
    "bag": {
        "record": "make a bag from a video, a folder of images or a sequence",
        "replay": "replay a bag to the tracker node over real ROS; latency, misses, accuracy",
        "diff": "compare the figures of two replays",
    },
}
NOUNS = {
    "model": "one model: convert, export, measure, look inside",
    "data": "training data: make and check",
    "node": "a running node: select its target, check it, measure it",
    "bag": "rosbag2 bags: record, replay and measure",
}


class Verb(Protocol):
    """What a verb's module provides."""

    Request: type  # a frozen dataclass, a field an argument

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Fill the verb's parser."""

    def run(self, request: Any) -> int:
        """Do what the module's ``Request`` asks for; return the exit status."""


def load_verb(noun: str, verb: str) -> Verb:
    """The module of a verb; ``noun`` is empty for those without one."""
    words = [__package__ or "", *([noun] if noun else []), verb.replace("-", "_")]
    return cast(Verb, importlib.import_module(".".join(words)))


def build_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The command's parser; only the chosen verb's own arguments are filled in.

    Args:
        arguments: of the command line, which begin with the verb, or with its noun and the verb.
    """
    parser = argparse.ArgumentParser(
        prog="litetrack",
        description="LiteTrack visual object tracking. `litetrack VERB --help` says more of a "
        "verb, `litetrack NOUN --help` lists a noun's.",
    )
    parser.add_argument("--version", action="version", version=f"litetrack {__version__}")
    parser.set_defaults(noun="")
    first, second = (*arguments[:2], "", "")[:2]
    nouns = parser.add_subparsers(dest="verb", metavar="VERB | NOUN VERB", required=True)
    _add_verbs(nouns, "", first)
    for noun, about in NOUNS.items():
        of_noun = nouns.add_parser(
            noun, help=f"{about} ({', '.join(VERBS[noun])})", description=about
        )
        of_noun.set_defaults(noun=noun)
        verbs = of_noun.add_subparsers(dest="verb", metavar="VERB", required=True)
        _add_verbs(verbs, noun, second if first == noun else "")
    return parser


def _add_verbs(parsers: Any, noun: str, chosen: str) -> None:
    """Add the verbs of a noun to argparse's sub-parsers."""
    for name, about in VERBS[noun].items():
        parser = parsers.add_parser(name, help=about, description=about)
        if name == chosen:
            load_verb(noun, name).add_arguments(parser)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments without the program's name; those of the process by default.

    Returns:
        The exit status: the verb's own, 2 for bad input, 130 after Ctrl-C.

    Raises:
        SystemExit: from argparse; and with status 143 after SIGTERM, when all is cleaned up.
    """
    _open_closed_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    # OpenCV and FFmpeg report damage on stderr themselves; ours is the one message.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        with _ended_by_signals():
            try:
                return _run(arguments)
            finally:
                sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`| head`) has what it wanted; Python must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in _NO_OUTPUT or error.filename is not None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"litetrack: cannot write the output: {error.strerror}", file=sys.stderr)
        return EXIT_BAD_INPUT


def _run(arguments: Sequence[str]) -> int:
    try:
        namespace = build_parser(arguments).parse_args(arguments)
        verb = load_verb(namespace.noun, namespace.verb)
        request = read_request(verb.Request, namespace) if hasattr(verb, "Request") else namespace
        return verb.run(request)
    except LiteTrackError as error:
        print(f"litetrack: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("litetrack: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the verb: temporary files go, and so do child processes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        for ending in _ENDINGS:
            signal.signal(ending, signal.SIG_IGN)  # once is enough: let it clean up
        raise SystemExit(128 + number)

    # One that is ignored (nohup) stays so.
    before = {n: signal.getsignal(n) for n in _ENDINGS if signal.getsignal(n) == signal.SIG_DFL}
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _open_closed_streams() -> None:
    """Put something in the place of standard streams that were closed before this program began.

    The next file that is opened would take their descriptor, and be written to by whatever prints.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
        if getattr(sys, name) is None:
            mode = "r" if descriptor == 0 else "w"
            setattr(sys, name, os.fdopen(descriptor, mode, closefd=False))


if __name__ == "__main__":
    sys.exit(main())
