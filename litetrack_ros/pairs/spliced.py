"""Absences made of real sequences: one is shown, then another for a while, then the first goes on.

The ground truth holds by construction, and no target is pasted into a picture. When the first goes
on, its picture lies elsewhere on a canvas larger than itself, or is mirrored, so that the target is
not found by waiting where it was. Half of the sequences shown between have a target of the same
class. Which classes a sequence shows is told by a table (``config/datasets/scenes.yaml``).
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from litetrack_ros.datasets.sequences import GROUND_TRUTH, AnnotatedSequence, format_boxes
from litetrack_ros.errors import ConfigError
from litetrack_ros.files import make_folder, write_text
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Image, Uint8Image, to_bgr8
from litetrack_ros.media.writers import write_image
from litetrack_ros.opencv import cv2
from litetrack_ros.settings import from_mapping, read_yaml
from litetrack_ros.version import __version__

Rng = np.random.Generator

_SOURCE = "SOURCE.txt"
_JPEG_QUALITY = 80
_INSERTED = (30, 90)  # frames, both included
_CUT = (0.35, 0.55)  # of the first sequence's frames
_SEEN_AROUND = 5  # frames with the target before and after the cut
_CANVAS = (1.25, 1.5)  # over the picture's size
_SHIFT = (0.4, 0.6)  # of the room, along both axes; beyond its end it begins anew


@dataclass(frozen=True)
class Scene:
    """What a sequence shows.

    Attributes:
        target: the target's class.
        others: classes of other objects in the picture, parted by blanks.
        place: sequences of one place may show the same objects and are never spliced; empty is the
            sequence's own.
    """

    target: str
    others: str = ""
    place: str = ""


@dataclass(frozen=True)
class Splice:
    """A spliced sequence, whose frames are read when iterated over.

    Attributes:
        name: tells both sequences and whether their targets are of one class.
        first: whose target is tracked.
        other: what is shown while it is absent.
        cut: frames of the first before it is.
        shown: which frames of the other are.
        canvas_px: width and height.
        size_px: width and height of the first's picture.
        corners_xy: where the picture's top-left corner lies before and after, ``(2, 2)``, px.
        mirrored: whether left and right are exchanged after.
    """

    name: str
    first: AnnotatedSequence
    other: AnnotatedSequence
    cut: int
    shown: range
    canvas_px: tuple[int, int]
    size_px: tuple[int, int]
    corners_xy: tuple[tuple[int, int], tuple[int, int]]
    mirrored: bool

    @property
    def boxes_xywh(self) -> FloatArray:
        """The target's box in each frame, canvas pixels, ``(T, 4)``; NaN where it is absent."""
        before, after = self.first.boxes_xywh[: self.cut], self.first.boxes_xywh[self.cut :].copy()
        if self.mirrored:
            after[:, 0] = self.size_px[0] - after[:, 0] - after[:, 2]
        before, after = (
            boxes + np.array([*corner, 0, 0])
            for boxes, corner in zip((before, after), self.corners_xy, strict=True)
        )
        return np.concatenate([before, np.full((len(self.shown), 4), np.nan), after])

    def frames(self) -> Iterator[Uint8Image]:
        """Frames in order, BGR, all as large as the canvas.

        Raises:
            MediaError, DatasetError: a frame of either sequence cannot be read.
        """
        images = (to_bgr8(frame.image) for frame in self.first.frames())
        opening = next(images)
        # One colour around the picture: a pattern there could be taken for a target.
        fill = opening.mean(axis=(0, 1)).round().astype(np.uint8)
        for image in itertools.chain([opening], itertools.islice(images, self.cut - 1)):
            yield self._on_canvas(image, self.corners_xy[0], fill)
        others = itertools.islice(self.other.frames(), self.shown.start, self.shown.stop)
        box = self.other.boxes_xywh[self.shown.start]
        for frame in others:
            yield _fill_canvas(frame.image, box, self.canvas_px)
        for image in images:
            turned = image[:, ::-1] if self.mirrored else image
            yield self._on_canvas(turned, self.corners_xy[1], fill)

    def _on_canvas(
        self, image: Uint8Image, corner: tuple[int, int], fill: Uint8Image
    ) -> Uint8Image:
        (x, y), (width, height) = corner, self.size_px
        canvas = np.empty((self.canvas_px[1], self.canvas_px[0], 3), np.uint8)
        canvas[:] = fill
        canvas[y : y + height, x : x + width] = image
        return canvas

    @property
    def source(self) -> str:
        """What it was made of, in words, with what is known of both sequences."""
        (x, y), (after_x, after_y) = self.corners_xy
        width, height = self.canvas_px
        turned = ", left and right exchanged" if self.mirrored else ""
        lines = [
            f"Spliced by litetrack_ros {__version__}: frames 0 to {self.cut - 1} of "
            f"{self.first.name} with the corner at ({x}, {y}) of a canvas of {width}x{height}; "
            f"frames {self.shown.start} to {self.shown.stop - 1} of {self.other.name} in place of "
            f"it, the target absent; then the first goes on from frame {self.cut} with the corner "
            f"at ({after_x}, {after_y}){turned}. Frames count from 0.",
        ]
        for sequence in (self.first, self.other):
            path = sequence.folder / _SOURCE
            known = path.read_text(encoding="utf-8") if path.is_file() else "nothing more is known"
            lines += [f"{sequence.name}:", *(f"  {line}" for line in known.splitlines())]
        return "\n".join(lines) + "\n"


def read_scenes(path: Path) -> dict[str, Scene]:
    """The table of what sequences show, by their names.

    Raises:
        ConfigError: no such file, or not such a table.
    """
    rows = read_yaml(path)
    for name, row in rows.items():
        if not isinstance(row, Mapping) or "target" not in row:
            raise ConfigError(f"{path}: {name} must hold the class of its target (target: person)")
    return {name: from_mapping(Scene, row, f"{path}: {name}") for name, row in rows.items()}


def draw_splices(
    sequences: Sequence[AnnotatedSequence], scenes: Mapping[str, Scene], seed: int, count: int
) -> list[Splice]:
    """Choose what is spliced where; the same seed gives the same.

    Every second splice shows a target of the same class, the others show no object of that class.
    Of either kind every second goes on elsewhere on the canvas, the others mirrored.

    Args:
        sequences: what to make them of.
        scenes: what each of them shows.
        seed: of all choices.
        count: how many.

    Raises:
        ConfigError: a sequence is not in the table, or no two fit together.
        DatasetError: a first frame cannot be read.
    """
    missing = [sequence.name for sequence in sequences if sequence.name not in scenes]
    if missing:
        raise ConfigError(f"the table of scenes does not tell what {missing[0]} shows")
    orders = []
    for number, same in enumerate((True, False)):
        partners = {s.name: _partners(s, sequences, scenes, same) for s in sequences}
        firsts = [s for s in sequences if partners[s.name] and _cuts(s).size]
        if not firsts:
            raise ConfigError(
                f"no two sequences have targets of {'one class' if same else 'two classes'} that "
                "could be spliced"
            )
        order = np.random.default_rng([seed, number]).permutation(len(firsts))
        orders.append([(firsts[k], partners[firsts[k].name]) for k in order])
    splices = []
    for index in range(count):
        kind = orders[index % 2]
        first, others = kind[index // 2 % len(kind)]
        rng = np.random.default_rng([seed, 2, index])
        other = others[int(rng.integers(len(others)))]
        relation = "same" if index % 2 == 0 else "other"
        name = f"spliced_{index:02d}_{relation}_{first.name}_{other.name}"
        splices.append(_draw(rng, name, first, other, mirrored=index // 2 % 2 == 1))
    return splices


def write_splices(splices: Sequence[Splice], folder: Path) -> None:
    """Write them as folders that `litetrack evaluate` reads, each with what it was made of.

    Args:
        splices: of :func:`draw_splices`.
        folder: made if needed; files of the same names are overwritten.

    Raises:
        MediaError, DatasetError: a frame cannot be read or written.
    """
    for splice in splices:
        place = folder / splice.name
        make_folder(place / "frames")
        for number, frame in enumerate(splice.frames()):
            write_image(place / "frames" / f"{number:05d}.jpg", frame, _JPEG_QUALITY)
        write_text(place / _SOURCE, splice.source)
        # Last, so that an interrupted sequence is not taken for a whole one.
        write_text(place / GROUND_TRUTH, format_boxes(splice.boxes_xywh))


def _partners(
    first: AnnotatedSequence,
    sequences: Sequence[AnnotatedSequence],
    scenes: Mapping[str, Scene],
    same: bool,
) -> list[AnnotatedSequence]:
    """What may be shown in place of a sequence."""
    scene = scenes[first.name]
    found = []
    for other in sequences:
        shown = scenes[other.name]
        one_place = other is first or (scene.place != "" and scene.place == shown.place)
        classes = [shown.target] if same else [shown.target, *shown.others.split()]
        if not one_place and (scene.target in classes) == same:
            found.append(other)
    return found


def _cuts(sequence: AnnotatedSequence) -> FloatArray:
    """Where a sequence may be cut: the target is seen before and after."""
    seen = np.asarray(np.isfinite(sequence.boxes_xywh).all(axis=1))
    low, high = (round(part * len(seen)) for part in _CUT)
    around = range(max(_SEEN_AROUND, low), min(high, len(seen) - _SEEN_AROUND))
    fitting = [k for k in around if seen[k - _SEEN_AROUND : k + _SEEN_AROUND].all()]
    return np.array(fitting, dtype=np.float64)


def _draw(
    rng: Rng, name: str, first: AnnotatedSequence, other: AnnotatedSequence, mirrored: bool
) -> Splice:
    length = min(int(rng.integers(_INSERTED[0], _INSERTED[1] + 1)), len(other))
    seen = np.asarray(np.isfinite(other.boxes_xywh).all(axis=1))
    counts = np.convolve(seen, np.ones(length), "valid")
    # Where the other's own target is seen most, so that there is an object to be mistaken for it.
    start = int(rng.choice(np.flatnonzero(counts == counts.max())))
    size = np.array(first.frame_size())
    canvas = (size * rng.uniform(*_CANVAS) / 2).round().astype(int) * 2
    place = rng.uniform(0.0, 1.0, 2)
    places = (place, place if mirrored else (place + rng.uniform(*_SHIFT, 2)) % 1.0)
    corners = [tuple(((canvas - size) * p).astype(int).tolist()) for p in places]
    return Splice(
        name,
        first,
        other,
        int(rng.choice(_cuts(first))),
        range(start, start + length),
        (int(canvas[0]), int(canvas[1])),
        (int(size[0]), int(size[1])),
        (corners[0], corners[1]),
        mirrored,
    )


def _fill_canvas(image: Image, box_xywh: FloatArray, canvas_px: tuple[int, int]) -> Uint8Image:
    """The part of a picture around a box, as large and of the shape of the canvas."""
    bgr = to_bgr8(image)
    width, height = canvas_px
    scale = max(width / bgr.shape[1], height / bgr.shape[0])
    size = (max(width, round(bgr.shape[1] * scale)), max(height, round(bgr.shape[0] * scale)))
    scaled = cv2.resize(bgr, size, interpolation=cv2.INTER_LINEAR)
    center = (
        scale * (box_xywh[:2] + 0.5 * box_xywh[2:])
        if np.isfinite(box_xywh).all()
        else 0.5 * np.array(size)
    )
    left = int(np.clip(center[0] - width / 2, 0, size[0] - width))
    top = int(np.clip(center[1] - height / 2, 0, size[1] - height))
    return np.asarray(scaled[top : top + height, left : left + width], dtype=np.uint8)
