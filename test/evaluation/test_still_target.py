"""A target that stands still in a real picture is never LOST, and one that is gone soon is.

The first frame of each development sequence, degraded anew for every update; skipped where
the sequences are not.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

import litetrack_ros as lt
from litetrack_ros.backends.base import Backend
from litetrack_ros.datasets.sequences import find_sequences
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Uint8Image

DEVELOPMENT = Path(__file__).resolve().parents[3] / "shared" / "development"
UPDATES, SOON = 100, 10
DEGRADATIONS = (("noise", 3), ("noise", 10), ("jpeg", 95), ("jpeg", 40))
CELLS_A_TARGET = 4  # a search region of 3.5 times the target has 14 cells a side

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DEVELOPMENT.is_dir(), reason=f"{DEVELOPMENT} does not exist"),
]

Still = tuple[str, Uint8Image, FloatArray]


@pytest.fixture(scope="module")
def stills() -> list[Still]:
    """Name, picture and target of every sequence's first frame."""
    found = []
    for sequence in find_sequences([DEVELOPMENT]):
        image = next(iter(sequence.frames())).image
        found.append((sequence.name, image, sequence.boxes_xywh[0]))
    return found


@pytest.fixture(scope="module")
def backend() -> Backend:
    return lt.open_backend()


def degraded(image: Uint8Image, kind: str, amount: int, rng: np.random.Generator) -> Uint8Image:
    if kind == "noise":
        return np.clip(image + rng.normal(0, amount, image.shape), 0, 255).astype(np.uint8)
    # The same picture would be compressed to the same: a camera's is never quite the same.
    noisy = np.clip(image + rng.normal(0, 1, image.shape), 0, 255).astype(np.uint8)
    _, content = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, amount])
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), dtype=np.uint8)


def updates(
    backend: Backend, still: Still, kind: str, amount: int, later: Uint8Image, count: int
) -> Iterator[lt.TrackResult]:
    rng = np.random.default_rng(0)
    tracker = lt.Tracker(backend)
    tracker.init(still[1], still[2])
    for _ in range(count):
        result = tracker.update(degraded(later, kind, amount, rng))
        assert result is not None
        yield result


@pytest.mark.parametrize(("kind", "amount"), DEGRADATIONS)
def test_a_still_target_is_never_lost(
    stills: list[Still], backend: Backend, kind: str, amount: int
) -> None:
    lost = {
        still[0]: sum(
            result.state is lt.State.LOST
            for result in updates(backend, still, kind, amount, still[1], UPDATES)
        )
        for still in stills
    }
    print(kind, amount, lost)
    assert not any(lost.values()), lost


def test_the_score_does_not_depend_on_the_place_in_the_grid(
    stills: list[Still], backend: Backend
) -> None:
    means = []
    for eighth in range(8):
        scores = []
        for still in stills:
            _, image, box = still
            shift = eighth / 8 * np.sqrt(box[2] * box[3]) / CELLS_A_TARGET
            move = np.array([[1.0, 0.0, shift], [0.0, 1.0, shift]])
            size = image.shape[1], image.shape[0]
            moved = cv2.warpAffine(image, move, size, borderMode=cv2.BORDER_REPLICATE)
            for kind, amount in DEGRADATIONS:
                moved_image = np.asarray(moved, dtype=np.uint8)
                [result] = updates(backend, still, kind, amount, moved_image, 1)
                scores.append(result.candidate_score)
        means.append(float(np.mean(scores)))
    print("mean score at eighths of a cell", np.round(means, 3).tolist())
    assert max(means) - min(means) <= 0.05


def test_a_target_replaced_by_what_is_beside_it_is_lost_soon(
    stills: list[Still], backend: Backend
) -> None:
    soon = {}
    for still in stills:
        for kind, amount in DEGRADATIONS:
            found = list(updates(backend, still, kind, amount, without_target(still), SOON))
            soon[still[0], kind, amount] = any(r.state is lt.State.LOST for r in found)
    print("not lost:", [key for key, lost in soon.items() if not lost])
    # The aim is 0.9. The shipped weights reach 0.84: beside a car stands its like.
    assert np.mean(list(soon.values())) >= 0.8


def without_target(still: Still) -> Uint8Image:
    """The picture with the target, and a margin, covered by the texture at its roomiest side."""
    _, image, box = still
    height, width = image.shape[:2]
    x, y, w, h = box + np.array([-0.1, -0.1, 0.2, 0.2]) * np.array([*box[2:], *box[2:]])
    x1, y1 = max(int(x), 0), max(int(y), 0)
    x2, y2 = min(int(np.ceil(x + w)), width), min(int(np.ceil(y + h)), height)
    room = {(-1, 0): x1, (1, 0): width - x2, (0, -1): y1, (0, 1): height - y2}
    (right, down), _ = max(room.items(), key=lambda item: item[1])
    from_x, from_y = x1 + right * (x2 - x1), y1 + down * (y2 - y1)
    covered = image.copy()
    rows = np.clip(np.arange(from_y, from_y + y2 - y1), 0, height - 1)
    columns = np.clip(np.arange(from_x, from_x + x2 - x1), 0, width - 1)
    covered[y1:y2, x1:x2] = image[np.ix_(rows, columns)]
    return covered
