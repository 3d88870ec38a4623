"""Reads what a command left, as plain values by name, and compares them with recorded ones.

Numbers are compared to 1e-6, relative above 1; arrays by the hash of their bytes. Both hold where
the machine is of the recorded kind and the libraries are those recorded
(:func:`difference_of_environments`); elsewhere numbers are compared to 1e-2, and arrays by their
shapes, types, means and spreads.

Left out are figures that depend on time or machine, by their names: :data:`VARYING`.
"""

import csv
import hashlib
import importlib.metadata
import json
import platform
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

RECORDED = Path(__file__).resolve().parents[1] / "golden" / "recorded"
# 1e-6, with room for the binary form of a difference in the sixth digit.
TOLERANCE, LOOSE_TOLERANCE = 1.001e-6, 1e-2
GREY_LEVELS = 2.0  # between means and spreads of pictures that other libraries made

# Versions, paths, dates, machines, rates and durations; what the node says of itself while it
# runs (its topic's name holds a process number).
VARYING = re.compile(
    r".*version|package|model_path|path|date|machine|cpu.*|cores|system|python|.*fps|.*_per_s|"
    r".*rate_hz|.*_ms|.*_s|.*_mb|.*_bytes|latency.*|.*stamp.*|bag|weights_sha256|.*jitter.*|"
    r"ROS_DISTRO|RMW_IMPLEMENTATION|FAST.*|frames_late|utc|command|.*memory.*|.*percent|gpu_power_w|"
    r"diagnostics|provenance"
)


def environment() -> dict[str, str]:
    """What bytes and last digits depend on: the processor's kind and the libraries."""
    packages = ("numpy", "torch", "onnxruntime", "onnx")
    found = {name: _version(name) for name in packages}
    flags = set(re.findall(r"avx2|avx512f|amx_tile", _cpu_text()))
    vendor = re.search(r"vendor_id\s*:\s*(\S+)", _cpu_text())
    kind = [platform.machine(), vendor[1] if vendor else "", *sorted(flags)]
    return {"cpu": " ".join(kind), "cv2": cv2.__version__, **found}


def difference_of_environments(*names: str) -> str:
    """In what this machine is not like the recorded one; empty where it is.

    Args:
        names: of what counts beside the processor; all by default.
    """
    recorded = json.loads((RECORDED / "environment.json").read_text())
    found = environment()
    counted = {"cpu", *names} if names else set(found)
    parts = [f"{k} is {found[k]}, recorded with {recorded[k]}" for k in sorted(counted)
             if found[k] != recorded[k]]  # fmt: skip
    return "; ".join(parts)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _cpu_text() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.is_file() else ""


def read_value(how: str, folder: Path) -> Any:
    """Read one output: the name of a reader below, and a path below the case's folder."""
    reader, path = how.split()
    return READERS[reader](folder / path)


def rows(path: Path) -> list[list[float | None]]:
    """Numbers of a text file, a list a line."""
    lines = [re.split(r"[,\t ]+", line) for line in path.read_text().split("\n") if line]
    return [[_finite(float(word)) for word in line] for line in lines]


def read_json(path: Path) -> Any:
    """A JSON file without what varies."""
    return _steady(json.loads(path.read_text()))


def keys(path: Path) -> Any:
    """The names in a JSON file, nested, without values; of a list the first entry's.

    What describes the machine has other names on another machine.
    """
    return _names(json.loads(path.read_text()))


def table(path: Path) -> dict[str, list[Any]]:
    """Columns of a CSV file by their titles, without what varies."""
    with path.open(newline="") as stream:
        found = list(csv.DictReader(stream))
    return {
        title: [_number(row[title]) for row in found]
        for title in (found[0] if found else {})
        if not VARYING.fullmatch(title)
    }


def names(path: Path) -> list[str]:
    """Files below a folder."""
    # TensorBoard names its files after the time and the machine.
    files = [p for p in path.rglob("*") if p.is_file() and "tensorboard" not in p.parts]
    return sorted(p.relative_to(path).as_posix() for p in files)


def picture(path: Path) -> dict[str, Any]:
    """A picture's pixels."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert pixels is not None, path
    return digest(pixels)


def pictures(path: Path) -> dict[str, Any]:
    """Every picture below a folder."""
    return {name: picture(path / name) for name in names(path) if name.endswith(".png")}


def video(path: Path) -> dict[str, Any]:
    """The frames of a video, and its rate."""
    capture = cv2.VideoCapture(str(path))
    rate, frames = capture.get(cv2.CAP_PROP_FPS), []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return {"rate": rate, "frames": digest(np.stack(frames))}


def archive(path: Path) -> dict[str, Any]:
    """Numbers of the text files in a zip; of files of times only how many."""
    content = {}
    with zipfile.ZipFile(path) as packed:
        for name in packed.namelist():
            text = [line.split(",") for line in packed.read(name).decode().split()]
            is_times = name.endswith("_time.txt")
            content[name] = len(text) if is_times else [[float(v) for v in row] for row in text]
    return content


def weights(path: Path) -> dict[str, Any]:
    """Tensors and metadata of a weights file."""
    from safetensors import safe_open

    with safe_open(path, "np") as opened:
        metadata = {k: _parsed(v) for k, v in (opened.metadata() or {}).items()}
        tensors = {name: digest(opened.get_tensor(name)) for name in sorted(opened.keys())}
    return {"metadata": _steady(metadata), "tensors": tensors}


def graphs(path: Path) -> dict[str, Any]:
    """Both graphs of an exported model: what they say of themselves, take, and answer."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    content: dict[str, Any] = {}
    cached: dict[str, np.ndarray] = {}
    for role in ("template", "search"):
        file = path.with_name(f"{path.name}.{role}.onnx")
        session = onnxruntime.InferenceSession(
            str(file), options, providers=["CPUExecutionProvider"]
        )
        feed = {entry.name: cached[entry.name] if entry.name in cached else _feed(entry, role)
                for entry in session.get_inputs()}  # fmt: skip
        answers = session.run(None, feed)
        ports = {"inputs": session.get_inputs(), "outputs": session.get_outputs()}
        described = {k: {e.name: [e.type, *map(str, e.shape)] for e in v} for k, v in ports.items()}
        metadata = session.get_modelmeta().custom_metadata_map
        cached = {e.name: a for e, a in zip(session.get_outputs(), answers, strict=True)}
        content[role] = {
            **described,
            "metadata": _steady({k: _parsed(v) for k, v in sorted(metadata.items())}),
            "answers": {
                k: np.asarray(v, np.float64).ravel()[:64].tolist() for k, v in cached.items()
            },
        }
    return content


def bag(path: Path) -> dict[str, Any]:
    """Topics with their types and counts, and when the recorded ones' messages follow, ns."""
    from rosbags.highlevel import AnyReader

    with AnyReader([path]) as reader:
        topics = {c.topic: [c.msgtype, c.msgcount] for c in reader.connections}
        stamps: dict[str, list[int]] = {}
        for connection, stamp_ns, _ in reader.messages():
            stamps.setdefault(connection.topic, []).append(stamp_ns)
    steps = {name: np.diff(values).tolist() for name, values in sorted(stamps.items())
             if not name.startswith("/litetrack")}  # fmt: skip
    return {"topics": dict(sorted(topics.items())), "steps_ns": steps}


READERS: dict[str, Callable[[Path], Any]] = {
    "rows": rows,
    "json": read_json,
    "keys": keys,
    "table": table,
    "names": names,
    "picture": picture,
    "pictures": pictures,
    "video": video,
    "archive": archive,
    "weights": weights,
    "graphs": graphs,
    "bag": bag,
}


def digest(array: np.ndarray) -> dict[str, Any]:
    """An array's hash, and enough to tell something near it from something else."""
    values = np.asarray(array, np.float64)
    return {
        "dtype": str(array.dtype),
        "shape": list(array.shape),
        "sha256": hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest(),
        "mean": float(values.mean()),
        "spread": float(values.std()),
    }


def differences(found: Any, recorded: Any, exact: bool, place: str = "") -> list[str]:
    """Where values differ from the recorded ones, a line each.

    Args:
        found, recorded: dictionaries, lists, numbers, texts, None; nested.
        exact: the environment is the recorded one.
        place: of the values, for the lines.
    """
    if isinstance(found, Mapping) and isinstance(recorded, Mapping):
        lines = [f"{place}: {k} is new" for k in found.keys() - recorded.keys()]
        lines += [f"{place}: {k} is missing" for k in recorded.keys() - found.keys()]
        is_digest = "sha256" in recorded and "spread" in recorded
        for key in found.keys() & recorded.keys():
            if is_digest and key == "sha256" and not exact:
                continue
            if is_digest and key in ("mean", "spread") and not exact:
                if abs(found[key] - recorded[key]) > GREY_LEVELS:
                    lines.append(f"{place}/{key}: {found[key]}, recorded {recorded[key]}")
                continue
            lines += differences(found[key], recorded[key], exact, f"{place}/{key}")
        return sorted(lines)
    if isinstance(found, list) and isinstance(recorded, list):
        if len(found) != len(recorded):
            return [f"{place}: {len(found)} entries, recorded {len(recorded)}"]
        pairs = enumerate(zip(found, recorded, strict=True))
        return [line for k, (a, b) in pairs for line in differences(a, b, exact, f"{place}/{k}")]
    if _is_number(found) and _is_number(recorded):
        tolerance = TOLERANCE if exact else LOOSE_TOLERANCE
        near = abs(found - recorded) <= tolerance * max(1.0, abs(recorded))
    else:
        near = found == recorded
    return [] if near else [f"{place}: {found!r}, recorded {recorded!r}"]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _steady(value: Any) -> Any:
    """Without what varies."""
    if isinstance(value, dict):
        return {k: _steady(v) for k, v in value.items() if not VARYING.fullmatch(k)}
    return [_steady(v) for v in value] if isinstance(value, list) else value


def _names(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: None if k == "machine" else _names(v) for k, v in value.items()}
    return [_names(value[0])] if isinstance(value, list) and value else None


def _parsed(text: str) -> Any:
    """A JSON text in metadata, or the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _number(text: str) -> Any:
    try:
        return _finite(float(text))
    except ValueError:
        return text


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _feed(entry: Any, role: str) -> np.ndarray:
    """An input for a graph, the same at every time."""
    shape = [size if isinstance(size, int) else 1 for size in entry.shape]
    if len(shape) == 2:
        return np.tile(np.float32([0.21, 0.27, 0.78, 0.73]), (shape[0], 1))
    rng = np.random.RandomState(len(role))
    return rng.randint(0, 256, shape).astype(np.uint8)
