"""Finds the verbs of the ``litetrack`` command and runs the one asked for.

A verb is a module of this package that defines ``HELP``, ``add_arguments`` and ``run``; its name is
the module's, with dashes. Verbs import what is heavy inside ``run``, so that help is quick and
works where an optional package is missing.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from litetrack_ros import __version__, tools
from litetrack_ros.errors import LiteTrackError

EXIT_BAD_INPUT = 2  # argparse uses the same status
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


class Verb(NamedTuple):
    """What a verb's module provides.

    Attributes:
        help: one line for the list of verbs.
        add_arguments: fills the verb's parser.
        run: does the work and returns the exit status.
    """

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def find_verbs() -> dict[str, Verb]:
    """All verbs by name, in alphabetical order."""
    verbs = {}
    for info in pkgutil.iter_modules(tools.__path__):
        module = importlib.import_module(f"{tools.__name__}.{info.name}")
        if all(hasattr(module, name) for name in ("HELP", "add_arguments", "run")):
            verb = Verb(module.HELP, module.add_arguments, module.run)
            verbs[info.name.replace("_", "-")] = verb
    return dict(sorted(verbs.items()))


def build_parser(verbs: dict[str, Verb], chosen: str | None) -> argparse.ArgumentParser:
    """The command's parser; only the chosen verb's own arguments are filled in."""
    parser = argparse.ArgumentParser(prog="litetrack", description=_description())
    parser.add_argument("--version", action="version", version=f"litetrack {__version__}")
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, verb in verbs.items():
        subparser = subparsers.add_parser(name, help=verb.help, description=verb.help)
        if name == chosen:
            verb.add_arguments(subparser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments without the program's name; those of the process by default.

    Returns:
        The exit status: the verb's own, 2 for bad input, 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    # OpenCV and FFmpeg report damage on stderr themselves; ours is the one message.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        verbs = find_verbs()
        chosen = arguments[0] if arguments else None
        namespace = build_parser(verbs, chosen).parse_args(arguments)
        status = verbs[namespace.verb].run(namespace)
        sys.stdout.flush()
        return status
    except LiteTrackError as error:
        print(f"litetrack: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("litetrack: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has what it wanted; Python must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _description() -> str:
    return "LiteTrack visual object tracking. `litetrack VERB --help` says more of a verb."


if __name__ == "__main__":
    sys.exit(main())
