"""The motions of all targets, image by image, and where they are at a moment."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from litetrack_ros.control.motion import Prediction, TargetMotion, box_sigma
from litetrack_ros.control.turning import Turn
from litetrack_ros.tracker.result import TrackResult
from litetrack_ros.tracker.state import State

TurnBetween = Callable[[float, float], Turn | None]


@dataclass(frozen=True)
class PredictedTarget:
    """A target at one moment.

    Attributes:
        target_id: as given to the tracker.
        prediction: where it is.
        seen_s: time of the last image in which it was TRACKING.
        is_turning_removed: whether the camera's own turning is not in the velocity.
    """

    target_id: str
    prediction: Prediction
    seen_s: float
    is_turning_removed: bool


class TargetMotions:
    """Follows the motions of targets. Thread-safe.

    Args:
        turn_between: how the camera turns from one moment to another, None where not known.
    """

    def __init__(self, turn_between: TurnBetween = lambda begin_s, end_s: None) -> None:
        self._turn_between = turn_between
        self._motions: dict[str, TargetMotion] = {}
        self._is_seen: dict[str, bool] = {}
        self._lock = threading.Lock()

    def take(self, results: Iterable[TrackResult], time_s: float) -> None:
        """Take what the tracker says of an image; targets that are not among it are forgotten.

        Args:
            results: of all targets.
            time_s: the image's stamp.
        """
        with self._lock:
            kept = {}
            for result in results:
                known = self._motions.get(result.target_id)
                is_seen = result.state in (State.TRACKING, State.INITIALISING)
                if is_seen:
                    goes_on = self._is_seen.get(result.target_id, False)
                    goes_on &= result.state is State.TRACKING
                    known = self._follow(known if goes_on else None, result, time_s)
                if known is not None:
                    kept[result.target_id] = known
                self._is_seen[result.target_id] = is_seen
            self._motions = kept
            self._is_seen = {key: self._is_seen[key] for key in kept}

    def forget(self, target_id: str) -> None:
        """Leave a target out from now on."""
        with self._lock:
            self._motions.pop(target_id, None)

    def clear(self) -> None:
        """Forget all targets, as where the images change their size."""
        with self._lock:
            self._motions.clear()

    def at(self, time_s: float, seen_after_s: float) -> list[PredictedTarget]:
        """The targets at a moment.

        Args:
            time_s: when.
            seen_after_s: those that were TRACKING last before this have ended.
        """
        with self._lock:
            return [
                PredictedTarget(
                    target_id,
                    motion.at(time_s, self._turn_between(motion.time_s, time_s)),
                    motion.time_s,
                    motion.uses_turning,
                )
                for target_id, motion in self._motions.items()
                if motion.time_s >= seen_after_s
            ]

    def _follow(
        self, known: TargetMotion | None, result: TrackResult, time_s: float
    ) -> TargetMotion:
        sigma = box_sigma(result.box_xywh, result.score, result.is_calibrated)
        if known is None or time_s <= known.time_s:
            return TargetMotion(result.box_xywh, sigma, time_s)
        turn = self._turn_between(known.time_s, time_s)
        known.update(result.box_xywh, sigma, time_s, turn)
        return known
