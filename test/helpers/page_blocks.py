"""Blocks of code of the pages that people read, and what the commands in them name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# What a block may need that a test has not: `<!-- needs: robot -->` on the line above it.
NEEDS = {
    "robot": "a running ROS 2 workspace with a camera, a display, or a browser",
    "gpu": "a GPU, or a package built for one",
    "network": "packages from an index",
    "data": "weights, pictures, sequences or bags of the reader's own, or hours",
    "clone": "a fresh clone, in which make sets up its environment",
}
COMMANDS = ("bash", "python")
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.M | re.S)
_MARK = re.compile(r"<!-- needs: (\w+) -->\n$")


class Block(NamedTuple):
    """A block of code.

    Attributes:
        page: relative to the checkout.
        line: of its fence, from 1.
        language: as written behind the fence; empty for output and drawings.
        code: between the fences.
        needs: a key of :data:`NEEDS`, or empty where a test can run it.
    """

    page: str
    line: int
    language: str
    code: str
    needs: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def pages(root: Path) -> list[Path]:
    """Every page with commands for readers, but for the history of changes."""
    found = [p for p in root.glob("*.md") if p.name != "CHANGELOG.md"]
    return sorted([*found, *(root / "doc").rglob("*.md"), *(root / "models").glob("*.md")])


def blocks(root: Path) -> list[Block]:
    """All blocks of all pages in order."""
    found = []
    for page in pages(root):
        text = page.read_text(encoding="utf-8")
        for fence in _FENCE.finditer(text):
            mark = _MARK.search(text[: fence.start()])
            line = text.count("\n", 0, fence.start()) + 1
            name = page.relative_to(root).as_posix()
            found.append(Block(name, line, fence[1], fence[2], mark[1] if mark else ""))
    return found


def command_lines(code: str) -> Iterator[list[str]]:
    """The words of each command of a bash block: continued lines joined, comments left out."""
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words:
            end = next((i for i, w in enumerate(words) if w in ("&&", "||", "|", ";")), len(words))
            command = words[:end]
            words = words[end + 1 :]
            while command and re.fullmatch(r"[A-Z_]+=.*", command[0]):
                command = command[1:]  # a variable of its environment
            if command:
                yield command


def code_names(text: str) -> Iterator[str]:
    """What a page's prose writes as code."""
    outside = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    yield from re.findall(r"`([^`\n]+)`", outside)
