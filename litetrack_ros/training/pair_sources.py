"""Where a recipe's pairs come from: pictures to compose, or annotated video and photos."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from litetrack_ros.datasets.catalogue import locate_set, open_set
from litetrack_ros.pairs.pair_recipe import PairSampling, shared_sets
from litetrack_ros.pairs.sampling import TrackingPairs
from litetrack_ros.pairs.synthetic import SyntheticPairs
from litetrack_ros.training.batches import PairSource
from litetrack_ros.training.recipe import Recipe

_LOG = logging.getLogger(__name__)


class Sources(NamedTuple):
    """Sources of the pairs to train and to validate on."""

    train: PairSource
    validation: PairSource


def pair_sources(recipe: Recipe, places: Sequence[str]) -> Sources:
    """Open what a recipe is trained on; what a data set lacks is logged.

    Args:
        recipe: with ``sampling``, pairs are drawn from data sets; without, they are synthetic.
        places: what ``--data`` was given.

    Raises:
        DatasetError: data are missing.
    """
    if recipe.sampling is not None:
        return Sources(
            _drawn(recipe, recipe.sampling, places, training=True),
            _drawn(recipe, recipe.sampling, places, training=False),
        )
    folders, config = [Path(place) for place in places], recipe.model_config()
    return Sources(
        SyntheticPairs(folders, config, recipe.seed, split="train"),
        SyntheticPairs(folders, config, recipe.seed, split="validation"),
    )


def _drawn(
    recipe: Recipe, sampling: PairSampling, places: Sequence[str], training: bool
) -> TrackingPairs:
    shares = shared_sets(sampling.train if training else sampling.validation)
    sets = [open_set(name, locate_set(name, places)) for name in shares]
    for opened in sets:
        for problem in opened.problems:
            _LOG.warning("%s in %s: %s", opened.name, opened.root, problem)
    return TrackingPairs(
        sets, list(shares.values()), recipe.model_config(), sampling, recipe.seed, augment=training
    )
