"""Which detection is meant, of which image, and why there may be none."""

from __future__ import annotations

import pytest

from litetrack_ros.errors import BoxError
from litetrack_ros.node.detections import (
    Detected,
    DetectionHistory,
    DetectionQuery,
    DetectionSet,
)

MS = 10**6
CUP = Detected("7", "cup", 0.9, (10.0, 10.0, 20.0, 20.0))
FAR_CUP = Detected("8", "cup", 0.8, (100.0, 60.0, 20.0, 20.0))
TABLE = Detected("9", "table", 0.7, (0.0, 0.0, 160.0, 100.0))
NAMELESS = (CUP._replace(detection_id=""), TABLE._replace(detection_id=""))


def _set(stamp_ms: int, arrival_s: float = 10.0, *found: Detected) -> DetectionSet:
    return DetectionSet(stamp_ms * MS, "camera", arrival_s, found or (CUP, FAR_CUP, TABLE))


@pytest.mark.parametrize(
    ("query", "found", "meant"),
    [
        (DetectionQuery("8"), (CUP, FAR_CUP), FAR_CUP),
        (DetectionQuery("7"), (FAR_CUP._replace(detection_id="7"), CUP), CUP),
        (DetectionQuery(class_id="cup", point_xy=(99, 61)), (CUP, FAR_CUP, TABLE), FAR_CUP),
        (DetectionQuery(class_id="cup", point_xy=(0, 0)), (FAR_CUP, CUP), CUP),
        # Two hold the point: the nearer centre.
        (DetectionQuery(point_xy=(20, 20)), (TABLE, CUP), CUP),
        (DetectionQuery(point_xy=(80, 50)), (TABLE, CUP), TABLE),
    ],
)
def test_an_id_or_a_class_and_a_point_name_a_detection(
    query: DetectionQuery, found: tuple[Detected, ...], meant: Detected
) -> None:
    assert query.pick(found) == meant


@pytest.mark.parametrize(
    ("query", "found", "reason"),
    [
        (DetectionQuery("1"), (), "found nothing"),
        (DetectionQuery("1"), NAMELESS, "leaves Detection2D.id empty: select by CLASS_NEAREST"),
        (DetectionQuery("1"), (CUP, FAR_CUP), "no detection has the id '1'; there are '7', '8'"),
        (
            DetectionQuery(class_id="dog"),
            (CUP, FAR_CUP, TABLE),
            "no detection is of class 'dog'; there are 'cup', 'table'",
        ),
        (
            DetectionQuery("x"),
            tuple(CUP._replace(detection_id=str(n)) for n in range(8)),
            "'4' and 3 more",
        ),
    ],
)
def test_a_refusal_names_what_there_is(
    query: DetectionQuery, found: tuple[Detected, ...], reason: str
) -> None:
    with pytest.raises(BoxError) as error:
        query.pick(found)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("frame_id", "size", "reason"),
    [
        ("camera", (160, 120), ""),
        ("camera", (158, 120), ""),  # a detector's box may reach a little over the border
        ("camera", (120, 90), "reach to (160, 100), the image has 120x90 px"),
        ("rear", (160, 120), "of frame 'camera', the images of 'rear'"),
    ],
)
def test_detections_in_another_image_are_refused(
    frame_id: str, size: tuple[int, int], reason: str
) -> None:
    if not reason:
        _set(1).check_fits(frame_id, size)
        return
    with pytest.raises(BoxError) as error:
        _set(1).check_fits(frame_id, size)
    assert reason in str(error.value)


WAIT = object()


@pytest.mark.parametrize(
    ("stamp_ms", "waited_ms", "found"),
    [
        (200, 0, 200),
        (210, 0, 200),  # the nearest, where later ones have come
        (230, 0, WAIT),  # none has come that is later: its own may still do
        (230, 301, 200),
        (900, 301, "have its stamp: the nearest are 700 ms away"),
        (151, 0, 200),
        (0, 0, 200),
    ],
)
def test_detections_are_matched_by_stamp(stamp_ms: int, waited_ms: float, found: object) -> None:
    history = DetectionHistory("/detections")
    for held in (_set(100, 9.7), _set(200, 9.9)) if stamp_ms != 210 else (_set(200), _set(300)):
        history.add(held)

    def find() -> object:
        answer = history.find(DetectionQuery("7"), stamp_ms * MS, 10.0, 50.0, waited_ms, 300.0)
        return WAIT if answer is None else answer[0].stamp_ns // MS

    if isinstance(found, str):
        with pytest.raises(BoxError, match=found):
            find()
    else:
        assert find() == found


def test_the_newest_detections_are_no_old_ones() -> None:
    history = DetectionHistory("/detections")
    history.add(_set(100, 1.0))
    asked = (DetectionQuery("7"), 0, 10.0, 50.0)
    assert history.find(*asked, 0.0, 300.0) is None
    with pytest.raises(BoxError, match="no detections have come on /detections within 300 ms"):
        history.find(*asked, 301.0, 300.0)
    history.add(_set(200, 10.2))
    found = history.find(*asked, 250.0, 300.0)
    assert found is not None and found[0].stamp_ns == 200 * MS


def test_stamps_that_jump_back_clear_the_history() -> None:
    history = DetectionHistory("/detections")
    history.add(_set(100_000))
    history.add(_set(10))
    assert [held.stamp_ns for held in history.since(0.0)] == [10 * MS]
