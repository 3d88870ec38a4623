"""A tracker node in a process of its own, watched from outside: log, memory, counters, outputs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from oracle import Oracle
from ros_client import Client
from tally import ROOT, Tally

NODE_PROGRAM = ROOT / "scripts" / "tracker_node"
_LOG_WINDOW_S = 10.0
_MOST_LINES = 50  # in the window: five a second
_START_LINES = 12  # a node that starts has these to say besides


class NodeUnderTest:
    """A node, a client that speaks to it, and an oracle that sees all that comes out.

    Args:
        tally: takes the faults.
        compressed: images are compressed.
        program: another program than the node's own.
        environment: further variables.
        **parameters: of the node.
    """

    def __init__(
        self,
        tally: Tally,
        compressed: bool = False,
        program: Path = NODE_PROGRAM,
        environment: dict[str, str] | None = None,
        **parameters: Any,
    ) -> None:
        self.tally = tally
        words = [sys.executable, str(program), "--ros-args"]
        parameters = {"image_transport": "compressed" if compressed else "raw", **parameters}
        for name, value in parameters.items():
            words += ["-p", f"{name}:={str(value).lower() if isinstance(value, bool) else value}"]
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            words,
            env={
                **os.environ,
                "PYTHONUNBUFFERED": "1",
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": os.pathsep.join(paths),
                **(environment or {}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.lines: list[tuple[float, str]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.is_killed = False
        self.client = Client(image_topic="image/compressed" if compressed else "image")
        self.oracle = Oracle(self.client, tally)
        self._seen: Counter[str] = Counter()
        self.totals: Counter[str] = Counter()

    def __enter__(self) -> NodeUnderTest:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(2)
        self.oracle.close()
        self.client.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line.decode(errors="replace").rstrip()))

    @property
    def log(self) -> str:
        """All lines so far."""
        return "\n".join(text for _, text in self.lines)

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def spin(self, seconds: float) -> None:
        """Take the node's answers for some time, and count what it says it took."""
        self.client.spin_for(seconds)
        self.oracle.look()
        self._count()

    def counted(self, name: str) -> int:
        """What the node's own counters say in all, over every session of it."""
        return self.totals[name]

    def wait_until_active(self, timeout_s: float = 90.0) -> None:
        """Wait for the node."""
        self.client.wait_for_node(timeout_s)

    def _count(self) -> None:
        for message in self.oracle.take_diagnostics():
            for status in message.status:
                for entry in status.values:
                    if entry.key in _COUNTERS and entry.value.isdecimal():
                        now, before = int(entry.value), self._seen[entry.key]
                        # A node that was configured anew counts its images from 0.
                        self.totals[entry.key] += now - before if now >= before else now
                        self._seen[entry.key] = now

    def check_alive(self) -> bool:
        """Note a fault where the process has ended."""
        if self.is_alive or self.is_killed:
            return True
        self.is_killed = True
        self.tally.fault(f"the node died with status {self.process.returncode}: {self.log[-500:]}")
        return False

    def resident_mb(self) -> float:
        """Resident memory."""
        return float(psutil.Process(self.process.pid).memory_info().rss / 1e6)

    def peak_mb(self) -> float:
        """The most that was ever resident."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM"))

    def handles(self) -> tuple[int, int]:
        """Open descriptors and threads."""
        process = psutil.Process(self.process.pid)
        return process.num_fds(), process.num_threads()

    def children(self) -> list[psutil.Process]:
        """The node's own processes."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: int = signal.SIGTERM, most_s: float = 3.0, status: int = 0) -> None:
        """Signal the node, and check how it ends and what it leaves."""
        if not self.check_alive() or not self.is_alive:
            return
        children = self.children()
        began = time.monotonic()
        self.process.send_signal(number)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.tally.fault(f"the node was still there 30 s after signal {number}")
            self.process.kill()
            self.process.wait()
        self.tally.time("exit", time.monotonic() - began, most_s)
        found = self.process.returncode
        self.tally.check(
            found == status, f"status {found} after signal {number}: {self.log[-500:]}"
        )
        _, left = psutil.wait_procs(children, timeout=3)
        self.tally.counts["orphans"] += len(left)
        self.tally.check(not left, f"orphans: {left}")
        self.is_killed = True
        self.check_log()

    def check_log(self) -> None:
        """Check the number of lines in any ten seconds, and that no line is a traceback."""
        times = [moment for moment, _ in self.lines[_START_LINES:]]
        first, most = 0, 0
        for index, moment in enumerate(times):
            while times[first] < moment - _LOG_WINDOW_S:
                first += 1
            most = max(most, index - first + 1)
        key = "most log lines in 10 s"
        self.tally.counts[key] = max(self.tally.counts[key], most)
        self.tally.check(most <= _MOST_LINES, f"{most} log lines in 10 s: {self.log[-800:]}")
        self.tally.check("Traceback" not in self.log, f"a traceback in the log: {self.log[-1500:]}")


_COUNTERS = (
    *("received", "processed", "replaced", "caught_up", "rejected", "ignored"),
    *("requested", "accepted", "refused", "dropped"),
)
