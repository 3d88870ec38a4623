"""Ends this process with status 3 when nothing in it runs any more.

A native call that never returns may hold the interpreter: no thread of this process could notice
then. A small process that gets a beat now and then does, and sends SIGQUIT, which is handled
without the interpreter: every thread's trace is written, and the process ends with status 3. Beats
that are missed while the process is stopped (SIGSTOP, a machine that sleeps) do not count.

The small process is this file, run alone: the standard library is all it needs.
"""

import contextlib
import ctypes
import faulthandler
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

STATUS = int(signal.SIGQUIT)
_MARGIN_S = 5  # the process is busy, not stuck
_GRACE_S = 5


def end_on_sigquit() -> None:
    """Let SIGQUIT write the traces of all threads and end this process with status 3.

    The handler is the C library's own ``_exit``: it gets the number of the signal, which is 3.
    """
    library = ctypes.CDLL(None)
    library.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
    library.signal.restype = ctypes.c_void_p
    library.signal(STATUS, ctypes.cast(library._exit, ctypes.c_void_p))
    faulthandler.register(signal.SIGQUIT, file=sys.stderr, all_threads=True, chain=True)


@contextlib.contextmanager
def ending_when_stuck() -> Iterator[Callable[[float], None]]:
    """Have this process ended by SIGQUIT when its beats stop.

    Yields:
        To be called about once a second with the seconds for which beats may be missed from now
        on; 0 is for ever.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    command = [sys.executable, "-I", "-S", __file__, str(os.getpid())]
    process = subprocess.Popen(command, stdin=reader, start_new_session=True)
    os.close(reader)

    def beat(limit_s: float) -> None:
        # A small process that was killed, or that is slow, is no reason for anything.
        with contextlib.suppress(OSError):
            os.write(writer, f"{limit_s:.3f}\n".encode())

    try:
        yield beat
    finally:
        os.close(writer)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.5)


def _is_stopped(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] in "Tt"


def main() -> None:
    """Take the beats on standard input until its end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    pid = int(sys.argv[1])
    limit_s, missed_s = 0.0, 0
    while True:
        if select.select([0], [], [], 1.0)[0]:
            beats = os.read(0, 1 << 16)
            if not beats:
                return
            limit_s, missed_s = float(beats.split()[-1]), 0
        elif limit_s > 0 and not _is_stopped(pid):
            missed_s += 1  # counted, not measured: a machine that sleeps stops this one too
            if missed_s > limit_s + _MARGIN_S:
                break
    text = f"[litetrack] nothing has run for {missed_s} s (stuck_call_s): ended with status 3\n"
    os.write(2, text.encode())
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGQUIT)
        if not select.select([0], [], [], _GRACE_S)[0]:
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
