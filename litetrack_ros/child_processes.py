"""Processes that end with the one that started them, and whether another one still lives.

A process that is killed cannot end its children: the kernel does (Linux), by a signal they ask for.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
# Run in place of the program, which it then becomes: nothing of this process runs after a fork.
_BIND = f"""
import ctypes, os, sys
ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, {int(signal.SIGTERM)})
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


def ending_with_us(words: Sequence[str]) -> list[str]:
    """A command whose process gets SIGTERM when the thread that starts it has ended, however.

    Args:
        words: program and arguments.

    Returns:
        What to start instead; it keeps its process id. The command itself where this is not Linux.
    """
    if sys.platform != "linux":
        return list(words)
    return [sys.executable, "-I", "-S", "-c", _BIND, str(os.getpid()), *words]


def end_with(parent_pid: int) -> None:
    """Let this process get SIGTERM when its parent ends; at once if it has."""
    if sys.platform == "linux":
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
        if os.getppid() != parent_pid:
            os.kill(os.getpid(), signal.SIGTERM)


def start_ticks(pid: int) -> int:
    """When a process started, in the kernel's ticks since its own start; 0 where nobody says.

    With its id it names a process for good; ids alone are used again.
    """
    try:
        # The name, in brackets, may hold blanks; the fields after it are numbered from 3 (proc(5)).
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(text.rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


def is_alive(pid: int, ticks: int) -> bool:
    """Whether the process of this id and start still runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it is there, and somebody else's
    return start_ticks(pid) == ticks
