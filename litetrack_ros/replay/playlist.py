"""What is played of a bag: its images and when each is due, the target, and the ground truth."""

from __future__ import annotations

import csv
import itertools
import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from litetrack_ros.datasets.sequences import read_boxes
from litetrack_ros.errors import BagError, ConfigError
from litetrack_ros.geometry import FloatArray, check_init_box
from litetrack_ros.opencv import cv2
from litetrack_ros.replay.bag_reader import (
    BOX_TYPES,
    GROUND_TRUTH_TOPIC,
    IMAGE,
    TRACKED_BOX_ARRAY,
    Bag,
    BagMessage,
    StampedBox,
    Topic,
    decode,
)
from litetrack_ros.replay.request import ReplayRequest

CSV_COLUMNS = ("stamp_ns", "x", "y", "width", "height")
_HALF_FRAME = 0.5  # a box belongs to the nearest frame, at most this much of a period away
_PREFETCHED = 8  # messages read ahead, so that reading does not delay the player
_DEFAULT_PERIOD_S = 1 / 30  # between passes of a bag with a single frame
_END = object()


@dataclass(frozen=True)
class PlayedMessage:
    """A message to play.

    Attributes:
        index: position in the replay, from 0.
        frame: position in one pass of the bag, from 0.
        recorded_ns: stamp in the bag.
        due_s: when to play it, from the first message on, at the rate asked for.
        data: serialised; its stamp will be replaced.
    """

    index: int
    frame: int
    recorded_ns: int
    due_s: float
    data: bytes


class StampCheck:
    """Counts stamps that do not increase.

    Attributes:
        out_of_order: stamps before an earlier one.
        repeated: stamps equal to the one before.
    """

    def __init__(self) -> None:
        self.out_of_order = 0
        self.repeated = 0
        self._previous_ns: int | None = None

    def add(self, message: BagMessage) -> None:
        """Look at the next message's stamp."""
        if self._previous_ns is not None:
            self.out_of_order += message.stamp_ns < self._previous_ns
            self.repeated += message.stamp_ns == self._previous_ns
        self._previous_ns = message.stamp_ns

    @property
    def warning(self) -> str:
        """A sentence, empty when all is well."""
        if not (self.out_of_order or self.repeated):
            return ""
        return (
            f"the images' stamps do not increase: {self.out_of_order} go back, {self.repeated} "
            "are repeated; frames are told apart by their order"
        )


class Playlist:
    """The image messages of a bag that are to be played.

    Args:
        bag: open.
        topic: its images.
        start_s: leave out what was recorded earlier than this after the bag's begin.
        duration_s: leave out what comes later than this after the first; None plays to the end.
        rate: how many times faster than recorded.
        loops: how often to play everything.
    """

    def __init__(
        self,
        bag: Bag,
        topic: Topic,
        start_s: float = 0.0,
        duration_s: float | None = None,
        rate: float = 1.0,
        loops: int = 1,
    ) -> None:
        self.bag = bag
        self.topic = topic
        self.stamps = StampCheck()
        self.recorded_ns: list[int] = []  # of the first pass, filled while it is played
        self._rate = rate
        self._loops = loops
        self._start_ns = bag.start_ns + round(1e9 * start_s) if start_s else None
        self._stop_ns: int | None = None
        if duration_s is not None:
            self._stop_ns = (self._start_ns or bag.start_ns) + round(1e9 * duration_s)

    def pass_messages(self) -> Iterator[BagMessage]:
        """The messages of one pass.

        Raises:
            BagError: the bag is damaged, or there is no message in the time asked for.
        """
        messages = self.bag.messages(self.topic, self._start_ns, self._stop_ns)
        first = next(messages, None)
        if first is None:
            raise BagError(
                f"{self.bag.path} holds no message on {self.topic.name} in the time asked for: "
                "check --start and --duration"
            )
        yield first
        yield from messages

    def messages(self) -> Iterator[PlayedMessage]:
        """What to play, in order; reads ahead in a thread.

        Raises:
            BagError: as :meth:`pass_messages`.
        """
        return read_ahead(self._messages(), _PREFETCHED)

    def image_size(self, message: BagMessage) -> tuple[int, int]:
        """Width and height of an image, px.

        Raises:
            BagError: not an image.
        """
        decoded = decode(message.data, self.topic.type_name)
        if self.topic.type_name == IMAGE:
            return int(decoded.width), int(decoded.height)
        try:
            image: Any = cv2.imdecode(np.frombuffer(decoded.data, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:
            image = None
        if image is None:
            raise BagError(f"{self.bag.path}: a compressed image on {self.topic.name} is damaged")
        return int(image.shape[1]), int(image.shape[0])

    def nth(self, frame: int) -> BagMessage:
        """The message of a frame of a pass."""
        return next(itertools.islice(self.pass_messages(), frame, None))

    def frame_of(self, stamp_ns: int) -> int:
        """The frame of a pass whose stamp is nearest."""
        distances: list[int] = []
        for message in self.pass_messages():
            distances.append(abs(message.stamp_ns - stamp_ns))
            if message.stamp_ns >= stamp_ns:
                break
        return min(range(len(distances)), key=distances.__getitem__)

    def _messages(self) -> Iterator[PlayedMessage]:
        index, begin_s = 0, 0.0
        for played in range(self._loops):
            first_ns: int | None = None
            due_s, period_s = begin_s, _DEFAULT_PERIOD_S
            for frame, message in enumerate(self.pass_messages()):
                first_ns = message.log_ns if first_ns is None else first_ns
                before_s = due_s
                due_s = begin_s + 1e-9 * (message.log_ns - first_ns) / self._rate
                period_s = due_s - before_s if frame else period_s
                if played == 0:
                    self.stamps.add(message)
                    self.recorded_ns.append(message.stamp_ns)
                yield PlayedMessage(index, frame, message.stamp_ns, due_s, message.data)
                index += 1
            begin_s = due_s + period_s


def read_ahead(messages: Iterable[PlayedMessage], depth: int) -> Iterator[PlayedMessage]:
    """Iterate in a thread of its own, at most ``depth`` messages ahead."""
    waiting: queue.Queue[Any] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: Any) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        try:
            for message in messages:
                if not put(message):
                    return
            put(_END)
        except BagError as error:  # raised where the messages are used
            put(error)

    threading.Thread(target=read, name="reader", daemon=True).start()
    try:
        while (item := waiting.get()) is not _END:
            if isinstance(item, BagError):
                raise item
            yield item
    finally:
        stopped.set()


@dataclass(frozen=True)
class Inputs:
    """What to play, and what to compare with.

    Attributes:
        playlist: the images.
        init_frame: position of the target's first frame in a pass.
        init_box_xywh: there, px, ``(4,)``.
        truth: boxes with stamps, or ``(T, 4)``, one for every frame of the bag; None without.
        truth_name: where it comes from.
    """

    playlist: Playlist
    init_frame: int
    init_box_xywh: FloatArray
    truth: list[StampedBox] | FloatArray | None
    truth_name: str

    def truth_by_frame(self, warnings: list[str]) -> FloatArray | None:
        """Ground truth of every frame of a pass, ``(F, 4)``; after the replay, which knows F."""
        stamps = self.playlist.recorded_ns
        if self.truth is None:
            return None
        if isinstance(self.truth, list):
            boxes, unused = boxes_by_frame(self.truth, stamps)
            if not np.isfinite(boxes).any():
                raise BagError(f"no box of {self.truth_name} has the stamp of a frame played")
            if unused and len(self.truth) - unused < len(stamps):
                warnings.append(f"{unused} boxes of {self.truth_name} belong to no frame played")
            return boxes
        if len(self.truth) < len(stamps):
            warnings.append(
                f"{self.truth_name} has {len(self.truth)} lines for {len(stamps)} frames: the "
                "others are not scored"
            )
        boxes = np.full((len(stamps), 4), np.nan)
        count = min(len(boxes), len(self.truth))
        boxes[:count] = self.truth[:count]
        return boxes


def read_inputs(request: ReplayRequest, bag: Bag) -> Inputs:
    """Find topics, target and ground truth.

    Raises:
        BagError: a topic is missing, empty or of an unknown type, or the bag is damaged.
        BoxError: no track can start from the init box.
        DatasetError: a ground-truth file that is none.
    """
    topic = bag.image_topic(request.image_topic)
    playlist = Playlist(bag, topic, request.start, request.duration, request.rate, request.loop)
    truth, truth_name = _read_truth(request.ground_truth, bag)
    if request.ground_truth is not None and not isinstance(truth, list) and request.start:
        raise ConfigError("ground truth by lines needs the bag from its begin: leave out --start")
    init_frame, box = _find_init(request, bag, playlist, truth, truth_name)
    message = playlist.nth(init_frame)
    box = check_init_box(box, *playlist.image_size(message))
    return Inputs(playlist, init_frame, box, truth, truth_name)


def _read_truth(name: str | None, bag: Bag) -> tuple[list[StampedBox] | FloatArray | None, str]:
    if name is None:
        if not bag.has_topic(GROUND_TRUTH_TOPIC, TRACKED_BOX_ARRAY):
            return None, ""
        name = GROUND_TRUTH_TOPIC
    elif Path(name).is_file():
        return read_box_file(Path(name)), name
    topic = bag.topic(name, BOX_TYPES)
    return bag.boxes(topic), topic.name


def _find_init(
    request: ReplayRequest,
    bag: Bag,
    playlist: Playlist,
    truth: list[StampedBox] | FloatArray | None,
    truth_name: str,
) -> tuple[int, FloatArray]:
    """The frame in a pass, and the box."""
    if request.init_box is not None:
        return 0, np.array(request.init_box, dtype=np.float64)
    if request.init_topic is not None:
        topic = bag.topic(request.init_topic, BOX_TYPES)
        for boxed in bag.boxes(topic):
            if np.isfinite(boxed.box_xywh).all():
                return playlist.frame_of(boxed.stamp_ns), boxed.box_xywh
        raise BagError(f"{bag.path} holds no box on {topic.name}: give one with --init-box X Y W H")
    if truth is None:
        raise BagError(
            f"{bag.path} holds no ground truth: select the target with --init-box X Y W H, or "
            "with --init-topic T"
        )
    if not isinstance(truth, list):
        present = np.flatnonzero(np.isfinite(truth).all(axis=1))
        if present.size:
            return int(present[0]), truth[present[0]]
    else:
        first_ns = playlist.nth(0).stamp_ns
        for boxed in truth:
            if boxed.stamp_ns >= first_ns and np.isfinite(boxed.box_xywh).all():
                return playlist.frame_of(boxed.stamp_ns), boxed.box_xywh
    raise BagError(f"{truth_name} holds no box in what is played: give one with --init-box")


def read_box_file(path: Path) -> list[StampedBox] | FloatArray:
    """Ground truth from a file.

    Returns:
        Boxes with stamps, of a CSV file with the columns :data:`CSV_COLUMNS`; or ``(T, 4)``, one a
        frame, of ``x,y,w,h`` lines.

    Raises:
        BagError: a CSV file without these columns or with a line that is not numbers.
        DatasetError: lines that are not four numbers.
    """
    if path.suffix.lower() != ".csv":
        return read_boxes(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in CSV_COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise BagError(
                    f"{path} lacks the columns {', '.join(missing)}; its first line must name "
                    f"{','.join(CSV_COLUMNS)}"
                )
            return [
                StampedBox(
                    int(line["stamp_ns"]), np.array([float(line[n]) for n in CSV_COLUMNS[1:]])
                )
                for line in reader
            ]
    except (ValueError, TypeError, OSError) as error:
        if isinstance(error, BagError):
            raise
        raise BagError(f"cannot read the boxes {path}: {error}") from error


def boxes_by_frame(
    boxes: Sequence[StampedBox], frame_stamps_ns: Sequence[int]
) -> tuple[FloatArray, int]:
    """Give every box to the frame whose stamp is nearest, within half a period.

    Args:
        boxes: in any order.
        frame_stamps_ns: ``F`` of them.

    Returns:
        ``(F, 4)``, NaN for frames without a box; and the number of boxes without a frame.
    """
    stamps = np.asarray(frame_stamps_ns, dtype=np.int64)
    result = np.full((len(stamps), 4), np.nan)
    steps = np.abs(np.diff(stamps))
    tolerance_ns = _HALF_FRAME * float(np.median(steps)) if steps.size else 0.0
    unused = 0
    for stamp_ns, box in boxes:
        distance = np.abs(stamps - stamp_ns)
        nearest = int(np.argmin(distance)) if len(stamps) else -1
        if nearest < 0 or distance[nearest] > tolerance_ns:
            unused += 1
        else:
            result[nearest] = box
    return result, unused
