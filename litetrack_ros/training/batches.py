"""Where a recipe's pairs come from, and their batches by step.

Any step's batch can be made again, in any process, without the rest: that is what makes a run
repeatable and a resumed run equal to an uninterrupted one.
"""

import bisect
import itertools
import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from litetrack_ros.config import ModelConfig
from litetrack_ros.datasets.catalogue import locate_set, open_set
from litetrack_ros.datasets.coco import find_coco, read_objects
from litetrack_ros.datasets.containers import Containers
from litetrack_ros.datasets.folder import has_sequences
from litetrack_ros.opencv import cv2
from litetrack_ros.pairs.clip_pairs import ClipPairs
from litetrack_ros.pairs.materials import Split
from litetrack_ros.pairs.pair import Pair
from litetrack_ros.pairs.pair_recipe import PairSampling, SourceShares, shared_sets
from litetrack_ros.pairs.photo_pairs import PhotoPairs
from litetrack_ros.pairs.sampling import TrackingPairs
from litetrack_ros.pairs.synthetic import SyntheticPairs
from litetrack_ros.training.recipe import Recipe

# Multiples of it fill the unit interval evenly, so that every batch has about the same mixture.
_GOLDEN = (5**0.5 - 1) / 2
PREFETCH_STEPS = 4  # batches that each worker keeps ready
_LOG = logging.getLogger(__name__)


class PairSource(Protocol):
    """Makes pairs; the same index always gives the same pair."""

    def pair(self, index: int) -> Pair:
        """The pair of an index from 0 on."""


class Sources(NamedTuple):
    """Sources of the pairs to train and to validate on."""

    train: PairSource
    validation: PairSource


def pair_sources(
    recipe: Recipe, places: Sequence[str], crops: ModelConfig | None = None
) -> Sources:
    """Open what a recipe is trained on; what a data set lacks is logged.

    Args:
        recipe: with ``sampling``, pairs are drawn from data sets; without, they are synthetic.
        places: what ``--data`` was given.
        crops: sizes and factors of the crops; None takes the model's own.

    Raises:
        DatasetError: data are missing.
    """
    config = crops or recipe.model_config()
    if recipe.sampling is not None:
        return Sources(
            _drawn(recipe, recipe.sampling, places, config, training=True),
            _drawn(recipe, recipe.sampling, places, config, training=False),
        )
    shares = recipe.sources or SourceShares()
    return Sources(
        _made(recipe, shares, places, config, "train"),
        _made(recipe, shares, places, config, "validation"),
    )


class MixedPairs:
    """Pairs of several sources, spread evenly over the indices by their shares.

    Args:
        sources: what the pairs come from.
        shares: how often from each, relative to each other.
    """

    def __init__(self, sources: Sequence[PairSource], shares: Sequence[float]) -> None:
        self.sources = list(sources)
        self._ends = [end / sum(shares) for end in itertools.accumulate(shares)]

    def pair(self, index: int) -> Pair:
        """The pair of an index from 0 on, which also decides on its source."""
        place = index * _GOLDEN % 1.0
        number = min(bisect.bisect(self._ends, place), len(self.sources) - 1)
        return self.sources[number].pair(index)


class PairBatch(NamedTuple):
    """A batch of pairs.

    Attributes:
        templates: uint8 RGB ``(B, S, S, 3)``, or the frozen stem's features ``(B, F, G, G)``.
        template_boxes_xyxy_norm: float32 ``(B, 4)``.
        searches: as ``templates``.
        search_boxes_cxcywh_norm: float32 ``(B, 4)``; zeros where absent.
        present: bool ``(B,)``.
        recents: the second templates, as ``templates``; the first of pairs that have none. None
            where no pair has one.
        recent_boxes_xyxy_norm: float32 ``(B, 4)``, or None.
    """

    templates: Tensor
    template_boxes_xyxy_norm: Tensor
    searches: Tensor
    search_boxes_cxcywh_norm: Tensor
    present: Tensor
    recents: Tensor | None = None
    recent_boxes_xyxy_norm: Tensor | None = None

    def to(self, device: torch.device) -> "PairBatch":
        """The same batch on a device."""
        return self.each(lambda tensor: tensor.to(device, non_blocking=True))

    def each(self, change: Callable[[Tensor], Tensor]) -> "PairBatch":
        """The batch with all its tensors changed alike."""
        tensors = {key: tensor for key, tensor in self._asdict().items() if tensor is not None}
        return self._replace(**{key: change(tensor) for key, tensor in tensors.items()})

    def first_alone(self) -> "PairBatch":
        """The same pairs without their second templates."""
        return self._replace(recents=None, recent_boxes_xyxy_norm=None)


def collate(pairs: list[Pair]) -> PairBatch:
    """Stack pairs into a batch of images."""
    batch = PairBatch(
        torch.from_numpy(np.stack([p.template for p in pairs])),
        _xyxy([p.template_box_cxcywh_norm for p in pairs]),
        torch.from_numpy(np.stack([p.search for p in pairs])),
        torch.from_numpy(np.stack([p.search_box_cxcywh_norm for p in pairs])),
        torch.tensor([p.present for p in pairs]),
    )
    if all(p.recent is None for p in pairs):
        return batch
    recents = [p.recent or (p.template, p.template_box_cxcywh_norm) for p in pairs]
    return batch._replace(
        recents=torch.from_numpy(np.stack([crop for crop, _ in recents])),
        recent_boxes_xyxy_norm=_xyxy([box for _, box in recents]),
    )


def _xyxy(boxes_cxcywh: list[npt.NDArray[np.float32]]) -> Tensor:
    boxes = torch.from_numpy(np.stack(boxes_cxcywh))
    half = boxes[:, 2:] / 2
    return torch.cat([boxes[:, :2] - half, boxes[:, :2] + half], dim=1)


class StepBatches(Dataset[PairBatch]):
    """Item ``k`` is the batch of step ``k`` of this process.

    Args:
        source: makes the pairs.
        batch_size: pairs a step.
        rank, world_size: of this process among those that train together; each has its own pairs.
        features: what turns images into features where the pairs are made; None keeps images.
    """

    def __init__(
        self,
        source: PairSource,
        batch_size: int,
        rank: int = 0,
        world_size: int = 1,
        features: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.source, self.batch_size = source, batch_size
        self.rank, self.world_size = rank, world_size
        self.features = features

    def __getitem__(self, step: int) -> PairBatch:
        first = (step * self.world_size + self.rank) * self.batch_size
        pairs = [self.source.pair(first + k) for k in range(self.batch_size)]
        batch = collate(pairs)
        if self.features is None:
            return batch
        templates, recents = self.features(batch.templates), None
        if batch.recents is not None:
            recents = templates.clone()  # those of the pairs without a second template
            own = torch.tensor([pair.recent is not None for pair in pairs])
            recents[own] = self.features(batch.recents[own])
        searches = self.features(batch.searches)
        return batch._replace(templates=templates, searches=searches, recents=recents)

    def between(
        self, start: int, stop: int, workers: int, device: torch.device | None = None
    ) -> Iterator[PairBatch]:
        """The batches of steps ``start`` to ``stop - 1``, made ahead by worker processes.

        Args:
            workers: number of processes, each with one thread; 0 makes batches in this process.
            device: where they go; for a GPU they lie in memory that it can read by itself.
        """
        loader = DataLoader(
            self,
            batch_size=None,
            sampler=range(start, stop),
            num_workers=workers,
            prefetch_factor=PREFETCH_STEPS if workers else None,
            worker_init_fn=_start_worker,
            pin_memory=device is not None and device.type == "cuda",
        )
        return iter(loader)


def roll_templates(
    batch: PairBatch, share: float, generator: torch.Generator, apart: float = 0.0
) -> PairBatch:
    """Give some pairs their neighbour's templates, which makes their own target a distractor.

    Args:
        batch: at least two pairs.
        share: part of the pairs, rounded to whole ones.
        generator: decides which.
        apart: part of those that keep their own second template, which then shows the distractor.
    """
    count = len(batch.present)
    order = torch.randperm(count, generator=generator)
    chosen = order[: round(share * count)].to(batch.present.device)
    source = torch.arange(count, device=batch.present.device)
    source[chosen] = (chosen + 1) % count
    present = batch.present.clone()
    present[chosen] = False
    rolled = batch._replace(
        templates=batch.templates[source],
        template_boxes_xyxy_norm=batch.template_boxes_xyxy_norm[source],
        present=present,
    )
    if batch.recents is None or batch.recent_boxes_xyxy_norm is None:
        return rolled
    kept = chosen[: round(apart * len(chosen))]
    source[kept] = kept
    return rolled._replace(
        recents=batch.recents[source],
        recent_boxes_xyxy_norm=batch.recent_boxes_xyxy_norm[source],
    )


def _drawn(
    recipe: Recipe,
    sampling: PairSampling,
    places: Sequence[str],
    config: ModelConfig,
    training: bool,
) -> TrackingPairs:
    shares = shared_sets(sampling.train if training else sampling.validation)
    sets = [open_set(name, locate_set(name, places)) for name in shares]
    for opened in sets:
        for problem in opened.problems:
            _LOG.warning("%s in %s: %s", opened.name, opened.root, problem)
    return TrackingPairs(
        sets, list(shares.values()), config, sampling, recipe.seed, augment=training
    )


def _made(
    recipe: Recipe,
    shares: SourceShares,
    places: Sequence[str],
    config: ModelConfig,
    split: Split,
) -> PairSource:
    """The source of a split; several are mixed."""
    folders = [Path(place) for place in places]
    made: list[tuple[PairSource, float]] = []
    if shares.synthetic:
        synthetic = SyntheticPairs(folders, config, recipe.seed, recipe.pairs, split=split)
        made.append((synthetic, shares.synthetic))
    if shares.clips:
        sets = [open_set("folder", folder) for folder in folders if has_sequences(folder)]
        held_out = shares.held_out.split()
        clips = ClipPairs(sets, config, recipe.seed, recipe.pairs, split, held_out)
        made.append((clips, shares.clips))
    if shares.photos:
        found = [(Containers(root), part) for f in folders for root, part in find_coco(f)]
        photos = [(containers, read_objects(containers, part)) for containers, part in found]
        made.append((PhotoPairs(photos, config, recipe.seed, recipe.pairs, split), shares.photos))
    if len(made) == 1:
        return made[0][0]
    return MixedPairs([source for source, _ in made], [share for _, share in made])


def _start_worker(worker: int) -> None:
    # Ctrl-C reaches every process of a terminal; the loop stops the workers when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
