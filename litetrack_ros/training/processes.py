"""The processes that train together, as `torchrun` starts them; one alone otherwise."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class ProcessGroup:
    """This process among those that train together.

    Attributes:
        rank, world_size: its number and how many there are.
        device: what this process computes on.
    """

    rank: int
    world_size: int
    device: torch.device

    def wrap(self, network: nn.Module) -> nn.Module:
        """Average the gradients over all processes."""
        if self.world_size == 1:
            return network
        return DistributedDataParallel(network)

    def any_process(self, flag: bool) -> bool:
        """Whether the flag is set in any process; every process must ask."""
        if self.world_size == 1:
            return flag
        shared = torch.tensor(float(flag), device=self.device)
        distributed.all_reduce(shared, distributed.ReduceOp.MAX)
        return bool(shared > 0)


@contextlib.contextmanager
def process_group(device: str) -> Iterator[ProcessGroup]:
    """Join the processes that `torchrun` announced in the environment, if it did.

    Args:
        device: ``cpu`` or ``cuda``; with ``cuda`` each process takes the GPU of its local rank.
    """
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    chosen = torch.device(device)
    if world_size == 1:
        yield ProcessGroup(0, 1, chosen)
        return
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(chosen)
    distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield ProcessGroup(distributed.get_rank(), world_size, chosen)
        # Together: a process whose peer has already left may be aborted by gloo's threads.
        distributed.barrier()
    finally:
        distributed.destroy_process_group()
