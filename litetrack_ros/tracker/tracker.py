"""The tracker: the field's two methods, ``init(image, box)`` and ``update(image)``.

:class:`MultiTracker` follows any number of targets with one network call a frame;
:class:`Tracker` is the same for one target. Neither knows of ROS or of a network library.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from litetrack_ros.backends.base import Backend, Predictions, TemplateFeatures
from litetrack_ros.config import TrackerConfig
from litetrack_ros.crop import CropRegion, extract_crop
from litetrack_ros.errors import BoxError
from litetrack_ros.geometry import BoxLike, FloatArray, check_init_box, clip_box_xywh, overlap
from litetrack_ros.images import ColorOrder, Image, check_image, to_rgb8
from litetrack_ros.tracker.camera_motion import reduce_picture
from litetrack_ros.tracker.confidence import held_features, probability
from litetrack_ros.tracker.decode import (
    is_finite_template,
    is_usable,
    map_box_back,
    template_box_xyxy_norm,
)
from litetrack_ros.tracker.finding import Finder, scores_of
from litetrack_ros.tracker.looks import Glimpse
from litetrack_ros.tracker.point_boxes import propose_boxes
from litetrack_ros.tracker.recent_template import RecentTemplates
from litetrack_ros.tracker.result import StageTiming, TrackResult
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.target import TargetState, follow_camera


class MultiTracker:
    """Follows several targets, each chosen by a box, with one search call a frame for all.

    Args:
        backend: runs the network.
        config: overrides the settings stored with the weights.

    Examples:
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
        self._targets: dict[str, TargetState] = {}
        self._stacked: TemplateFeatures | None = None
        self._recent = RecentTemplates(backend)
        self._finder = Finder(backend)

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
            The init box as the first result, with scores and response 1.

        Raises:
            ImageError: not an image.
            BoxError: a box no track can start from, or of which the network makes numbers that are
                not finite.
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
        if not is_finite_template(template):
            raise BoxError(
                "the network's answer to the target is not finite: its weights are damaged, or its "
                "precision is too low; use another model file or fp32"
            )
        target = TargetState(target_id, box, template, Glimpse(crop, target_box), self.config)
        if self.config.follows_camera:
            target.picture = reduce_picture(image)
        self._targets[target_id] = target
        self._stacked = None
        timing = StageTiming(1e3 * (cropped - start), 1e3 * (encoded - cropped), 0.0)
        calibrated = self.config.calibration is not None
        state = target.machine.state
        return TrackResult(
            target_id, box.copy(), box.copy(), 1.0, 1.0, calibrated, 1.0, state, timing
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
        self.refresh()
        if self.config.follows_camera:
            follow_camera(targets, image)
        regions = [self._search_region(target) for target in targets]
        crops = self.backend.cut(image, regions, color_order)
        cropped = time.perf_counter()
        if self._stacked is None:
            self._stacked = self.backend.stack([target.template for target in targets])
        predictions = self.backend.search(crops, self._stacked)
        searched = time.perf_counter()
        usable, candidates = self._decode(image, targets, regions, predictions)
        previous = np.stack([target.search_box_xywh for target in targets])
        candidate_scores = scores_of(predictions, usable, candidates, previous, self.config)
        judged = self._follow(image, color_order, candidates, candidate_scores, usable)
        scores = self._published_scores(targets, candidates, candidate_scores, judged)
        boxes = [self._published_box(target, image) for target in targets]
        responses = np.where(usable, predictions.responses, 0.0)
        decoded = time.perf_counter()
        timing = StageTiming(
            1e3 * (cropped - start), 1e3 * (searched - cropped), 1e3 * (decoded - searched)
        )
        results = [
            TrackResult(
                target.target_id,
                boxes[index],
                candidates[index].copy(),
                float(scores[index]),
                float(candidate_scores[index]),
                self.config.calibration is not None,
                float(responses[index]),
                target.machine.state,
                timing,
                target.no_answers,
            )
            for index, target in enumerate(targets)
        ]
        for result in results:
            if result.state is State.IDLE:
                self.remove(result.target_id)
        scored = zip(targets, candidate_scores.tolist(), strict=True)
        self._recent.watch(image, color_order, scored, self.config)
        if self.config.search_crops:
            maps = predictions.score_maps
            self._finder.watch(image, color_order, zip(targets, regions, maps, strict=True))
        return results

    def refresh(self) -> None:
        """Do what no frame should wait for, after the results of the last update are out.

        That is to encode the recent template that the update took, and to search for LOST targets
        elsewhere in its image.

        To be called when the results are out, such that no frame waits for it; else the next
        update begins with it, and the results are the same.
        """
        if self._recent.encode() is not None:
            self._stacked = None
        self._finder.search(list(self._targets.values()), self.config)

    def starting_at(self, target_id: str, box_xywh: BoxLike) -> MultiTracker:
        """A tracker that follows one of these targets, by its template, from another box.

        Args:
            target_id: of a target that is followed.
            box_xywh: image pixels, in the next image.
        """
        other = MultiTracker(self.backend, self.config)
        box = np.array(box_xywh, dtype=np.float64)
        known = self._targets[target_id]
        other._targets[target_id] = TargetState(
            target_id, box, known.first_template, known.glimpse, self.config
        )
        return other

    def adopt(self, other: MultiTracker) -> None:
        """Take over all targets of another tracker with the same backend, in place of their ids."""
        other.refresh()
        self._targets.update(other._targets)
        self._stacked = None
        other.reset()

    def remove(self, target_id: str) -> None:
        """Forget a target; an unknown id is ignored."""
        if self._targets.pop(target_id, None) is not None:
            self._stacked = None

    def rescale(self, across: float, down: float) -> None:
        """Move all boxes into images of another size, the same picture larger or smaller.

        Args:
            across: new width over old width.
            down: new height over old height.
        """
        factors = np.array([across, down, across, down])
        for target in self._targets.values():
            target.box_xywh = target.box_xywh * factors
            target.trusted_box_xywh = target.trusted_box_xywh * factors
            target.undoubted_box_xywh = target.undoubted_box_xywh * factors
            target.motion_px, target.hunt = target.motion_px * factors[:2], None

    def reset(self) -> None:
        """Forget all targets."""
        self._targets.clear()
        self._stacked = None

    def configure(self, config: TrackerConfig) -> None:
        """Use other settings from the next frame on, for the targets at hand too."""
        self.config = config
        for target in self._targets.values():
            target.machine.config = config

    def _search_region(self, target: TargetState) -> CropRegion:
        model = self.backend.model_config
        factor = model.search_factor * target.search_scale
        return CropRegion.around(target.search_box_xywh, factor, model.search_size)

    def _decode(
        self,
        image: Image,
        targets: Sequence[TargetState],
        regions: Sequence[CropRegion],
        predictions: Predictions,
    ) -> tuple[npt.NDArray[np.bool_], FloatArray]:
        """Whether each target's answer is one ``(N,)``, and its box, clipped, ``(N, 4)``.

        Where it is none, the box is the one that the target has.
        """
        decode, config = self.backend.model_config.decode, self.config
        height, width = image.shape[:2]
        pointed_at = zip(predictions.boxes_cxcywh_norm, regions, strict=True)
        boxes = np.stack([map_box_back(box, region, decode) for box, region in pointed_at])
        usable = is_usable(predictions, boxes, width, height)
        for index, target in enumerate(targets):
            if not usable[index]:
                boxes[index] = target.box_xywh
                continue
            if config.size_smoothing < 1.0:
                last = target.search_box_xywh
                boxes[index] = _smooth_size(boxes[index], last, config.size_smoothing)
            boxes[index] = clip_box_xywh(boxes[index], width, height, config.clip_margin_px)
        return usable, boxes

    def _follow(
        self,
        image: Image,
        color_order: ColorOrder,
        candidates: FloatArray,
        scores: FloatArray,
        usable: npt.NDArray[np.bool_],
    ) -> FloatArray:
        """Step every target with its candidate; what a LOST one is found by is judged first.

        Returns:
            The scores that the targets went on with, 0 where a candidate was refused, ``(N,)``.
        """
        judged = scores.copy()
        for index, target in enumerate(self._targets.values()):
            box, score = candidates[index], float(scores[index])
            if self.config.search_crops and target.machine.state is State.LOST:
                score = self._finder.judge(image, color_order, target, box, score, self.config)
            target.follow(box, score, bool(usable[index]))
            judged[index] = score
        return judged

    def _published_box(self, target: TargetState, image: Image) -> FloatArray:
        """The target's box; where the camera has turned away from a held one, its place inside."""
        if target.machine.state is State.TRACKING or not self.config.follows_camera:
            return target.box_xywh.copy()
        height, width = image.shape[:2]
        return clip_box_xywh(target.box_xywh, width, height, self.config.clip_margin_px)

    def _published_scores(
        self,
        targets: Sequence[TargetState],
        candidates: FloatArray,
        candidate_scores: FloatArray,
        judged: FloatArray,
    ) -> FloatArray:
        """The scores of the targets' own boxes ``(N,)``, after the frame.

        A candidate that was refused says nothing for the held box that it may lie on.
        """
        is_held = np.array([target.machine.state is not State.TRACKING for target in targets])
        if self.config.calibration is None or not is_held.any():
            return candidate_scores
        ages = np.array([target.untrusted_frames for target in targets], dtype=np.float64)
        overlaps = overlap(candidates, np.stack([target.box_xywh for target in targets]))
        features = held_features(judged, overlaps, ages)
        held = probability(self.config.calibration.held, features)
        return np.where(is_held, held, candidate_scores)


class Tracker:
    """Follows one target.

    Args:
        backend: runs the network.
        config: overrides the settings stored with the weights.

    Examples:
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

    def refresh(self) -> None:
        """As :meth:`MultiTracker.refresh`."""
        self._tracker.refresh()


def _smooth_size(box_xywh: FloatArray, previous_xywh: FloatArray, weight: float) -> FloatArray:
    """Blend the size with the previous one around the new centre."""
    size = weight * box_xywh[2:] + (1 - weight) * previous_xywh[2:]
    return np.concatenate([box_xywh[:2] + 0.5 * (box_xywh[2:] - size), size])
