"""What passes of native libraries' lines, and what never gets lost."""

from __future__ import annotations

import subprocess
import sys

from litetrack_ros.node.stderr_filter import MAX_LINES, WINDOW_S, LineFilter


def test_lines_that_repeat_are_left_out_and_counted() -> None:
    now, passed = [0.0], []
    lines = LineFilter(passed.append, lambda: now[0])
    for index in range(1000):
        lines.take(b"bad message %d at 0x%x" % (index, index))
    lines.take(b"something else")
    lines.tell()
    assert passed[:4] == [*(b"bad message %d at 0x%x\n" % (k, k) for k in range(3)),
                          b"something else\n"]  # fmt: skip
    assert passed[4] == b"[litetrack] 997 more lines of native libraries left out\n"
    now[0] = WINDOW_S + 1
    lines.take(b"bad message 5 at 0x5")
    assert passed[-1] == b"bad message 5 at 0x5\n"


def test_so_many_lines_pass_in_any_window() -> None:
    now, times = [0.0], []
    lines = LineFilter(lambda text: times.append(now[0]), lambda: now[0])
    for index in range(5000):
        now[0] = 0.01 * index
        lines.take(b"line " + b"x" * index)
        lines.tell()
    for start in times:
        assert sum(start <= moment <= start + WINDOW_S for moment in times) <= MAX_LINES + 1


PROGRAM = """
import os, sys
from litetrack_ros.node.stderr_filter import bounded_stderr
with bounded_stderr():
    for _ in range(1000):
        os.write(2, b"native\\n")
    print("python's own", file=sys.stderr)
    {end}
os.write(2, b"after\\n")
"""


def _run(end: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(end=end)],
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def test_python_goes_past_the_filter_and_the_descriptor_is_put_back() -> None:
    status, text = _run("pass")
    assert (status, text.count("native\n")) == (0, 3)
    assert "python's own" in text and "997 more lines" in text and text.endswith("after\n")


def test_last_words_of_a_crash_arrive() -> None:
    status, text = _run("os.write(2, b'last words'); os.abort()")
    assert status == -6
    assert "last words" in text and "Fatal Python error: Aborted" in text
    status, text = _run("raise RuntimeError('why')")
    assert status == 1 and "RuntimeError: why" in text
