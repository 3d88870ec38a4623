"""What exists while the node is configured: the model, the input, the tracking thread."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from litetrack_ros.backends.base import Backend
from litetrack_ros.node.control_outputs import ControlOutputs
from litetrack_ros.node.conversion import ConvertedImage
from litetrack_ros.node.detections import DetectionHistory
from litetrack_ros.node.diagnostics import (
    NoticeBoard,
    Status,
    images_status,
    latency_status,
    targets_status,
)
from litetrack_ros.node.frames import FrameSlot
from litetrack_ros.node.inputs import ImageInput
from litetrack_ros.node.messages import Outputs
from litetrack_ros.node.requests import RequestCounts, RequestDesk
from litetrack_ros.node.settings import worker_settings
from litetrack_ros.node.watchdog import (
    CONVERSION,
    DEATH,
    DEVICE,
    SLOW_CALL,
    CallWatch,
    WatchedBackend,
)
from litetrack_ros.node.worker import TrackingWorker
from litetrack_ros.tracker.tracker import MultiTracker

MODEL_FAULTS = ("tracking_failed", "no_answers", SLOW_CALL, DEATH, DEVICE)  # kinds of notices
_NOT_OF_IMAGES = (*MODEL_FAULTS, "init_refused", "transition")


class NodeSession:
    """What exists while the node is configured.

    Args:
        backend: runs the network.
        slot: holds the images.
        outputs: sends the results.
        control: sends what follows from them, None where no parameter asks for that.
    """

    def __init__(
        self,
        backend: Backend,
        slot: FrameSlot,
        outputs: Outputs,
        control: ControlOutputs | None = None,
    ) -> None:
        self.backend = backend
        self.slot = slot
        self.outputs = outputs
        self.control = control
        self.is_enabled = True
        self.images: ImageInput | None = None
        self.worker: TrackingWorker | None = None

    def destroy(self) -> None:
        """Take the topics of results away."""
        self.outputs.destroy()
        if self.control is not None:
            self.control.destroy()

    def start_worker(
        self,
        values: Mapping[str, Any],
        desk: RequestDesk,
        calls: CallWatch,
        detections: DetectionHistory | None,
    ) -> None:
        """Start a tracking thread, once there are images.

        Args:
            values: parameters by name.
            desk: where requests for targets come from.
            calls: times the thread's calls.
            detections: of a detector, None where there can be none.
        """
        images = self.images
        assert images is not None  # made before

        def convert(message: Any) -> ConvertedImage:
            with calls.call(CONVERSION):
                return images.convert(message)

        self.worker = TrackingWorker(
            WatchedBackend(self.backend, calls),
            worker_settings(values, self.backend.tracker_config),
            values["max_targets"],
            self.slot,
            desk,
            convert,
            self.outputs,
            detections,
        )
        self.worker.start()

    def statuses(
        self,
        board: NoticeBoard,
        counts: RequestCounts,
        no_image_timeout_s: float,
        is_sim_time: bool,
    ) -> list[Status]:
        """Diagnostics of images, latency and targets; none while the node is not active."""
        images, worker = self.images, self.worker
        if images is None or worker is None:
            return []
        images.check(no_image_timeout_s if self.is_enabled else math.inf)
        windows = self.outputs.windows
        kinds = [kind for kind in board.active() if kind not in _NOT_OF_IMAGES]
        return [
            images_status(
                images.topic,
                images.qos_text,
                self.slot.counts,
                images.transport_window.rate_hz(),
                windows["total"].rate_hz(),
                self.slot.held,
                images.losses,
                board.active(*kinds) if kinds else {},
            ),
            latency_status({"stamp to callback": images.transport_window, **windows}, is_sim_time),
            targets_status(worker.targets, self.is_enabled, counts, board.active("init_refused")),
        ]


def warm_up(backend: Backend) -> None:
    """Run every step once: the first call of a network takes many times as long as the next."""
    tracker = MultiTracker(backend)
    image = np.zeros((240, 320, 3), np.uint8)
    tracker.init(image, (100.0, 80.0, 60.0, 50.0))
    for _ in range(2):
        tracker.update(image)
