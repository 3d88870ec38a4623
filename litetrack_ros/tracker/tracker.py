"""The tracker: the field's two methods, ``init(image, box)`` and ``update(image)``.

:class:`MultiTracker` follows any number of targets with one network call a frame;
:class:`Tracker` is the same for one target. Neither knows of ROS or of a network library.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from litetrack_ros.backends.base import Backend, Predictions, TemplateFeatures
from litetrack_ros.config import TrackerConfig
from litetrack_ros.crop import CropRegion, extract_crop
from litetrack_ros.geometry import BoxLike, FloatArray, check_init_box, clip_box_xywh
from litetrack_ros.images import ColorOrder, Image, Uint8Image, check_image, to_rgb8
from litetrack_ros.tracker.decode import map_box_back, template_box_xyxy_norm
from litetrack_ros.tracker.points import propose_boxes
from litetrack_ros.tracker.state import State, StateMachine


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
        candidate_box_xywh: what the network pointed at in this frame, trusted or not, ``(4,)``.
        score: raw score at the chosen cell, (0, 1).
        response: window times score there, the peak of the response.
        state: after this frame.
        timing: of the call, all targets together.

    Example:
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
    response: float
    state: State
    timing: StageTiming


class _TargetState:
    """What is kept of a target between frames."""

    def __init__(
        self,
        target_id: str,
        box_xywh: FloatArray,
        template: TemplateFeatures,
        config: TrackerConfig,
    ) -> None:
        self.target_id = target_id
        self.box_xywh = box_xywh
        self.trusted_box_xywh = box_xywh
        self.template = template
        self.machine = StateMachine(config)

    def follow(self, new_box_xywh: FloatArray, score: float) -> State:
        """Take a frame's box and score; return the state after it."""
        before = self.machine.state
        state = self.machine.update(score)
        if state is State.TRACKING:
            self.box_xywh = new_box_xywh
            if not self.machine.is_miss:
                self.trusted_box_xywh = new_box_xywh
        elif before is State.TRACKING:
            # The boxes of the misses that led here were guesses: fall back to the last trusted one.
            self.box_xywh = self.trusted_box_xywh
        return state


class MultiTracker:
    """Follows several targets, each chosen by a box, with one search call a frame for all.

    Args:
        backend: runs the network.
        config: overrides the settings stored with the weights.

    Example:
        >>> import litetrack_ros as lt
        >>> from litetrack_ros.media.scene import DrawnScene
        >>> scene = DrawnScene(frames=2)
        >>> tracker = lt.MultiTracker(lt.open_backend())
        >>> result = tracker.init(scene.frame(0), scene.box_xywh(0), target_id="toy")
        >>> result = tracker.init(scene.frame(0), (20, 30, 60, 50), target_id="leaf")
        >>> [result.target_id for result in tracker.update(scene.frame(1))]
        ['toy', 'leaf']
    """

    def __init__(self, backend: Backend, config: TrackerConfig | None = None) -> None:
        self.backend = backend
        self.config = backend.tracker_config if config is None else config
        self._targets: dict[str, _TargetState] = {}
        self._stacked: TemplateFeatures | None = None

    @property
    def target_ids(self) -> tuple[str, ...]:
        """The targets being followed, in the order they were first given."""
        return tuple(self._targets)

    def init(
        self,
        image: Image,
        box_xywh: BoxLike,
        target_id: str = "",
        color_order: ColorOrder = "bgr",
    ) -> TrackResult:
        """Start to follow what a box shows; the same id starts anew.

        Args:
            image: ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``, uint8 or uint16.
            box_xywh: image pixels, top-left origin; some of it inside the image.
            target_id: names the target.
            color_order: of images with colour.

        Returns:
            The init box as the first result, with score and response 1.

        Raises:
            ImageError: not an image.
            BoxError: a box no track can start from.
        """
        image = check_image(image)
        box = check_init_box(box_xywh, image.shape[1], image.shape[0])
        model = self.backend.model_config
        start = time.perf_counter()
        region = CropRegion.around(box, model.template_factor, model.template_size)
        crop = to_rgb8(extract_crop(image, region), color_order)
        target_box = template_box_xyxy_norm(box, region, model.decode)
        cropped = time.perf_counter()
        template = self.backend.encode_template(crop[None], target_box[None])
        encoded = time.perf_counter()
        target = _TargetState(target_id, box, template, self.config)
        self._targets[target_id] = target
        self._stacked = None
        timing = StageTiming(1e3 * (cropped - start), 1e3 * (encoded - cropped), 0.0)
        return TrackResult(
            target_id, box.copy(), box.copy(), 1.0, 1.0, target.machine.state, timing
        )

    def init_at(
        self,
        image: Image,
        point_xy: Sequence[float],
        target_id: str = "",
        color_order: ColorOrder = "bgr",
    ) -> TrackResult:
        """Start to follow what a point shows: :meth:`init` with the likeliest box around it.

        Args:
            point_xy: image pixels, on the object; the other arguments are those of :meth:`init`.

        Raises:
            ImageError: not an image.
            BoxError: a point outside the image or on plain ground.
        """
        best = propose_boxes(image, point_xy, color_order)[0]
        return self.init(image, best.box_xywh, target_id, color_order)

    def update(self, image: Image, color_order: ColorOrder = "bgr") -> list[TrackResult]:
        """Find every target in the next image.

        Args:
            image: as for :meth:`init`; its size may differ from the last one's.
            color_order: of images with colour.

        Returns:
            One result a target, in the order of :attr:`target_ids`. A target that was given up has
            the state IDLE in its last result and is forgotten.

        Raises:
            ImageError: not an image.
        """
        image = check_image(image)
        if not self._targets:
            return []
        targets = list(self._targets.values())
        start = time.perf_counter()
        regions = [self._search_region(target) for target in targets]
        crops = self._crops(image, regions, color_order)
        cropped = time.perf_counter()
        if self._stacked is None:
            self._stacked = self.backend.stack([target.template for target in targets])
        predictions = self.backend.search(crops, self._stacked)
        searched = time.perf_counter()
        candidates = self._decode(image, targets, regions, predictions)
        states = [
            target.follow(box, float(score))
            for target, box, score in zip(targets, candidates, predictions.scores, strict=True)
        ]
        decoded = time.perf_counter()
        timing = StageTiming(
            1e3 * (cropped - start), 1e3 * (searched - cropped), 1e3 * (decoded - searched)
        )
        results = [
            TrackResult(
                target.target_id,
                target.box_xywh.copy(),
                candidates[index].copy(),
                float(predictions.scores[index]),
                float(predictions.responses[index]),
                states[index],
                timing,
            )
            for index, target in enumerate(targets)
        ]
        for result in results:
            if result.state is State.IDLE:
                self.remove(result.target_id)
        return results

    def adopt(self, other: MultiTracker) -> None:
        """Take over all targets of another tracker with the same backend, in place of their ids."""
        self._targets.update(other._targets)
        self._stacked = None
        other.reset()

    def remove(self, target_id: str) -> None:
        """Forget a target; an unknown id is ignored."""
        if self._targets.pop(target_id, None) is not None:
            self._stacked = None

    def reset(self) -> None:
        """Forget all targets."""
        self._targets.clear()
        self._stacked = None

    def configure(self, config: TrackerConfig) -> None:
        """Use other settings from the next frame on, for the targets at hand too."""
        self.config = config
        for target in self._targets.values():
            target.machine.config = config

    def _search_region(self, target: _TargetState) -> CropRegion:
        model = self.backend.model_config
        factor = model.search_factor * target.machine.search_scale
        return CropRegion.around(target.box_xywh, factor, model.search_size)

    def _crops(
        self, image: Image, regions: Sequence[CropRegion], color_order: ColorOrder
    ) -> Uint8Image:
        if len(regions) == 1:
            return to_rgb8(extract_crop(image, regions[0]), color_order)[None]
        return np.stack([to_rgb8(extract_crop(image, region), color_order) for region in regions])

    def _decode(
        self,
        image: Image,
        targets: Sequence[_TargetState],
        regions: Sequence[CropRegion],
        predictions: Predictions,
    ) -> list[FloatArray]:
        """The box that the network points at for each target, clipped to the image."""
        decode, config = self.backend.model_config.decode, self.config
        boxes = []
        for index, (target, region) in enumerate(zip(targets, regions, strict=True)):
            box = map_box_back(predictions.boxes_cxcywh_norm[index], region, decode)
            if config.size_smoothing < 1.0:
                box = _smooth_size(box, target.box_xywh, config.size_smoothing)
            boxes.append(clip_box_xywh(box, image.shape[1], image.shape[0], config.clip_margin_px))
        return boxes


class Tracker:
    """Follows one target.

    Args:
        backend: runs the network.
        config: overrides the settings stored with the weights.

    Example:
        >>> import litetrack_ros as lt
        >>> from litetrack_ros.media.scene import DrawnScene
        >>> (first, init_box), (second, true_box) = DrawnScene(frames=2)
        >>> tracker = lt.Tracker(lt.open_backend())
        >>> result = tracker.init(first, init_box)
        >>> result = tracker.update(second)  # None once the target was given up
        >>> bool(abs(result.box_xywh - true_box).max() < 10)
        True
    """

    def __init__(self, backend: Backend, config: TrackerConfig | None = None) -> None:
        self._tracker = MultiTracker(backend, config)

    def init(self, image: Image, box_xywh: BoxLike, color_order: ColorOrder = "bgr") -> TrackResult:
        """As :meth:`MultiTracker.init`."""
        return self._tracker.init(image, box_xywh, color_order=color_order)

    def init_at(
        self, image: Image, point_xy: Sequence[float], color_order: ColorOrder = "bgr"
    ) -> TrackResult:
        """As :meth:`MultiTracker.init_at`."""
        return self._tracker.init_at(image, point_xy, color_order=color_order)

    def update(self, image: Image, color_order: ColorOrder = "bgr") -> TrackResult | None:
        """As :meth:`MultiTracker.update`; None without a target to follow."""
        results = self._tracker.update(image, color_order)
        return results[0] if results else None


def _smooth_size(box_xywh: FloatArray, previous_xywh: FloatArray, weight: float) -> FloatArray:
    """Blend the size with the previous one around the new centre."""
    size = weight * box_xywh[2:] + (1 - weight) * previous_xywh[2:]
    return np.concatenate([box_xywh[:2] + 0.5 * (box_xywh[2:] - size), size])
