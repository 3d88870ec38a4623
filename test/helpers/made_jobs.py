"""Jobs for executors, of no use but to be done; at module level, so that workers find them."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.errors import DatasetError

SIZE = 200_000  # of the file that a job reads, bytes


@dataclass(frozen=True)
class Sum:
    """Adds up its file's bytes, in a while.

    Attributes:
        seed: of the bytes.
        seconds: that it takes.
        fault: what it does instead: ``raise``, ``unreadable`` or ``die``.
    """

    seed: int
    seconds: float = 0.0
    fault: str = ""
    folder: Path | None = None

    @property
    def name(self) -> str:
        return f"sum {self.seed}"

    @property
    def frames(self) -> int:
        return 1 + self.seed % 7

    def files(self) -> dict[str, bytes]:
        if self.fault == "unreadable":
            raise DatasetError("the file cannot be read")
        return {"in/numbers.bin": bytes((self.seed + k) % 256 for k in range(SIZE))}

    def in_folder(self, folder: Path) -> "Sum":
        return Sum(self.seed, self.seconds, self.fault, folder)

    def do(self, tool: int, on_frame: Callable[[], None]) -> tuple[int, int, Path]:
        """The sum times the tool; the process that did it, and where its file lay."""
        assert self.folder is not None
        content = (self.folder / "in/numbers.bin").read_bytes()
        if self.fault == "raise":
            raise DatasetError(f"frame 3 of {self.name} is damaged")
        if self.fault == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.seconds)
        return sum(content) * tool, os.getpid(), self.folder


def open_factor(device: str) -> int:
    """A tool that leaves a trace of being opened."""
    return 3 if device == "cpu" else 5


def no_tool(device: str) -> int:
    raise DatasetError("there is no such model here")
