"""Writes the gradients of one step on pairs; alone, or as one of the processes of `torchrun`.

Usage: gradients_of_pairs.py OUT BATCH_SIZE
"""

from __future__ import annotations

import sys

import torch
from tracking_sets import made_set

from litetrack_ros.config import ModelConfig
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.pairs.pair_recipe import PairSampling
from litetrack_ros.pairs.sampling import TrackingPairs
from litetrack_ros.training.batches import StepBatches
from litetrack_ros.training.losses import LossWeights, peak_losses
from litetrack_ros.training.network import TrainedNetwork
from litetrack_ros.training.processes import process_group

CONFIG = ModelConfig(
    name="tiny", embed_dim=32, num_heads=2, fe_layers=1, ai_layers=1, head_channels=16
)


def main(out: str, batch_size: int) -> None:
    """One forward and backward pass; batch norm in eval, drop path 0."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sampling = PairSampling(train="two", validation="two")
    source = TrackingPairs([made_set("two")], [1], CONFIG, sampling, seed=1)
    with process_group("cpu") as group:
        network = TrainedNetwork(LiteTrack(CONFIG), freeze_stem=False).eval()
        wrapped = group.wrap(network)
        batch = StepBatches(source, batch_size, group.rank, group.world_size)[0]
        maps = wrapped(batch)
        boxes = batch.search_boxes_cxcywh_norm
        peak_losses(maps, boxes, batch.present, LossWeights(1, 2, 5)).total.backward()
        if group.rank == 0:
            torch.save({n: p.grad for n, p in network.named_parameters()}, out)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
