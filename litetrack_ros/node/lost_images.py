"""How many images were lost on the way: from the publisher's numbers, else from gaps of stamps."""

import statistics
from collections import deque

_MOST = 10_000  # a larger step is another publisher, or a camera that was off
_SAMPLES = 30
_FEWEST = 5


class LossCounter:
    """Counts what a publisher sent and this node never heard of.

    Attributes:
        lost: images so far.
        has_one_publisher: whether numbers can be compared; several publishers count on their own.
    """

    def __init__(self) -> None:
        self.lost = 0
        self.has_one_publisher = True
        self._sequence: int | None = None
        self._stamp_ns: int | None = None
        self._intervals_ns: deque[int] = deque(maxlen=_SAMPLES)

    @property
    def source(self) -> str:
        """What the number comes from."""
        return "stamp gaps" if self._sequence is None else "publication sequence numbers"

    def take(self, sequence: int | None, stamp_ns: int) -> None:
        """Take an image.

        Args:
            sequence: its publisher's number, from 1; None where the middleware gives none.
            stamp_ns: of its header.
        """
        before, self._sequence = self._sequence, sequence if self.has_one_publisher else None
        stamp_before, self._stamp_ns = self._stamp_ns, stamp_ns
        interval_ns = 0 if stamp_before is None else stamp_ns - stamp_before
        if self._sequence is not None:
            missing = 0 if before is None else self._sequence - before - 1
        else:
            missing = self._missing_by(interval_ns)
        if interval_ns > 0:
            self._intervals_ns.append(interval_ns)
        if 0 < missing <= _MOST:
            self.lost += missing

    def _missing_by(self, interval_ns: int) -> int:
        if len(self._intervals_ns) < _FEWEST:
            return 0
        usual_ns = statistics.median(self._intervals_ns)
        return round(interval_ns / usual_ns) - 1 if interval_ns > 1.5 * usual_ns else 0
