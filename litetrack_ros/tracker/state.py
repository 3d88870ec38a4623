"""Is the target tracked or lost? A state machine over the candidates' scores that counts frames."""

import enum

from litetrack_ros.config import TrackerConfig


class State(enum.IntEnum):
    """A target's state; the numbers are those of the ROS messages.

    Examples:
        >>> import litetrack_ros as lt
        >>> [f"{state.name} {state.value}" for state in lt.State]
        ['IDLE 0', 'INITIALISING 1', 'TRACKING 2', 'LOST 3']
    """

    IDLE = 0
    INITIALISING = 1
    TRACKING = 2
    LOST = 3


class StateMachine:
    """TRACKING until enough misses in a row, LOST until found again or given up (IDLE).

    Args:
        config: thresholds and counts; with ``lost_threshold`` 0 the state stays TRACKING.
    """

    def __init__(self, config: TrackerConfig) -> None:
        self.config = config
        self.state = State.TRACKING
        self._misses = 0
        self._hits = 0
        self.lost_frames = 0

    @property
    def search_scale(self) -> float:
        """What to multiply the search factor by in the next frame."""
        scale = self.config.search_growth**self.lost_frames
        return float(min(scale, self.config.max_search_scale))

    @property
    def is_miss(self) -> bool:
        """Whether the latest frame's score was below the threshold."""
        return self._misses > 0

    def lose(self) -> None:
        """Go to LOST, whatever the scores were."""
        self.state, self._misses, self._hits = State.LOST, 0, 0

    def update(self, score: float) -> State:
        """Take the score of a frame's candidate and return the state after it."""
        config = self.config
        if config.lost_threshold == 0:
            return self.state
        if self.state is State.LOST:
            is_hit = score >= max(config.found_threshold, config.lost_threshold)
            self._hits = self._hits + 1 if is_hit else 0
            if self._hits >= config.found_after_frames:
                self.state, self._misses, self._hits, self.lost_frames = State.TRACKING, 0, 0, 0
            else:
                self.lost_frames += 1
                if config.idle_after_frames and self.lost_frames >= config.idle_after_frames:
                    self.state = State.IDLE
        elif self.state is State.TRACKING:
            self._misses = self._misses + 1 if score < config.lost_threshold else 0
            if self._misses >= config.lost_after_frames:
                self.state = State.LOST
        return self.state
