"""Processor time and memory of a process."""

import subprocess
import sys
import time

import pytest

from litetrack_ros.replay.resource_use import ResourceWatch, read_process

BUSY = """
import time
block = bytearray(80_000_000)
for at in range(0, len(block), 4096):
    block[at] = 1
print("ready", flush=True)
end = time.process_time() + 0.5
while time.process_time() < end:
    pass
time.sleep(30)
"""


def test_a_process_is_watched() -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        before_s, _ = read_process(process.pid)
        start_s = time.perf_counter()
        with ResourceWatch(process.pid) as watch:
            while read_process(process.pid)[0] < before_s + 0.4:
                time.sleep(0.05)
        took_s = time.perf_counter() - start_s
        process.kill()
    assert watch.use.rss_mb is not None
    assert 80 < watch.use.rss_mb < 160
    assert watch.use.cpu_percent == pytest.approx(100 * 0.4 / took_s, rel=0.5)


def test_a_process_that_has_ended_has_no_figures() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with ResourceWatch(process.pid) as watch:
        pass
    assert watch.use.cpu_percent is None
    assert watch.use.rss_mb is None
