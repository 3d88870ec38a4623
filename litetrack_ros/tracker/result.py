"""What the tracker says of a target in one frame, and how long that took."""

from dataclasses import dataclass

from litetrack_ros.geometry import FloatArray
from litetrack_ros.tracker.state import State


@dataclass(frozen=True)
class StageTiming:
    """How long the stages of one call took, by the monotonic clock, in milliseconds.

    Attributes:
        crop_ms: cutting and converting the crops of all targets.
        model_ms: the network, waiting for its result included.
        decode_ms: mapping boxes back and stepping the state machines.
    """

    crop_ms: float
    model_ms: float
    decode_ms: float

    @property
    def total_ms(self) -> float:
        """The sum of the stages."""
        return self.crop_ms + self.model_ms + self.decode_ms


@dataclass(frozen=True)
class TrackResult:
    """One target in one frame.

    Attributes:
        target_id: as given to ``init``.
        box_xywh: image pixels, float64 ``(4,)``; while LOST the box is held where it was last
            trusted.
        candidate_box_xywh: what the network pointed at in this frame, trusted or not, ``(4,)``; the
            box where its answer was none (not finite, without size, or outside the image).
        score: of ``box_xywh``. With a calibration the probability that it overlaps the target by at
            least a half; without one the candidate's raw score, which is no probability.
        candidate_score: the same of ``candidate_box_xywh``, which TRACKING and LOST are decided by;
            0 where the network's answer was none.
        is_calibrated: whether both scores are probabilities.
        response: window times raw score at the chosen cell, the peak of the response.
        state: after this frame.
        timing: of the call, all targets together.
        no_answers: images in a row, this one included, for which the network's answer was none.

    Examples:
        >>> import litetrack_ros as lt
        >>> from litetrack_ros.media.scene import DrawnScene
        >>> scene = DrawnScene(frames=2)
        >>> tracker = lt.Tracker(lt.open_backend())
        >>> result = tracker.init(scene.frame(0), scene.box_xywh(0))
        >>> result = tracker.update(scene.frame(1))
        >>> x, y, width, height = result.box_xywh
        >>> result.state is lt.State.TRACKING, 0 < result.score < 1, result.timing.model_ms > 0
        (True, True, True)
    """

    target_id: str
    box_xywh: FloatArray
    candidate_box_xywh: FloatArray
    score: float
    candidate_score: float
    is_calibrated: bool
    response: float
    state: State
    timing: StageTiming
    no_answers: int = 0
