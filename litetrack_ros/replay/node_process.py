"""The tracker node as a process of its own: started, watched and ended. No ROS in here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from litetrack_ros.errors import ReplayError

_PROGRAM = "from litetrack_ros.node.program import run_program; run_program()"
DEFAULT_COMMAND = (sys.executable, "-c", _PROGRAM)
_END_TIMEOUT_S = 5.0
_TAIL_LINES = 3


class NodeProcess:
    """A running tracker node.

    Args:
        parameters: of the node, by name.
        namespace: all its topics lie there, ``diagnostics`` too.
        log_path: takes what it prints.
        command: the program; tests pass their own.
    """

    def __init__(
        self,
        parameters: Mapping[str, bool | int | float | str],
        namespace: str,
        log_path: Path,
        command: Sequence[str] = DEFAULT_COMMAND,
    ) -> None:
        words = [*command, "--ros-args", "-r", f"__ns:={namespace}"]
        words += ["-r", "/diagnostics:=diagnostics"]
        for name, value in parameters.items():
            words += ["-p", f"{name}:={json.dumps(value)}"]  # JSON is YAML, its strings quoted
        self._log_path = log_path
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(
                words,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise ReplayError if it has ended."""
        status = self._process.poll()
        if status is not None:
            how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
            raise ReplayError(f"the node {how}: {self.log_tail() or 'it said nothing'}")

    def log_tail(self) -> str:
        """The last lines of what it printed, as one."""
        text = self._log_path.read_text(encoding="utf-8", errors="replace")
        return " | ".join(line.strip() for line in text.strip().splitlines()[-_TAIL_LINES:])

    def end(self) -> None:
        """End it; killed where it does not end by itself."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
