"""Runs the golden cases and the library; what they gave lies under ``test/golden/recorded``."""

import json
import os
import shlex
import shutil
from pathlib import Path
from typing import Any

import cv2
import golden_doors as doors
import numpy as np
from golden_cases import CASES, Case
from golden_inputs import write_checkpoint, write_inputs
from golden_values import RECORDED, digest, environment, read_value
from tracking_sets import made_set

__all__ = ["CASES", "Case"]
MODEL = RECORDED / "model" / "golden.safetensors"
SHIPPED_BACKENDS = ("torch", "onnx")
KINDS = {
    "pasted": {"natural": 0.0, "filmed": 0.0},
    "natural": {"natural": 1.0, "filmed": 0.0},
    "filmed": {"natural": 0.0, "filmed": 1.0},
    "default": {},
}


class Places:
    """The inputs, made once below a folder, and a folder for each case's outputs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names = write_inputs(root / "inputs")
        # A copy: what is recorded stays as it is, whatever a command does.
        shutil.copytree(RECORDED / "model", root / "model")
        self.names["model"] = str(root / "model" / MODEL.name)
        self.names["checkpoint"] = str(root / "official_b4.pth.tar")
        write_checkpoint(Path(self.names["checkpoint"]), doors.official_shapes("b4"))

    def path(self, name: str) -> Path:
        """A place by its name."""
        return Path(self.names[name])


def run_case(name: str, places: Places) -> dict[str, Any]:
    """Run a case's commands in this process.

    Returns:
        Its exit statuses and outputs, as plain values.
    """
    case = CASES[name]
    out = places.root / "out" / name
    out.mkdir(parents=True)
    for file in ("recipe.yaml", "model.yaml"):
        shutil.copy(RECORDED / file, out)
    words = {**places.names, "out": str(out)}
    before = Path.cwd()
    statuses = []
    os.chdir(out)
    try:
        for command in case.commands:
            cv2.setRNGSeed(0)  # some of OpenCV's trackers draw random numbers
            statuses.append(doors.litetrack([w.format(**words) for w in shlex.split(command)]))
            assert statuses[-1] in case.statuses, command
    finally:
        os.chdir(before)
    return {"statuses": statuses, **{k: read_value(how, out) for k, how in case.outputs.items()}}


def pair_digests(places: Places) -> dict[str, Any]:
    """Every array of training pairs of each kind, by kind and index."""
    pictures = places.path("pictures")
    sources: dict[str, Any] = {
        f"synthetic {kind}": doors.synthetic_pairs(pictures, 5, **shares)
        for kind, shares in KINDS.items()
    }
    made = [made_set(name) for name in ("one", "two", "photos")]
    on_disk = [doors.sequences_as_set(places.path("sequences"))]
    sources["drawn official"] = doors.tracking_pairs(made, "official", max_gap=50)
    sources["drawn exact"] = doors.tracking_pairs(made, "exact", max_gap=50, grey=0.5)
    sources["drawn from disk"] = doors.tracking_pairs(
        on_disk, "exact", max_gap=8, template_center_jitter=0.2, template_scale_jitter=0.1
    )
    # Few frames are visible: the gap must grow until one follows.
    sparse = made_set("two")
    sparse.entries = sparse.entries[1::2]
    sources["drawn sparse"] = doors.tracking_pairs([sparse], "exact", max_gap=2)
    large = [doors.sequences_as_set(places.path("large"))]
    sources["drawn reduced"] = doors.tracking_pairs(large, "official", search_scale_jitter=0.6)
    indices = [*range(10), 1000, 2**40]
    return {
        name: {str(k): _pair_digest(source.pair(k)) for k in indices}
        for name, source in sources.items()
    }


def _pair_digest(pair: Any) -> dict[str, Any]:
    fields = pair._asdict()
    present = fields.pop("present")
    arrays = {k: digest(v) for k, v in fields.items() if v is not None}
    return {"present": bool(present), **arrays}


def library_tracks(places: Places) -> dict[str, Any]:
    """Boxes, scores, responses and states of the library with each backend."""
    folder = places.path("target")
    frames = _frames(folder, 0)
    return {
        backend: {
            k: v.tolist()
            for k, v in doors.track(frames, [40, 60, 46, 34], str(MODEL), backend).items()
        }
        for backend in ("torch", "onnx")
    }


def shipped_tracks(sequence: Path) -> dict[str, np.ndarray]:
    """What the shipped model gives on a recorded sequence, keys ``torch_boxes_xywh`` and so on."""
    lines = (sequence / "groundtruth.txt").read_text().split("\n")
    frames = _frames(sequence, sum(bool(line.strip()) for line in lines))
    box = [float(word) for word in lines[0].split(",")]
    tracks = {b: doors.track(frames, box, doors.DEFAULT_MODEL, b) for b in SHIPPED_BACKENDS}
    return {f"{b}_{k}": v for b, track in tracks.items() for k, v in track.items()}


def _frames(sequence: Path, count: int) -> list[np.ndarray]:
    """Of the folder ``frames``, or the first ones of ``frames.mpg``."""
    if (sequence / "frames").is_dir():
        return [cv2.imread(str(path)) for path in sorted((sequence / "frames").iterdir())]
    capture = cv2.VideoCapture(str(sequence / "frames.mpg"))
    return [capture.read()[1] for _ in range(count)]


def sequences_folder() -> Path:
    """Where the recorded sequences lie, if they do."""
    default = RECORDED.parents[3] / "shared" / "sequences"
    return Path(os.environ.get("LITETRACK_SEQUENCES", default))


def read_recorded(name: str) -> Any:
    """A record's values."""
    return json.loads((RECORDED / "cases" / f"{name}.json").read_text())


def write_recorded(name: str, values: Any) -> None:
    """Replace a record."""
    path = RECORDED / "cases" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        json.dumps(values, separators=(",", ":"), sort_keys=True, allow_nan=False) + "\n"
    )


def record_library(places: Places) -> None:
    """Record what does not come from a command."""
    write_recorded("library_tracks", library_tracks(places))
    write_recorded("pairs", pair_digests(places))
    write_recorded("graph_metadata", graph_metadata())
    if sequences_folder().is_dir():
        found = {
            f"{folder.name}/{k}": v
            for folder in sorted(p for p in sequences_folder().iterdir() if p.is_dir())
            for k, v in shipped_tracks(folder).items()
        }
        np.savez_compressed(RECORDED / "shipped_tracks.npz", **found)


def graph_metadata() -> dict[str, Any]:
    """What the package reads from the recorded ONNX files."""
    return {
        role: doors.graph_metadata(MODEL.with_name(f"golden.{role}.onnx"))
        for role in ("template", "search")
    }


def record_environment() -> None:
    """Record what the values were made with."""
    text = json.dumps(environment(), indent=2) + "\n"
    (RECORDED / "environment.json").write_text(text)
