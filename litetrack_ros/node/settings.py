"""What may change while the tracking thread runs."""

from dataclasses import dataclass

from litetrack_ros.config import TrackerConfig


@dataclass(frozen=True)
class WorkerSettings:
    """What may change while the worker runs.

    Attributes:
        tracker_config: thresholds.
        catch_up_max_ms: time for catching up after an init box.
        init_stamp_tolerance_ms: how far the stamp of an init box may be from an image's.
        init_wait_ms: how long an init box may wait for its image.
        lost_timeout_s: how long a target may be lost until it is given up; 0 is for ever.
        reselect: whether a detection may bring a lost target back.
    """

    tracker_config: TrackerConfig
    catch_up_max_ms: float
    init_stamp_tolerance_ms: float
    init_wait_ms: float
    lost_timeout_s: float = 0.0
    reselect: bool = False
