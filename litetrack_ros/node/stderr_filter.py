"""Bounds what native libraries write to the standard error, without closing it.

A message that cannot be deserialised makes the middleware write several lines, a hundred times a
second where somebody sends such messages. What is written to the descriptor goes through a small
process that leaves out what repeats. It outlives a crash, so that a library's last words arrive.
Python's own output, tracebacks and faulthandler's included, goes past it.

The filter is this file, run alone: the standard library is all it needs.
"""

import contextlib
import faulthandler
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator

WINDOW_S = 10.0
MAX_LINES = 40  # in a window
_MAX_ALIKE = 3
_MAX_CHARACTERS = 2000
_VARYING = re.compile(rb"0x[0-9a-f]+|\d+")
_END_TIMEOUT_S = 0.5


@contextlib.contextmanager
def bounded_stderr() -> Iterator[None]:
    """Let what is written to the descriptor of standard error pass through the filter."""
    sys.stderr.flush()
    original = os.dup(2)
    reader, writer = os.pipe()
    command = [sys.executable, "-I", "-S", __file__]
    # Ended by the end of its input alone: not by a Ctrl-C at the terminal either.
    process = subprocess.Popen(command, stdin=reader, stdout=original, start_new_session=True)
    os.close(reader)
    os.dup2(writer, 2)
    os.close(writer)
    python_stderr = sys.stderr
    sys.stderr = os.fdopen(original, "w", buffering=1, errors="backslashreplace", closefd=False)
    faulthandler.enable(sys.stderr)
    try:
        yield
    finally:
        sys.stderr.flush()
        faulthandler.disable()
        sys.stderr = python_stderr
        os.dup2(original, 2)
        os.close(original)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_TIMEOUT_S)


class LineFilter:
    """Passes lines on, but only some of those that are alike, and so many in all.

    Args:
        write: takes what passes.
        clock: monotonic seconds.
    """

    def __init__(
        self, write: Callable[[bytes], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write, self._clock = write, clock
        self._passed: deque[tuple[float, bytes]] = deque()
        self._alike: Counter[bytes] = Counter()
        self._left_out = 0

    def take(self, line: bytes) -> None:
        """A line without its end."""
        self._forget()
        kind = _VARYING.sub(b"#", line[:_MAX_CHARACTERS])
        if self._alike[kind] >= _MAX_ALIKE or len(self._passed) >= MAX_LINES:
            self._left_out += 1
            return
        self._pass(line[:_MAX_CHARACTERS], kind)

    def tell(self) -> None:
        """Say how many lines were left out, once in a while."""
        self._forget()
        if self._left_out and not self._alike[b"told"] and len(self._passed) < MAX_LINES:
            text = f"[litetrack] {self._left_out} more lines of native libraries left out"
            self._left_out = 0
            self._pass(text.encode(), b"told")

    def _pass(self, line: bytes, kind: bytes) -> None:
        self._passed.append((self._clock(), kind))
        self._alike[kind] += 1
        self._write(line + b"\n")

    def _forget(self) -> None:
        while self._passed and self._passed[0][0] < self._clock() - WINDOW_S:
            _, kind = self._passed.popleft()
            self._alike[kind] -= 1
            if not self._alike[kind]:
                del self._alike[kind]


def main() -> None:
    """Filter standard input to standard output until its end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    lines = LineFilter(lambda text: os.write(1, text))
    rest = b""
    while True:
        if select.select([0], [], [], 1.0)[0]:
            block = os.read(0, 1 << 16)
            if not block:
                break
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                lines.take(line)
            rest = rest[:_MAX_CHARACTERS]
        lines.tell()
    if rest:
        lines.take(rest)
    lines.tell()


if __name__ == "__main__":
    main()
