"""Synthetic training pairs, each a pure function of a seed and its index."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from litetrack_ros.config import ModelConfig
from litetrack_ros.errors import DatasetError
from litetrack_ros.pairs.filmed import filmed_pair
from litetrack_ros.pairs.materials import HELD_OUT_CLIPS, Split, read_materials
from litetrack_ros.pairs.natural import natural_pair
from litetrack_ros.pairs.pair import Pair
from litetrack_ros.pairs.pair_recipe import PairRecipe
from litetrack_ros.pairs.pasted import pasted_pair


class SyntheticPairs:
    """Pairs composed from photos, cut-outs and clips.

    The pictures are decoded once a process; a process made by fork shares those of its parent.

    Args:
        folders: searched for pictures, see :mod:`litetrack_ros.pairs.materials`.
        model_config: sizes and factors of the crops.
        seed: another seed gives other pairs; at least 0.
        recipe: shares of what the pairs hold.
        split: which part of the pictures to use; ``train`` and ``validation`` share none.
        held_out_clips: names of the clips that are for validation.

    Raises:
        DatasetError: as :func:`read_materials`, or the split holds no photo.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        model_config: ModelConfig,
        seed: int,
        recipe: PairRecipe | None = None,
        split: Split = "train",
        held_out_clips: Sequence[str] = HELD_OUT_CLIPS,
    ) -> None:
        self.materials = read_materials(folders).split(split, held_out_clips)
        if not self.materials.photos:
            raise DatasetError(f"the {split} part of {', '.join(map(str, folders))} has no photo")
        self.recipe = PairRecipe() if recipe is None else recipe
        self.model_config = model_config
        self.seed = seed

    def pair(self, index: int) -> Pair:
        """The pair of an index (any integer of at least 0); the same in every process."""
        key = np.array([self.seed, index], dtype=np.uint64)
        rng = np.random.Generator(np.random.Philox(key=key))
        u = rng.random()
        make = pasted_pair
        if u < self.recipe.natural:
            make = natural_pair
        elif u < self.recipe.natural + self.recipe.filmed and self.materials.clips:
            make = filmed_pair
        return make(rng, self.materials, self.model_config, self.recipe)
