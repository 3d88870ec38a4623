"""Kills, full and read-only disks at every call of a writing verb that changes files.

A small library (fail_at_call.c) is loaded before Python and counts the calls that open for writing,
write, sync or rename below a folder. Each verb is run once to count them, then once for each call,
in a forked process that ends there. What it leaves may be what was there before or what the verb
makes, and nothing in between; the next run of the verb succeeds and leaves no temporary file.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib
import json
import os
import pkgutil
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "helpers"), str(HERE.parents[1])]

import psutil  # noqa: E402
from tally import ROOT, Tally  # noqa: E402

from litetrack_ros.errors import LiteTrackError  # noqa: E402

_COUNT, _KILL, _FULL, _READ_ONLY = range(4)
_RESULT = "result: "
# Golden cases that write, the quick ones first: all commands of a case but the last prepare it.
VERBS = (
    *("record", "submit", "track_onnx", "evaluate_kcf", "prune", "draw", "clips", "objects"),
    *("synth", "export", "label", "dev_set", "attention", "tune", "compare_folder", "train"),
    "convert",
)
_MOST_S = 30.0  # of one run


def at_every_call(tally: Tally, goal: int, deadline: Callable[[], bool]) -> None:
    """Kills."""
    _in_a_process(tally, goal, deadline, [_KILL])


def failing_disks(tally: Tally, goal: int, deadline: Callable[[], bool]) -> None:
    """Disks that are full, or read-only, from some call on."""
    tally.notes.append(f"by failing calls (ENOSPC, EROFS); {_tmpfs_note()}")
    _in_a_process(tally, goal, deadline, [_FULL, _READ_ONLY])


def _tmpfs_note() -> str:
    with tempfile.TemporaryDirectory() as folder:
        words = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]
        with contextlib.suppress(OSError):
            if subprocess.run(words, capture_output=True, check=False).returncode == 0:
                subprocess.run(["umount", folder], check=False)
                return "a real tmpfs could be mounted here too, and is not needed"
    return "a tmpfs cannot be mounted here"


def _in_a_process(tally: Tally, goal: int, deadline: Callable[[], bool], modes: list[int]) -> None:
    """Run :func:`main` with the library loaded, until the time is over."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        tally.notes.append("not run: there is no C compiler")
        return
    with tempfile.TemporaryDirectory(prefix="litetrack_campaign.") as folder:
        library = Path(folder) / "libfail_at_call.so"
        source = HERE / "fail_at_call.c"
        words = [compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"]
        subprocess.run(words, check=True)
        words = [sys.executable, __file__, str(tally.seed), str(goal), folder, *map(str, modes)]
        environment = {**os.environ, "LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1"}
        with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:  # at least one for every run of a verb
                if line.startswith(_RESULT):
                    found = json.loads(line.removeprefix(_RESULT))
                    tally.counts.update(found["counts"])
                    for fault in found["faults"]:
                        tally.fault(fault)
                if deadline():
                    process.terminate()
        if process.returncode not in (0, -signal.SIGTERM):
            tally.fault(f"the part ended with {process.returncode}")


class Verb:
    """The last command of a golden case, in folders of its own.

    Args:
        name: of the case.
        places: the inputs.
        root: for the folders.
    """

    def __init__(self, name: str, places: Any, root: Path) -> None:
        from golden_runs import CASES, RECORDED

        self.name = name
        *self._before, self._command = CASES[name].commands
        self._statuses = CASES[name].statuses
        self._places, self._root = places, root / name
        self._library = ctypes.CDLL(None)
        self.log = root / f"{name}.log"
        self._prepared = self._root / "prepared"
        self._prepared.mkdir(parents=True)
        for file in ("recipe.yaml", "model.yaml"):
            shutil.copy(RECORDED / file, self._prepared)
        if name == "draw":  # the others begin with nothing
            self._fork(self._prepared, self._before[0], _COUNT, 0)
        first, self.calls = self._reference("first")
        second, _ = self._reference("second")
        # None where two runs differ, as times do.
        self.made = {name: h if second.get(name) == h else None for name, h in first.items()}

    def _reference(self, name: str) -> tuple[dict[str, str], int]:
        out = self.fresh(name)
        status, calls = self.run(out, _COUNT, 0)
        if status not in self._statuses:
            raise RuntimeError(f"{self.name} ended with {status}: {self.log.read_text()[-800:]}")
        return hashes(out), calls

    def fresh(self, name: str = "out") -> Path:
        """A folder as it is before the verb. Its path is in what some verbs write: always one."""
        out = self._root / "out"
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(self._prepared, out)
        return out

    def run(self, out: Path, mode: int, call: int) -> tuple[int, int]:
        """Exit status, negative for a signal, and the number of calls where it was counted."""
        return self._fork(out, self._command, mode, call)

    def _fork(self, out: Path, command: str, mode: int, call: int) -> tuple[int, int]:
        words = {**self._places.names, "out": str(out)}
        arguments = [word.format(**words) for word in shlex.split(command)]
        reader, writer = os.pipe()
        if (pid := os.fork()) == 0:
            try:
                self._be_the_verb(arguments, out, mode, call, writer)
            finally:  # not by handlers of the exit, which wait for threads that a fork left
                os._exit(97)
        os.close(writer)
        end = time.monotonic() + _MOST_S
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
                self.log.write_text(f"did not end within {_MOST_S} s")
            time.sleep(0.002)
        _, status = os.waitpid(pid, 0)
        with os.fdopen(reader) as text:
            calls = int(text.read() or 0)
        return os.waitstatus_to_exitcode(status), calls

    def _be_the_verb(
        self, arguments: list[str], out: Path, mode: int, call: int, writer: int
    ) -> None:
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        temporary = out.with_name("temporary")
        temporary.mkdir(exist_ok=True)
        os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
        os.chdir(out)
        status = 99
        try:
            from litetrack_ros.tools.main import main as litetrack

            self._library.campaign_arm(str(self._root).encode(), mode, ctypes.c_long(call))
            status = litetrack(arguments)
        except SystemExit as ending:
            status = ending.code if isinstance(ending.code, int) else 98
        except BaseException:  # noqa: BLE001  # a traceback is what is looked for
            import traceback

            traceback.print_exc()
        self._library.campaign_calls.restype = ctypes.c_long
        calls = self._library.campaign_calls()
        self._library.campaign_arm(b"", _COUNT, ctypes.c_long(0))
        os.write(writer, str(calls).encode())
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    def left(self, out: Path) -> list[str]:
        """Temporary files and folders, of the verb's folder and the system's."""
        hidden = [p for p in out.rglob(".*") if p.name not in (".", "..")]
        own = list(out.with_name("temporary").glob("*"))
        return [str(p.relative_to(out.parent)) for p in (*hidden, *own)]


def hashes(folder: Path) -> dict[str, str]:
    """Hashes by name of all files below a folder, temporary ones left out."""
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        for name in [str(path.relative_to(folder))]
    }


def fail_at(verb: Verb, mode: int, call: int) -> Iterator[str]:
    """Let a verb fail at a call, run it again, and tell every fault."""
    out = verb.fresh()
    before = hashes(out)
    status, _ = verb.run(out, mode, call)
    what = f"{verb.name}, {('', 'killed', 'full disk', 'read-only disk')[mode]} at call {call}"
    log = verb.log.read_text(errors="replace")
    if mode == _KILL and status != -signal.SIGKILL:
        yield f"{what}: ended with {status} instead: {log[-300:]}"
    if mode != _KILL and (status < 0 or status == 99 or "Traceback" in log):
        yield f"{what}: status {status}, {log[-700:]}"
    for name, found in hashes(out).items():
        wanted = verb.made.get(name)
        if found not in (before.get(name), wanted) and (wanted or name not in verb.made):
            yield f"{what}: leaves {name}, which is neither the old file nor the new one"
    status, _ = verb.run(out, _COUNT, 0)
    after = hashes(out)
    differs = [name for name, h in verb.made.items() if h and after.get(name) != h]
    log = verb.log.read_text(errors="replace")
    if differs:
        yield f"{what}: the next run (status {status}) leaves other {differs[:3]}: {log[-300:]}"
    if left := verb.left(out):
        yield f"{what}: temporary files after the next run: {left[:3]}"


def main(seed: int, goal: int, folder: Path, modes: list[int]) -> None:
    """Run the verbs' calls in an order of chance, each verb in turn; a line of result for each."""
    import cv2
    from golden_runs import Places

    cv2.setNumThreads(1)  # threads of this process would not survive the forks
    _import_all()
    dice = random.Random(seed)
    places = Places(folder / "places")
    verbs: list[tuple[Verb, list[tuple[int, int]]]] = []
    done = 0
    for name in VERBS:
        if done >= goal:
            break
        try:
            verb = Verb(name, places, folder)
        except RuntimeError as error:
            print(_RESULT + json.dumps({"counts": {}, "faults": [str(error)]}), flush=True)
            continue
        calls = [(mode, call) for mode in modes for call in range(1, verb.calls + 1)]
        dice.shuffle(calls)
        verbs.append((verb, calls))
        counts = {"verbs": 1, "calls of the verbs": len(calls)}
        print(_RESULT + json.dumps({"counts": counts, "faults": []}), flush=True)
        done += _try(verb, calls, min(8, goal - done))
    while any(calls for _, calls in verbs) and done < goal:
        for verb, calls in verbs:
            done += _try(verb, calls, min(20, goal - done))


def _import_all() -> None:
    """Import what the verbs need once, not in every fork."""
    import litetrack_ros

    for module in pkgutil.walk_packages(litetrack_ros.__path__, "litetrack_ros."):
        if not module.name.startswith(("litetrack_ros.node", "litetrack_ros.page")):
            with contextlib.suppress(ImportError, LiteTrackError):
                importlib.import_module(module.name)
    for name in ("onnxruntime", "onnx", "rosbags.rosbag2"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with contextlib.suppress(ImportError, LiteTrackError):
        from litetrack_ros.replay.bag_reader import typestore

        typestore()


def _try(verb: Verb, calls: list[tuple[int, int]], most: int) -> int:
    """Some of the calls that are left, a line of result for each; how many there were."""
    taken = [calls.pop() for _ in range(min(most, len(calls)))]
    for mode, call in taken:
        found = list(fail_at(verb, mode, call))
        counts = {"kills" if mode == _KILL else "failures": 1}
        print(_RESULT + json.dumps({"counts": counts, "faults": found}), flush=True)
    return len(taken)


def at_random_times(tally: Tally, goal: int, deadline: Callable[[], bool]) -> None:
    """kill -9 of the command itself: its children end, and the next run leaves nothing over."""
    from golden_runs import Places

    dice = random.Random(tally.seed)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    verbs = ("record", "track_onnx", "evaluate_kcf", "export", "bag")
    with tempfile.TemporaryDirectory(prefix="litetrack_campaign.") as folder:
        places = Places(Path(folder) / "places")
        environment["TMPDIR"] = str(Path(folder) / "temporary")
        Path(environment["TMPDIR"]).mkdir()
        while tally.counts["kills"] < goal and not deadline():
            name = verbs[tally.counts["kills"] % len(verbs)]
            out = Path(folder) / "out" / str(tally.counts["kills"])
            out.mkdir(parents=True)
            _kill_once(tally, dice, name, places, out, environment)
            tally.counts["kills"] += 1


def _kill_once(
    tally: Tally,
    dice: random.Random,
    name: str,
    places: Any,
    out: Path,
    environment: dict[str, str],
) -> None:
    from golden_runs import CASES

    words = {**places.names, "out": str(out)}
    commands = [[w.format(**words) for w in shlex.split(c)] for c in CASES[name].commands]
    start = [sys.executable, "-m", "litetrack_ros.tools.main"]
    run = {"env": environment, "cwd": out, "stdout": subprocess.DEVNULL}
    for command in commands[:-1]:
        subprocess.run([*start, *command], check=True, timeout=300, **run)
    process = subprocess.Popen([*start, *commands[-1]], stderr=subprocess.DEVNULL, **run)
    time.sleep(dice.uniform(0.2, 6.0 if name == "bag" else 3.0))
    children = []
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=5)
    tally.counts["orphans"] += len(alive)
    tally.check(not alive, f"{name}: orphans {alive}")
    again = subprocess.run(
        [*start, *commands[-1]], capture_output=True, text=True, timeout=300, check=False,
        env=environment, cwd=out,
    )  # fmt: skip
    is_there = "exist" in again.stderr or "already" in again.stderr
    tally.check(again.returncode == 0 or is_there, f"{name} run again: {again.stderr[-500:]}")
    left = [str(p) for p in (*out.rglob(".*"), *Path(environment["TMPDIR"]).glob("litetrack*"))]
    tally.counts["temporary files after the next run"] += len(left)
    tally.check(not left, f"{name}: temporary files after the next run: {left[:3]}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), [int(v) for v in sys.argv[4:]])
