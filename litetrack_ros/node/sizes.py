"""What becomes of boxes when the images change their size."""

from dataclasses import dataclass

from litetrack_ros.errors import BoxError

_ASPECT_TOLERANCE = 0.02  # 1280x720 and 854x480 are one aspect, 4:3 and 16:9 are not

Size = tuple[int, int]  # width and height, px
Box = tuple[float, float, float, float]  # left, top, width and height, px


@dataclass(frozen=True)
class SizeChange:
    """From one size of images to another, width and height in px."""

    before: Size
    after: Size

    @property
    def factors(self) -> tuple[float, float]:
        """By which x and y grow."""
        return self.after[0] / self.before[0], self.after[1] / self.before[1]

    @property
    def keeps_aspect(self) -> bool:
        """Whether the picture may be the same, larger or smaller."""
        across, down = self.factors
        return abs(across / down - 1.0) <= _ASPECT_TOLERANCE

    def __str__(self) -> str:
        before, after = ("x".join(map(str, size)) for size in (self.before, self.after))
        return f"the images changed from {before} to {after}"

    def scale(self, box_xywh: Box) -> Box:
        """A box of the earlier size in the later one; raises BoxError where the aspect differs."""
        if not self.keeps_aspect:
            raise BoxError(f"{self} while the box waited")
        across, down = self.factors
        x, y, width, height = box_xywh
        return x * across, y * down, width * across, height * down
