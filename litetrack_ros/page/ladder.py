"""Pictures in up to three sizes and rates, each made once however many clients want it."""

import asyncio
from typing import NamedTuple

from litetrack_ros.media.previews import shrink
from litetrack_ros.page.feed import Shown


class Rung(NamedTuple):
    """A size and a rate: longest side in px (0: as it came), JPEG quality, pictures a second."""

    size_px: int
    quality: int
    rate_hz: float


RUNGS = (Rung(0, 0, 30.0), Rung(400, 60, 10.0), Rung(240, 50, 5.0))
_SLOW_S, _QUICK_S = 0.4, 0.15  # until a client has a picture: go down, go up
_QUICK_IN_A_ROW = 40


class Ladder:
    """Makes the sizes of the newest picture, in threads, when they are wanted."""

    def __init__(self) -> None:
        self._number = 0
        self._made: dict[int, asyncio.Future[bytes]] = {}

    async def jpeg(self, shown: Shown, rung: int) -> bytes:
        """A picture in the size of a rung."""
        size_px, quality, _ = RUNGS[rung]
        if not size_px:
            return shown.picture.jpeg
        if shown.number > self._number:
            self._number, self._made = shown.number, {}
        if shown.number < self._number or rung not in self._made:
            made = asyncio.ensure_future(
                asyncio.to_thread(shrink, shown.picture.jpeg, size_px, quality)
            )
            if shown.number < self._number:
                return await made
            self._made[rung] = made
        return await asyncio.shield(self._made[rung])


class Step:
    """On which rung a client stands: what its screen needs, and no more than its way carries."""

    def __init__(self) -> None:
        self.rung = 0
        self._floor = 0
        self._quick = 0

    def fit(self, width_px: float) -> None:
        """The client draws the picture so wide, in its screen's pixels."""
        fitting = [i for i, rung in enumerate(RUNGS) if rung.size_px >= width_px]
        self._floor = max(fitting, default=0)
        self.rung = max(self.rung, self._floor)

    def took(self, seconds: float) -> None:
        """A picture took so long to be there and drawn."""
        self._quick = self._quick + 1 if seconds < _QUICK_S else 0
        if seconds > _SLOW_S:
            self.rung = min(self.rung + 1, len(RUNGS) - 1)
        elif self._quick >= _QUICK_IN_A_ROW:
            self._quick, self.rung = 0, max(self.rung - 1, self._floor)
