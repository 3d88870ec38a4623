"""Children end with the process that started them, though that is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from litetrack_ros.child_processes import ending_with_us

PROGRAM = """
import subprocess, sys, time
from litetrack_ros.child_processes import ending_with_us
child = subprocess.Popen(ending_with_us([sys.executable, "-c", "import time; time.sleep(60)"]))
print(child.pid, flush=True)
time.sleep(60)
"""
# As the evaluation runs its trackers: a pool's worker waits for ever for work that never comes.
POOL = """
import multiprocessing, os, time
from concurrent.futures import ProcessPoolExecutor
from litetrack_ros.child_processes import end_with

def start():
    end_with(multiprocessing.parent_process().pid)

if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), start)
    print(pool.submit(os.getpid).result(), flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
@pytest.mark.parametrize("program", [PROGRAM, POOL], ids=["command", "pool"])
def test_a_child_ends_with_its_killed_parent(tmp_path: Path, program: str):
    path = tmp_path / "program.py"
    path.write_text(program)
    parent = subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    time.sleep(0.5)  # the child has asked the kernel by now
    assert child.is_running()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    _, alive = psutil.wait_procs([child], 10)
    for left in alive:
        left.kill()
    assert not alive


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_a_child_that_starts_too_late_does_not_start():
    words = ending_with_us([sys.executable, "-c", "print('started')"])
    assert words[5] == str(os.getpid())
    words[5] = "1"  # another parent than the one that is there
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
