"""Fuzzing of the parsers: guided by coverage where atheris is installed, else by chance.

Each parser is fuzzed in a process of its own: a crash of a native library is a fault that is told
with what caused it, not the end of the campaign. `python parser_fuzz.py NAME SEED SECONDS` is one.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "helpers"), str(HERE.parents[1])]

from tally import Tally  # noqa: E402

_SLOW_S = 5.0
_MOST_BYTES = 1 << 16
_MOST_MB = 1500  # of memory, over what was there before
_RESULT = "result: "


def fuzz(tally: Tally, goal: int, deadline: Callable[[], bool]) -> None:
    """Every parser for its share of the time."""
    from parsers import PARSERS

    if importlib.util.find_spec("atheris") is None:
        tally.notes.append("atheris is not installed: inputs are mutated by chance")
    names, share_s = list(PARSERS), 0.3
    random.Random(tally.seed).shuffle(names)
    tried: set[str] = set()
    while not deadline() and tally.counts["inputs"] < goal:
        for index, name in enumerate(names):
            if deadline():
                break
            fuzz_parser(tally, name, tally.seed + index, share_s)
            tried.add(name)
        share_s = min(60.0, 2 * share_s)
    tally.counts["parsers"] = len(tried)


def fuzz_parser(tally: Tally, name: str, seed: int, seconds: float) -> None:
    """One parser in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="litetrack_campaign.") as folder:
        last = Path(folder) / "last"
        words = [sys.executable, __file__, name, str(seed), str(seconds), str(last)]
        done = subprocess.run(
            words, cwd=folder, capture_output=True, text=True, timeout=seconds + 120, check=False
        )
        found = [line for line in done.stdout.splitlines() if line.startswith(_RESULT)]
        if found:
            result = json.loads(found[-1].removeprefix(_RESULT))
            tally.counts["inputs"] += result["inputs"]
            tally.counts["accepted"] += result["accepted"]
            for fault in result["faults"]:
                tally.fault(f"{name}: {fault}")
        if done.returncode != 0:
            content = last.read_bytes() if last.exists() else b""
            tally.fault(
                f"{name} ended with {done.returncode} on {_shown(content)}: {done.stderr[-600:]}"
            )


def _shown(content: bytes) -> str:
    return base64.b64encode(content[:3000]).decode() + ("..." if len(content) > 3000 else "")


class _Target:
    """A parser that is given inputs, with the count of what it made of them."""

    def __init__(self, name: str, seconds: float, last: Path) -> None:
        from damaged_files import bound_memory
        from parsers import PARSERS

        self.parser = PARSERS[name]
        self.seeds = [seed[:_MOST_BYTES] for seed in self.parser.seeds()]
        self.inputs = self.accepted = 0
        self.faults: list[str] = []
        self._last = last
        bound_memory(5000)  # over what a length of 32 bits may ask for: that shows below
        self._idle_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self._end_s = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self._end_s

    def take(self, content: bytes) -> None:
        from parsers import accepted

        self._last.write_bytes(content)  # for the case that nothing comes after it
        self.inputs += 1
        began = time.monotonic()
        try:
            self.accepted += accepted(self.parser, content)
        except Exception as error:  # noqa: BLE001  # any other than the documented is a fault
            self._note(f"{type(error).__name__}: {error}", content)
        if (took_s := time.monotonic() - began) > _SLOW_S:
            self._note(f"{took_s:.1f} s", content)
        grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - self._idle_kb
        if grown_kb > _MOST_MB * 1000:
            self._idle_kb += grown_kb
            self._note(f"{grown_kb // 1000} MB", content)

    def _note(self, what: str, content: bytes) -> None:
        kinds = {fault.partition(":")[0] for fault in self.faults}
        if len(self.faults) < 5 and (what.partition(":")[0] not in kinds or len(kinds) > 5):
            self.faults.append(f"{what[:300]} on {_shown(content)}")

    def tell(self) -> None:
        result = {"inputs": self.inputs, "accepted": self.accepted, "faults": self.faults}
        print(_RESULT + json.dumps(result), flush=True)


def _by_chance(target: _Target, seed: int) -> None:
    from junk_mutations import mutate

    dice = random.Random(seed)
    pool = list(target.seeds)
    for content in pool:
        target.take(content)
    while not target.is_over:
        target.take(mutate(dice, dice.choice(pool), pool))


def _by_coverage(target: _Target, seed: int, corpus: Path) -> None:
    import atheris

    corpus.mkdir()
    for index, content in enumerate(target.seeds):
        (corpus / str(index)).write_bytes(content)

    def one(content: bytes) -> None:
        target.take(content)
        if target.is_over:
            target.tell()
            sys.stdout.flush()
            import os

            os._exit(0)  # libFuzzer has no other end that leaves the status alone

    arguments = [sys.argv[0], f"-seed={seed % 2**31 or 1}", f"-max_len={_MOST_BYTES}"]
    atheris.Setup([*arguments, "-timeout=60", "-rss_limit_mb=0", "-verbosity=0", str(corpus)], one)
    atheris.Fuzz()


def main(name: str, seed: int, seconds: float, last: Path) -> None:
    """Fuzz one parser and tell the counts."""
    if importlib.util.find_spec("atheris") is not None:
        import atheris

        # What is imported here is traced; nothing else need be.
        with atheris.instrument_imports(include=["litetrack_ros", "rosbags"]):
            importlib.import_module("parsers")
            for module in _TRACED.get(name, ()):
                importlib.import_module(module)
        target = _Target(name, seconds, last)
        _by_coverage(target, seed, last.with_name("corpus"))
        return
    target = _Target(name, seconds, last)
    _by_chance(target, seed)
    target.tell()


_TRACED = {
    "image headers": ["litetrack_ros.image_headers"],
    "compressed images": ["litetrack_ros.node.conversion"],
    "raw images": ["litetrack_ros.node.conversion"],
    "ONNX graphs": ["litetrack_ros.backends.onnx_protobuf"],
    "boxes": ["litetrack_ros.datasets.sequences"],
    "messages of bags": ["litetrack_ros.replay.bag_reader"],
    "manifests": ["litetrack_ros.manifest"],
    "recipes": ["litetrack_ros.training.recipe"],
    "authors' checkpoints": ["litetrack_ros.model.authors_checkpoints"],
    "weights": ["litetrack_ros.model.checkpoint"],
    "zip archives": ["litetrack_ros.datasets.containers"],
    "tar archives": ["litetrack_ros.datasets.containers"],
    "MCAP bags": ["rosbags.rosbag2", "litetrack_ros.replay.bag_reader"],
    "SQLite bags": ["rosbags.rosbag2", "litetrack_ros.replay.bag_reader"],
}

if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]))
