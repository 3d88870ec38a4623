"""Clicks on annotated objects and their score, with a proposer that knows what it does."""

from pathlib import Path

import numpy as np
import pytest

from litetrack_ros.datasets.photos import Photo, PhotoObject
from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.errors import BoxError
from litetrack_ros.evaluation import point_clicks as scoring
from litetrack_ros.tracker.point_boxes import Candidate

BOX = np.array([40.0, 30.0, 60.0, 40.0])
TRIANGLE = np.array([[40.0, 30.0], [100.0, 30.0], [40.0, 70.0]])


def noisy() -> np.ndarray:
    """A picture whose left part has detail; the right part is plain."""
    picture = np.full((200, 300, 3), 100, np.uint8)
    picture[:, :150] = np.random.default_rng(0).integers(0, 256, (200, 150, 3))
    return picture


def photo(*objects: PhotoObject) -> Photo:
    return Photo(Path("coco_1.webp"), objects)


def test_clicks_lie_where_they_say_and_repeat() -> None:
    thing = PhotoObject(BOX, (TRIANGLE,), False)
    clicks = list(scoring.photo_clicks(photo(thing), noisy()))
    again = list(scoring.photo_clicks(photo(thing), noisy()))
    assert [c.point_xy for c in clicks] == [c.point_xy for c in again]
    kinds = [c.kind for c in clicks]
    assert kinds == ["centre", "anywhere", "anywhere", "plain", "plain"]
    assert clicks[0].point_xy == (70.0, 50.0)
    mask = thing.mask(300, 200)
    for click in clicks[1:3]:
        assert mask[int(click.point_xy[1]), int(click.point_xy[0])] == 1
    for click in clicks[3:]:
        assert click.point_xy[0] > 160 and np.isnan(click.box_xywh).all()


def test_no_clicks_on_crowds_specks_or_what_only_has_a_box_for_a_mask() -> None:
    crowd = PhotoObject(BOX, (), True)
    speck = PhotoObject(np.array([10.0, 10.0, 5.0, 50.0]), (), False)
    boxed = PhotoObject(BOX, (), False)
    picture = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    kinds = [c.kind for c in scoring.photo_clicks(photo(crowd, speck, boxed), picture)]
    assert kinds == ["centre"]


def test_first_frames_are_clicked_within_the_inner_half_of_the_box() -> None:
    sequence = AnnotatedSequence("walk", Path(), BOX[None])
    clicks = list(scoring.first_frame_clicks(sequence, noisy()))
    assert [c.kind for c in clicks].count("centre") == 1 and len(clicks) == 11
    for click in clicks:
        assert (np.abs(np.array(click.point_xy) - (70.0, 50.0)) <= BOX[2:] / 4).all()


def test_candidates_are_judged_by_overlap_and_refusals_are_none() -> None:
    def propose(picture: np.ndarray, point_xy: tuple[float, float]) -> list[Candidate]:
        if point_xy[0] > 150:
            raise BoxError("plain")
        return [Candidate(BOX * (1, 1, 0.5, 0.5), 0.4), Candidate(BOX, 0.3)]

    clicks = scoring.photo_clicks(photo(PhotoObject(BOX, (), False)), noisy())
    found = list(scoring.judge(noisy(), "a", "coco", clicks, propose))
    centre, plain = found[0], found[-1]
    assert centre.overlaps == (0.25, 1.0) and centre.confidence == 0.4
    assert not scoring.first_is_right(centre) and scoring.one_is_right(centre)
    assert scoring.is_refused(plain) and not scoring.is_refused(centre)
    assert not scoring.first_is_right(plain) and not scoring.one_is_right(plain)
    assert centre.size_px == pytest.approx(np.sqrt(2400))


def test_intervals_count_pictures_not_clicks() -> None:
    def judged(picture: str, right: bool) -> scoring.Judged:
        overlaps = (1.0,) if right else (0.0,)
        return scoring.Judged(picture, "coco", "centre", 0.2, 50.0, overlaps, 0.5, 0.01)

    few = [judged(name, name < "c") for name in "abcd" for _ in range(25)]
    many = [judged(f"{k}", k % 2 == 0) for k in range(100)]
    narrow = scoring.share(many, scoring.first_is_right)
    wide = scoring.share(few, scoring.first_is_right)
    assert narrow.value == wide.value == 0.5 and narrow.clicks == wide.clicks == 100
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
    assert "100 clicks in 4 pictures" in str(wide)
    assert scoring.share([], scoring.first_is_right).clicks == 0
