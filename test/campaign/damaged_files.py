"""Damaged model files and hostile files of every other kind, read in processes that may die."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import resource
import shutil
import struct
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from junk_mutations import mutate
from tally import Tally

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import DEFAULT_MODEL, ModelChoice
from litetrack_ros.errors import LiteTrackError
from litetrack_ros.manifest import file_sha256
from litetrack_ros.resources import model_path
from litetrack_ros.tracker.tracker import Tracker

_BATCH = 25  # cases a process
_SLOW_S, _MOST_MB = 20.0, 1500
# Which backend reads which of a model's files.
_READ_BY = {
    "safetensors": "torch",
    "search.onnx": "onnx",
    "template.onnx": "onnx",
    "weights.bin": "onnx",
}
Case = Callable[[], str]


def in_children(tally: Tally, cases: Iterator[tuple[str, Case]], over: Callable[[], bool]) -> None:
    """Carry out cases in forked processes: each gives an outcome to count, or is a fault.

    Args:
        tally: takes outcomes and faults.
        cases: what makes a case again, and the case, which gives a word or raises.
        over: whether to stop.
    """
    batch: list[tuple[str, Case]] = []
    for case in cases:
        batch.append(case)
        if len(batch) == _BATCH:
            _run_batch(tally, batch)
            batch = []
        if over():
            break
    _run_batch(tally, batch)


def _run_batch(tally: Tally, batch: list[tuple[str, Case]]) -> None:
    while batch:
        reader, writer = os.pipe()
        if (pid := os.fork()) == 0:
            os.close(reader)
            _carry_out(batch, writer)
        os.close(writer)
        with os.fdopen(reader) as lines:
            done = [json.loads(line) for line in lines]
        _, status, usage = os.wait4(pid, 0)
        tally.counts["highest memory, MB"] = max(
            tally.counts["highest memory, MB"], usage.ru_maxrss // 1000
        )
        for outcome, fault in done:
            tally.counts[outcome] += 1
            if fault:
                tally.fault(fault)
        if status == 0:
            return
        name = batch[len(done)][0] if len(done) < len(batch) else "the end"
        tally.fault(f"{name} ended the process with {os.waitstatus_to_exitcode(status)}")
        batch = batch[len(done) + 1 :]


def _carry_out(batch: list[tuple[str, Case]], writer: int) -> None:
    """In the child: write a line a case, and end."""
    bound_memory()
    idle_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, case in batch:
        began, fault = time.monotonic(), ""
        try:
            outcome = case()
            if outcome.startswith("fault"):
                fault = f"{name}: {outcome}"
        except Exception:  # noqa: BLE001  # any other than the documented is a fault
            outcome, fault = "undocumented errors", f"{name}: {traceback.format_exc()[-600:]}"
        if (took_s := time.monotonic() - began) > _SLOW_S:
            fault = fault or f"{name} took {took_s:.1f} s"
        grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle_kb) / 1000
        if grown_mb > _MOST_MB:
            fault, idle_kb = (
                fault or f"{name} took {grown_mb:.0f} MB",
                idle_kb + int(1000 * grown_mb),
            )
        os.write(writer, (json.dumps([outcome[:60], fault]) + "\n").encode())
    os._exit(0)


def bound_memory(more_mb: int = _MOST_MB + 1000) -> None:
    """Let this process have so much more, not all that the machine has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + more_mb * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def models(tally: Tally, goal: int, deadline: Callable[[], bool]) -> None:
    """One damage a model: with its manifest it is refused, without one nothing wrong comes out."""
    shipped = model_path(f"{DEFAULT_MODEL}.safetensors").parent
    with tempfile.TemporaryDirectory(prefix="litetrack_campaign.") as folder:
        cases = _model_cases(tally.seed, goal, shipped, Path(folder))
        in_children(tally, cases, deadline)
    hashing_share(tally)


def hashing_share(tally: Tally) -> None:
    """How much of a load's time goes into hashes: a tenth at most."""
    # In a process of its own: what a library starts in this one would not survive the forks.
    with ProcessPoolExecutor(1, get_context("spawn")) as other:
        for backend, percent in other.submit(_hashing_shares).result().items():
            tally.counts[f"% of loading with {backend} is hashing"] = round(percent)


def _hashing_shares() -> dict[str, float]:
    folder = model_path(f"{DEFAULT_MODEL}.safetensors").parent
    shares = {}
    for backend in ("torch", "onnx"):
        names = [name for name, by in _READ_BY.items() if by == backend]
        open_backend(ModelChoice(backend=backend))  # imports, and files into the cache
        loads_s, hashes_s = [], []
        for _ in range(5):
            began = time.perf_counter()
            open_backend(ModelChoice(backend=backend))
            loads_s.append(time.perf_counter() - began)
            began = time.perf_counter()
            for name in names:
                file_sha256(folder / f"{DEFAULT_MODEL}.{name}")
            hashes_s.append(time.perf_counter() - began)
        shares[backend] = 100 * min(hashes_s) / min(loads_s)
    return shares


def _model_cases(seed: int, goal: int, shipped: Path, folder: Path) -> Iterator[tuple[str, Case]]:
    for index in range(goal):
        dice = random.Random(seed * 1_000_003 + index)
        yield (
            f"damaged model {index} of seed {seed}",
            lambda dice=dice: _damage_and_open(dice, shipped, folder),
        )


def _damage_and_open(dice: random.Random, shipped: Path, folder: Path) -> str:
    for path in shipped.glob(f"{DEFAULT_MODEL}.*"):
        if not path.name.endswith(".md"):
            shutil.copy(path, folder)
    name = dice.choice([*_READ_BY, "sha256"])
    path = folder / f"{DEFAULT_MODEL}.{name}"
    before = path.read_bytes()
    path.write_bytes(after := _damage(dice, before))
    is_hashed = dice.random() < 0.8
    if not is_hashed:
        (folder / f"{DEFAULT_MODEL}.sha256").unlink()
    backend = dice.choice(("auto", _READ_BY.get(name, "onnx")))
    try:
        opened = open_backend(
            ModelChoice(str(folder / f"{DEFAULT_MODEL}.safetensors"), backend, threads=1)
        )
    except LiteTrackError as error:
        if "export" in str(error) and "damaged" in str(error) and name == "safetensors":
            return f"fault: advises to spread the damage: {error}"
        return "refused"
    if after == before or opened.info.backend != _READ_BY.get(name, opened.info.backend):
        return "not touched"
    if name == "sha256":
        return "manifest damaged, files sound"
    if is_hashed:
        return f"fault: {name} is damaged and used"
    if opened.info.is_verified:
        return f"fault: {name} has no hash and is called verified"
    image = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    tracker = Tracker(opened)
    try:
        tracker.init(image, (40, 30, 50, 40))
    except LiteTrackError:
        return "unverified, refused to start"
    for _ in range(3):
        result = tracker.update(image)
        if result is not None and not np.isfinite([*result.box_xywh, result.score]).all():
            return f"fault: not finite after damage to {name}"
    return "unverified, finite boxes"


def _damage(dice: random.Random, content: bytes) -> bytes:
    kind = dice.randrange(5)
    at = dice.randrange(len(content))
    if kind < 2:
        return content[:at] + bytes([content[at] ^ (1 << dice.randrange(8))]) + content[at + 1 :]
    if kind == 2:
        return content[:at]
    if kind == 3:
        end = min(len(content), at + 4096)
        return content[:at] + bytes(end - at) + content[end:]
    return content + dice.randbytes(dice.randrange(1, 100))


def others(tally: Tally, goal: int, deadline: Callable[[], bool]) -> None:
    """Checkpoints, recipes, archives, bags and lists that were made to do harm, or mutated."""
    with tempfile.TemporaryDirectory(prefix="litetrack_campaign.") as folder:
        canary = Path(folder) / "canary"
        in_children(tally, _hostile_cases(tally.seed, goal, canary), deadline)
        tally.check(not canary.exists(), "something that was read was executed")


class _Executes:
    """Runs a command when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self._command = f"touch '{canary}'"

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self._command,)


def _hostile_cases(seed: int, goal: int, canary: Path) -> Iterator[tuple[str, Case]]:
    from parsers import PARSERS, accepted

    def case(name: str, content: bytes) -> Case:
        return lambda: "read" if accepted(PARSERS[name], content) else "refused"

    for index, (name, content) in enumerate(_made_to_harm(canary)):
        yield f"hostile {index} ({name})", case(name, content)
    slow = [name for name, parser in PARSERS.items() if not parser.is_quick]
    seeds = {name: PARSERS[name].seeds() for name in slow}
    for index in range(goal):
        dice = random.Random(seed * 1_000_003 + index)
        name = slow[index % len(slow)]
        content = mutate(dice, dice.choice(seeds[name]), seeds[name])
        yield f"mutated {index} of seed {seed} ({name})", case(name, content)


def _made_to_harm(canary: Path) -> Iterator[tuple[str, bytes]]:
    from parsers import tar_of, zip_of

    checkpoint = "authors' checkpoints"
    for protocol in (0, 2, 4):
        pickled = pickle.dumps({"net": _Executes(canary)}, protocol)
        yield checkpoint, zip_of(("archive/data.pkl", pickled), ("archive/version", b"3"))
        yield checkpoint, pickled
    # A list that holds itself in itself, a memo of 2^62 entries, a string of 2^62 bytes.
    for opcodes in (
        b"\x80\x02" + b"(" * 100_000,
        b"\x80\x02]r\xff\xff\xff\x7f.",
        b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x.",
        b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b".",
        b"\x80\x02cposix\nsystem\nX\x02\0\0\0ls\x85R.",
        b"\x80\x02cbuiltins\neval\n(X\x01\0\0\x001tR.",
    ):
        yield checkpoint, zip_of(("archive/data.pkl", opcodes), compression=zipfile.ZIP_STORED)
    yield (
        checkpoint,
        zip_of(("archive/data.pkl", b"\x80\x02}."), ("archive/data/0", bytes(200 << 20))),
    )
    yield "zip archives", zip_of(("../../../tmp/escaped", b"x"), ("/etc/absolute", b"x"))
    yield "zip archives", zip_of(*((f"{k}.jpg", b"") for k in range(20_000)))
    yield "zip archives", zip_of(("nested.zip", zip_of(("a", bytes(10 << 20)))))
    yield "tar archives", tar_of(("../../escaped", b"x"), ("/absolute", b"x"))
    yield "tar archives", tar_of(*((f"{k}.jpg", b"") for k in range(5_000)))
    yield "tar archives", b"\0" * 10240
    laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for one, two in zip("abcdefghi", "bcdefghij", strict=True):
        laughs += f"{two}: &{two} [{', '.join(['*' + one] * 9)}]\n"
    links = zip("abcdefgh", "bcdefghi", strict=True)
    inner = ", ".join(f"&{two} [{', '.join(['*' + one] * 9)}]" for one, two in links)
    for text in (
        laughs,
        f"steps: [&a [x, x, x], {inner}]\nmodel: nano\n",
        "model: &a [*a]\nsteps: 3\n",
        f"model: !!python/object/apply:os.system [touch {canary}]\n",
        f"model: !!python/object/new:os.system [touch {canary}]\n",
        "[" * 5000,
        "model: " + "{a: " * 3000,
        "base: /dev/zero\n",
        "base: file.yaml\n",
        "model: nano\nsteps: " + "9" * 5000 + "\n",
        "? " * 2000,
        "model: nano\nsteps: .nan\n",
        "\ufeffmodel: [1, 2\n",
        "model: nano\nsteps: 2022-01-01\n",
    ):
        yield "recipes", text.encode()
    for text in ("1,2,3,4\n" * 200_000, "9" * 100_000, "1,2,3\n", "0x1,2,3,4", "1e999,0,0,0", "\0"):
        yield "boxes", text.encode()
    for text in (
        "[" * 100_000,
        '{"a":' * 50_000,
        "9" * 100_000,
        "NaN",
        '{"name": "\\ud800"}',
        "{}",
    ):
        yield "stored settings", text.encode()
    yield "manifests", (b"0" * 64 + b"  a\n") * 100_000
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**31, 2**31], "data_offsets": [0, 4]}})
    for size in (len(header), 2**63 - 1, 0, 100_000_000):
        yield "weights", struct.pack("<Q", size) + header.encode() + bytes(4)
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3))
    yield checkpoint, buffer.getvalue()
