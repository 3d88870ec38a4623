"""What a tracker did on a sequence, and the files that hold it: a folder a tracker.

``NAME.txt`` has the boxes, ``x,y,w,h`` a line, and ``NAME_time.txt`` the seconds of each frame, as
most toolkits write them. ``NAME.csv`` beside them has the score, the candidate box, the state and
the candidate's score of every frame.

Other trackers' results are read too: ``NAME.txt``, ``NAME_001.txt`` and ``NAME/NAME_001.txt``, with
numbers parted by commas, tabs, blanks or semicolons. Where a tracker that is not deterministic ran
several times, ``NAME_002.txt`` and so on are its repetitions.
"""

import csv
import dataclasses
import glob
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from litetrack_ros.datasets.sequences import format_boxes, read_boxes
from litetrack_ros.errors import DatasetError
from litetrack_ros.files import make_folder, write_text
from litetrack_ros.geometry import FloatArray
from litetrack_ros.tracker.state import State

ABOUT_FILE = "tracker.json"  # which tracker a folder is of
_CANDIDATE_SCORE = "candidate_score"  # the last column; results written before have none
_COLUMNS = (
    *("score", "candidate_x", "candidate_y", "candidate_w", "candidate_h", "state"),
    _CANDIDATE_SCORE,
)


@dataclass(frozen=True)
class SequenceRun:
    """What a tracker did on a sequence of T frames.

    Of results that hold boxes only, the candidates are the boxes, the scores NaN, the states
    TRACKING.

    Attributes:
        name: the sequence's.
        boxes_xywh: ``(T, 4)`` float64, px, the init box first.
        scores: of the boxes, ``(T,)`` float64; NaN where the tracker gave none.
        candidate_boxes_xywh: what the tracker pointed at, trusted or not, ``(T, 4)`` float64, px.
        candidate_scores: of these, ``(T,)`` float64; NaN where the tracker gave none.
        states: values of :class:`litetrack_ros.tracker.state.State`, ``(T,)`` int64.
        call_s: seconds spent in the tracker, ``(T,)``, reading images not in it; empty where they
            are not known.
    """

    name: str
    boxes_xywh: FloatArray
    scores: FloatArray
    candidate_boxes_xywh: FloatArray
    candidate_scores: FloatArray
    states: npt.NDArray[np.int64]
    call_s: FloatArray

    @property
    def update_s(self) -> float:
        """Seconds of all updates together, 0 where they are not known."""
        return float(self.call_s[1:].sum())

    @property
    def fps(self) -> float:
        """Updates a second; NaN where times are not known."""
        return (len(self.call_s) - 1) / self.update_s if self.update_s > 0 else float("nan")


def boxes_only(name: str, boxes_xywh: FloatArray, call_s: FloatArray | None = None) -> SequenceRun:
    """A run of which only the boxes ``(T, 4)``, and perhaps the times ``(T,)``, are known."""
    return SequenceRun(
        name,
        boxes_xywh,
        np.full(len(boxes_xywh), np.nan),
        boxes_xywh,
        np.full(len(boxes_xywh), np.nan),
        np.full(len(boxes_xywh), int(State.TRACKING)),
        np.empty(0) if call_s is None else call_s,
    )


def result_path(folder: Path, name: str) -> Path | None:
    """The file of a sequence's boxes in a tracker's folder, or None."""
    # pytracking and OTB's toolbox differ in how they call a second target: Jogging.2, Jogging-2.
    for stem in (name, name.replace(".", "-"), name.replace(".", "_")):
        for candidate in (f"{stem}.txt", f"{stem}_001.txt", f"{stem}/{stem}_001.txt"):
            if (folder / candidate).is_file():
                return folder / candidate
    return None


def read_run(folder: Path, name: str) -> SequenceRun:
    """A tracker's result on a sequence.

    Raises:
        DatasetError: there is none, or a file of it does not hold what it should.
    """
    path = result_path(folder, name)
    if path is None:
        raise DatasetError(f"{folder} has no result for the sequence {name} ({name}.txt)")
    run = boxes_only(name, read_boxes(path), _read_times(folder, name, path))
    frames = path.with_suffix(".csv")
    return _with_frames(run, frames) if frames.is_file() else run


def read_repetitions(folder: Path, name: str) -> list[SequenceRun]:
    """All of a tracker's runs on a sequence; times are the mean of all.

    Raises:
        DatasetError: as :func:`read_run`.
    """
    first = read_run(folder, name)
    path = result_path(folder, name)
    if path is None or not path.name.endswith("_001.txt"):
        return [first]
    stem = path.name.removesuffix("001.txt")
    others = sorted(p for p in path.parent.glob(f"{glob.escape(stem)}[0-9][0-9][0-9].txt"))
    return [first, *(boxes_only(name, read_boxes(p), first.call_s) for p in others if p != path)]


def write_run(folder: Path, run: SequenceRun) -> None:
    """Write a run's files; the boxes come last, so that a sequence with them is finished.

    Args:
        folder: of the tracker; it exists.
        run: what to write.

    Raises:
        MediaError: a file cannot be written.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    said = (run.scores, run.candidate_boxes_xywh, run.states, run.candidate_scores)
    for score, candidate, state, own in zip(*(part.tolist() for part in said), strict=True):
        rows.writerow([repr(score), *map(repr, candidate), State(state).name, repr(own)])
    write_text(folder / f"{run.name}_time.txt", "".join(f"{t:.8f}\n" for t in run.call_s))
    write_text(folder / f"{run.name}.csv", text.getvalue())
    write_text(folder / f"{run.name}.txt", format_boxes(run.boxes_xywh))


def finished_run(folder: Path, name: str, frames: int) -> SequenceRun | None:
    """The run on a sequence of so many frames, where its result is complete."""
    try:
        boxes = len(read_boxes(folder / f"{name}.txt"))
        return read_run(folder, name) if boxes == frames else None
    except DatasetError:
        return None


def claim_folder(folder: Path, about: Mapping[str, str]) -> None:
    """Make a folder for one tracker's results, or see that it is of the same tracker.

    Args:
        folder: made if needed; a file in it says which tracker it is of.
        about: what makes the tracker's results its own, such as the hash of its weights.

    Raises:
        DatasetError: it holds results of another tracker.
        MediaError: it cannot be written.
    """
    make_folder(folder)
    path = folder / ABOUT_FILE
    if not path.is_file():
        write_text(path, json.dumps(about, indent=2) + "\n")
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"cannot read which tracker {folder} is of: {error}") from error
    if found != dict(about):
        raise DatasetError(
            f"{folder} holds results of another tracker ({path}): give another folder"
        )


def _with_frames(run: SequenceRun, path: Path) -> SequenceRun:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            header, *rows = csv.reader(stream)
        columns = (_COLUMNS, _COLUMNS[:-1])
        if tuple(header) not in columns or len(rows) != len(run.boxes_xywh):
            raise ValueError(f"{len(rows)} rows for {len(run.boxes_xywh)} boxes")
        numbers = np.array([[float(v) for v in row[:5]] for row in rows])
        states = np.array([int(State[row[5]]) for row in rows])
        # Without the column, the score stands for the candidate's too, as it did then.
        own = [float(row[6 if _CANDIDATE_SCORE in header else 0]) for row in rows]
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise DatasetError(
            f"{path} does not fit the boxes beside it ({error}): run it again"
        ) from error
    return dataclasses.replace(
        run,
        scores=numbers[:, 0],
        candidate_boxes_xywh=numbers[:, 1:],
        candidate_scores=np.array(own),
        states=states,
    )


def _read_times(folder: Path, name: str, result: Path) -> FloatArray | None:
    """Seconds of each frame, ``(T,)``, or None where they were not written.

    A line holds one number, or one for each repetition, of which the mean is taken.
    """
    places = (f / f"{name}_time.txt" for f in (result.parent, folder))
    path = next((p for p in places if p.is_file()), None)
    if path is None:
        return None
    try:
        lines = path.read_text(encoding="utf-8").replace(",", " ").splitlines()
        rows = (line.split() for line in lines)
        return np.array([np.mean([float(seconds) for seconds in row]) for row in rows if row])
    except ValueError as error:
        raise DatasetError(f"{path} does not hold a number a frame: {error}") from error
