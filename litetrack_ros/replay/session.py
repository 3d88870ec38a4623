"""A node process, a participant and a collector for one benchmark: started, used and ended."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.errors import ReplayError
from litetrack_ros.replay.collector import Collector
from litetrack_ros.replay.node_process import DEFAULT_COMMAND, NodeProcess
from litetrack_ros.replay.participant import Participant
from litetrack_ros.replay.player import InitBox, Player
from litetrack_ros.replay.records import PlayedMessage, ReplayedFrame

TARGET_ID = "target"
START_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 30.0
_DRAIN_TIMEOUT_S = 4.0
_LAST_ANSWER_TIMEOUT_S = 0.5
_INIT_TIMEOUT_S = 1.5  # longer than the slowest of models takes on the first frame
_MAX_INIT_ATTEMPTS = 5
_POLL_S = 0.2


@dataclass(frozen=True)
class NodeSettings:
    """How the node is started.

    Attributes:
        parameters: of the node, by name.
        compressed: whether the images are compressed.
        log_path: takes what the node prints.
        reliable: images are never dropped on their way; for lockstep only, since a robot's
            cameras send best effort.
        command: the node's program.
    """

    parameters: Mapping[str, bool | int | float | str]
    compressed: bool
    log_path: Path
    reliable: bool = False
    command: Sequence[str] = DEFAULT_COMMAND


class ReplaySession:
    """A node that is ready for images.

    Args:
        node: its process.
        participant: our side.
        collector: takes its answers.
    """

    def __init__(self, node: NodeProcess, participant: Participant, collector: Collector) -> None:
        self.node = node
        self.collector = collector
        self._init_attempts = 0
        self._player = Player(
            participant.publish_image,
            lambda init, stamp: participant.publish_init(TARGET_ID, init.box_xywh, stamp),
            collector.add,
            node.check,
        )

    def play_recorded(self, messages: Iterable[PlayedMessage], init: InitBox | None) -> None:
        """Play messages at their times, and wait for what is still to come.

        Raises:
            ReplayError: the node died, or does not answer the init box's frame.
        """
        self._player.play_recorded(messages, init, self._init_arrived)
        self._drain()

    def play_at_rate(self, messages: Iterable[PlayedMessage], init: InitBox | None) -> None:
        """As :meth:`play_recorded`, but without waiting for the node's final counts.

        Raises:
            ReplayError: the node died, or does not answer the init box's frame.
        """
        self._player.play_recorded(messages, init, self._init_arrived)
        self.collector.wait(lambda: self.collector.waiting == 0, _LAST_ANSWER_TIMEOUT_S)
        self.collector.finish()

    def play_lockstep(self, messages: Iterable[PlayedMessage], init: InitBox | None) -> None:
        """Play each message after the last one's answer.

        Raises:
            ReplayError: the node died, refused the init box, or does not answer.
        """
        self._player.play_lockstep(messages, init, self._wait_answered, self._wait_selected)
        self._drain()

    def check_selected(self) -> None:
        """Raise ReplayError if the node refused an init box."""
        if int(self.collector.values("targets").get("init boxes refused", 0)):
            raise ReplayError(
                self.collector.complaint("targets") or "the node refused the init box"
            )

    def _init_arrived(self, frame: ReplayedFrame) -> bool:
        self._init_attempts += 1
        if self.collector.wait(lambda: frame.is_complete, _INIT_TIMEOUT_S):
            self._init_attempts = 0
            return True
        if self._init_attempts == _MAX_INIT_ATTEMPTS:
            raise ReplayError(
                f"the node has not answered frame {frame.index}, which the target is to be "
                f"selected in, though it was sent {_MAX_INIT_ATTEMPTS} times{self._complaints()}"
            )
        self.collector.forget(frame)
        return False

    def _wait_answered(self, frame: ReplayedFrame) -> None:
        rejected = self.collector.node_counts().get("rejected", 0)

        def done() -> bool:
            return frame.is_complete or self.collector.node_counts().get("rejected", 0) > rejected

        deadline_s = time.perf_counter() + ANSWER_TIMEOUT_S
        while not self.collector.wait(done, _POLL_S):
            self.node.check()
            if time.perf_counter() > deadline_s:
                raise ReplayError(
                    f"the node has not answered frame {frame.index} within "
                    f"{ANSWER_TIMEOUT_S:g} s{self._complaints()}"
                )

    def _wait_selected(self, frame: ReplayedFrame) -> None:
        """The init box may reach the node after its image: the next one must not be faster."""
        if frame.box is not None:
            return
        before = int(self.collector.values("targets").get("init boxes accepted", 0))

        def decided() -> bool:
            values = self.collector.values("targets")
            accepted = int(values.get("init boxes accepted", 0)) > before
            return accepted or int(values.get("init boxes refused", 0)) > 0

        deadline_s = time.perf_counter() + ANSWER_TIMEOUT_S
        while not self.collector.wait(decided, _POLL_S):
            self.node.check()
            if time.perf_counter() > deadline_s:
                raise ReplayError(f"the node has not taken the init box{self._complaints()}")
        self.check_selected()

    def _drain(self) -> None:
        """Wait until the node's counts say that no image is waiting or in work."""
        end_s = time.perf_counter()

        def settled() -> bool:
            is_new = self.collector.diagnostics_s > end_s + 0.1
            return is_new and self.collector.node_counts().get("waiting", 1) == 0

        deadline_s = end_s + _DRAIN_TIMEOUT_S
        while not self.collector.wait(settled, _POLL_S) and time.perf_counter() < deadline_s:
            self.node.check()

    def _complaints(self) -> str:
        tasks = ("model", "images", "targets")
        found = [text for task in tasks if (text := self.collector.complaint(task))]
        return f": {'; '.join(found)}" if found else ""


@contextlib.contextmanager
def replaying(
    settings: NodeSettings, hand_on: Callable[[ReplayedFrame], None]
) -> Iterator[ReplaySession]:
    """Start a node and wait until it is ready; end it in any case.

    Args:
        settings: of the node.
        hand_on: takes every frame when all is known of it; those still open come at the end.

    Raises:
        ReplayError: the node ended, or was not ready in time.
    """
    # A namespace of our own: nothing is played to another node, and none of its answers is taken.
    namespace = f"/litetrack_bag_{os.getpid()}"
    parameters = dict(settings.parameters)
    if settings.compressed:
        parameters["image_transport"] = "compressed"
    if settings.reliable:
        topic = f"{namespace}/image{'/compressed' if settings.compressed else ''}"
        parameters[f"qos_overrides.{topic}.subscription.reliability"] = "reliable"
    collector = Collector(TARGET_ID, hand_on)
    node = NodeProcess(parameters, namespace, settings.log_path, settings.command)
    try:
        participant = Participant(
            namespace,
            settings.compressed,
            collector.on_boxes,
            collector.on_timing,
            collector.on_diagnostics,
        )
        try:
            _wait_ready(node, participant)
            yield ReplaySession(node, participant, collector)
        finally:
            participant.close()
            collector.finish()
    finally:
        node.end()


def _wait_ready(node: NodeProcess, participant: Participant) -> None:
    deadline_s = time.perf_counter() + START_TIMEOUT_S
    while not participant.is_matched:
        node.check()
        if time.perf_counter() > deadline_s:
            raise ReplayError(
                f"the node was not ready within {START_TIMEOUT_S:g} s: {node.log_tail()}"
            )
        time.sleep(0.05)
