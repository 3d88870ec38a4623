"""Finding a LOST target again, anywhere in the picture, and only the target.

While a target is LOST, each frame a fixed number of further regions is searched: by turns the place
that its colours propose and the next window of a raster (:mod:`litetrack_ros.tracker.proposals`).
What the network points at there is a suspect. In the next frames the target's own search region is
laid around it: only a suspect that keeps its place and its probability, and that looks like the
first template (:mod:`litetrack_ros.tracker.looks`), is the target again. What was clearly not, and
what stood beside the target while it was tracked, is remembered: who resembles one of these more
than the first template is refused.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from litetrack_ros.backends.base import Backend, Predictions
from litetrack_ros.config import TrackerConfig
from litetrack_ros.crop import CropRegion
from litetrack_ros.geometry import FloatArray, overlap
from litetrack_ros.images import ColorOrder, Image
from litetrack_ros.tracker.confidence import candidate_features, probability
from litetrack_ros.tracker.decode import is_usable, map_box_back
from litetrack_ros.tracker.hunt import Hunt, Suspect
from litetrack_ros.tracker.looks import Glimpse, Look, glimpse, likeness, look_at, shares_of
from litetrack_ros.tracker.proposals import Proposals
from litetrack_ros.tracker.target import TargetState

_SUSPECT_SHARE = 0.4  # of the threshold for being found, from which on a region is looked at again
_SAME_PLACE = 0.4  # overlap of a suspect with itself in the frame before
_CLEARLY_ANOTHER = 0.07  # less like the target than needed: remembered as another
_LESS_ALIKE = 0.1  # than the target was to itself while it was tracked: enough ...
_LEAST_ALIKE = 0.08  # ... but for what is so much below the likeness asked for
_DOUBTED = 0.05  # less like the target: LOST, where its score had gone down and come back
_KNOWN = 0.9  # likeness from which on somebody is remembered already
_RASTER_SCALE = 1.25  # of the search region
_REMEMBER_EVERY = 15  # frames of a target that is tracked with certainty

_BESIDE_PEAK = 0.5  # of the target's score: what else has one is remembered too
_BESIDE_CELLS = 2  # around the peak that belong to it


class Finder:
    """Searches for LOST targets beside the tracker's own step.

    Args:
        backend: runs the network.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._turn = 0
        self._doubts: list[tuple[TargetState, Glimpse]] = []
        self._picture: tuple[Image, ColorOrder] | None = None

    def judge(
        self,
        image: Image,
        color_order: ColorOrder,
        target: TargetState,
        candidate_xywh: FloatArray,
        score: float,
        config: TrackerConfig,
    ) -> float:
        """The score with which a LOST target goes on: the candidate's, or 0 where it is refused.

        It is refused until it was looked at, which is done when the frame's results are out.
        """
        hunt = target.hunt
        if hunt is None:
            hunt = target.hunt = self._begin(target)
        hunt.frame += 1
        suspect = hunt.suspect
        threshold = max(config.found_threshold, config.lost_threshold)
        stays = suspect is None or overlap(candidate_xywh, suspect.box_xywh) >= _SAME_PLACE
        if not stays or score < threshold:
            if suspect is None and score >= _SUSPECT_SHARE * threshold:
                hunt.waiting.append(Suspect(candidate_xywh, score, hunt.frame))
            hunt.drop()
            return 0.0
        hunt.unseen = glimpse(self._backend, image, candidate_xywh, color_order)
        hunt.suspect = Suspect(candidate_xywh, score, hunt.frame)
        return score if hunt.likenesses else 0.0

    def watch(
        self,
        image: Image,
        color_order: ColorOrder,
        answers: Iterable[tuple[TargetState, CropRegion, npt.NDArray[np.float32]]],
    ) -> None:
        """Keep a frame in which targets are LOST, and see who stands beside the others.

        Args:
            image: the frame, checked.
            color_order: of images with colour.
            answers: the targets after the frame, where they were searched, and all cells' scores.
        """
        for target, region, score_map in answers:
            if target.hunt is not None:
                self._picture = image, color_order
            elif target.is_doubtful and not target.machine.is_miss:
                box = target.box_xywh
                self._doubts.append((target, glimpse(self._backend, image, box, color_order)))
                target.is_doubtful = False
            elif target.untrusted_frames == 0:
                self._remember(image, color_order, target, region, score_map)

    def search(self, targets: Sequence[TargetState], config: TrackerConfig) -> None:
        """Search the frame that was kept, if any, for targets that are LOST, each in its turn."""
        for target, seen in self._doubts:
            alike = likeness(self._first_look(target), look_at(self._backend, seen))
            if alike < _least_likeness(target, config) - _DOUBTED:
                target.lose()
        self._doubts.clear()
        if self._picture is None:
            return
        (image, color_order), self._picture = self._picture, None
        lost = [(target, target.hunt) for target in targets if target.hunt is not None]
        left = config.search_crops
        for target, hunt in lost:
            if hunt.unseen is not None and left > 0:
                left -= 1
                self._compare(target, hunt, hunt.unseen, config)
            if target.seen and left > 0:
                left -= 1
                own = look_at(self._backend, target.seen.pop())
                target.own_likenesses.append(likeness(hunt.look, own))
            if target.beside and left > 0:
                left -= 1
                target.others.append(look_at(self._backend, target.beside.pop()))
        if lost and left > 0:
            places = [lost[(self._turn + k) % len(lost)] for k in range(left)]
            self._turn += left
            self._look_around(image, color_order, places, config)
        for target, hunt in lost:
            if hunt.suspect is None:
                hunt.drop()
            hunt.window_xywh = None
            if hunt.suspect is None and hunt.is_free:
                hunt.proposals.look(image, color_order)
                size = target.box_xywh[2:]
                center = hunt.proposals.next_window()
                hunt.window_xywh = np.concatenate([center - 0.5 * size, size])

    def _remember(
        self,
        image: Image,
        color_order: ColorOrder,
        target: TargetState,
        region: CropRegion,
        score_map: npt.NDArray[np.float32],
    ) -> None:
        """Remember a target that is tracked with certainty, and what has a high score beside it."""
        target.tracked_frames += 1
        if target.tracked_frames % _REMEMBER_EVERY:
            return
        target.seen.append(glimpse(self._backend, image, target.box_xywh, color_order))
        others = score_map.copy()
        row, column = np.unravel_index(int(others.argmax()), others.shape)
        peak, reach = others[row, column], _BESIDE_CELLS
        rows = slice(max(0, row - reach), row + reach + 1)
        others[rows, max(0, column - reach) : column + reach + 1] = 0.0
        row, column = np.unravel_index(int(others.argmax()), others.shape)
        if others[row, column] < _BESIDE_PEAK * peak:
            return
        cell = np.array([column + 0.5, row + 0.5, 0.0, 0.0]) / len(others)
        center, size = region.crop_to_image(cell)[:2], target.box_xywh[2:]
        beside = np.concatenate([center - 0.5 * size, size])
        is_inside = (center >= 0).all() and (center < image.shape[1::-1]).all()
        if is_inside and overlap(beside, target.box_xywh) <= 0.0:
            target.beside.append(glimpse(self._backend, image, beside, color_order))

    def _compare(
        self, target: TargetState, hunt: Hunt, seen: Glimpse, config: TrackerConfig
    ) -> None:
        """Look at a suspect, and leave it unless it is the target by all looks at it so far."""
        hunt.unseen = None
        look = look_at(self._backend, seen)
        hunt.likenesses.append(likeness(hunt.look, look))
        alike = float(np.mean(hunt.likenesses))
        other = max((likeness(one, look) for one in target.others), default=0.0)
        least = _least_likeness(target, config)
        if alike >= max(least, other):
            return
        if alike < least - _CLEARLY_ANOTHER and other < _KNOWN:
            target.others.append(look)
        hunt.drop()

    def _begin(self, target: TargetState) -> Hunt:
        model = self._backend.model_config
        look, box = self._first_look(target), target.box_xywh
        side = _RASTER_SCALE * model.search_factor * float(np.sqrt(box[2:].prod()))
        return Hunt(look, Proposals(shares_of(look), box, side))

    def _first_look(self, target: TargetState) -> Look:
        """The look of the first template, made when it is asked for first."""
        if target.look is None:
            target.look = look_at(self._backend, target.glimpse, target.first_template)
        return target.look

    def _look_around(
        self,
        image: Image,
        color_order: ColorOrder,
        places: Sequence[tuple[TargetState, Hunt]],
        config: TrackerConfig,
    ) -> None:
        model = self._backend.model_config
        height, width = image.shape[:2]
        pictured: set[str] = set()
        boxes, regions = [], []
        for target, hunt in places:
            if target.target_id not in pictured:
                pictured.add(target.target_id)
                hunt.proposals.look(image, color_order)
            size = target.box_xywh[2:]
            raster = hunt.raster_is_next
            hunt.raster_is_next = not raster
            center = hunt.proposals.next_window() if raster else hunt.proposals.best()
            box = np.concatenate([center - 0.5 * size, size])
            scale = _RASTER_SCALE if raster else 1.0
            boxes.append(box)
            regions.append(CropRegion.around(box, scale * model.search_factor, model.search_size))
        crops = self._backend.cut(image, regions, color_order)
        templates = self._backend.stack([target.template for target, _ in places])
        answers = self._backend.search(crops, templates)
        found = np.stack(
            [
                map_box_back(box, region, model.decode)
                for box, region in zip(answers.boxes_cxcywh_norm, regions, strict=True)
            ]
        )
        usable = is_usable(answers, found, width, height)
        scores = scores_of(answers, usable, found, np.stack(boxes), config)
        threshold = _SUSPECT_SHARE * max(config.found_threshold, config.lost_threshold)
        for (_, hunt), box, score in zip(places, found, scores.tolist(), strict=True):
            if score >= threshold:
                hunt.waiting.append(Suspect(box, score, hunt.frame))


def _least_likeness(target: TargetState, config: TrackerConfig) -> float:
    """How much a suspect must look like the target: less where that changes itself."""
    asked = config.found_likeness
    if not target.own_likenesses:
        return asked
    own = float(np.median(target.own_likenesses))
    return max(min(asked, own - _LESS_ALIKE), asked - _LEAST_ALIKE)


def scores_of(
    predictions: Predictions,
    usable: npt.NDArray[np.bool_],
    candidates: FloatArray,
    previous: FloatArray,
    config: TrackerConfig,
) -> FloatArray:
    """The scores of candidates ``(N,)``, probabilities where there is a calibration.

    Args:
        predictions: of N regions.
        usable: which of them are answers at all.
        candidates: their boxes in the image, px, ``(N, 4)``.
        previous: the boxes around which was searched, px, ``(N, 4)``.
        config: with the calibration.
    """
    if config.calibration is None:
        return np.where(usable, predictions.scores, 0.0).astype(np.float64)
    scores = np.zeros(len(candidates))
    if usable.any():
        answers = Predictions(*(part[usable] for part in predictions))
        features = candidate_features(answers, candidates[usable], previous[usable])
        scores[usable] = probability(config.calibration.candidate, features)
    return scores
