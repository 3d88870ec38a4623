"""The processes that carry a run out, and when they stop before its last step.

Several train together as `torchrun` starts them; one alone otherwise. A signal or a time limit
stops a run between two steps, never in mid-step.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import TypeVar

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

SIGNALS = (signal.SIGINT, signal.SIGTERM)

Item = TypeVar("Item")


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

    def average_gradients(self, network: nn.Module) -> None:
        """Average gradients that came about without the wrapped network."""
        if self.world_size > 1:
            for parameter in network.parameters():
                if parameter.grad is not None:
                    distributed.all_reduce(parameter.grad)
                    parameter.grad /= self.world_size

    def share(self, work: Sequence[Item]) -> Sequence[Item]:
        """This process's part of what is done together."""
        return work[self.rank :: self.world_size]

    def gather(self, done: Sequence[Item]) -> list[Item]:
        """What came of every process's :meth:`share`, in the order of the whole; all must ask."""
        if self.world_size == 1:
            return list(done)
        parts: list[list[Item]] = [[] for _ in range(self.world_size)]
        distributed.all_gather_object(parts, list(done))
        longest = max(map(len, parts))
        return [part[k] for k in range(longest) for part in parts if k < len(part)]

    def any_process(self, flag: bool) -> bool:
        """Whether the flag is set in any process; every process must ask."""
        if self.world_size == 1:
            return flag
        shared = torch.tensor(float(flag), device=self.device)
        distributed.all_reduce(shared, distributed.ReduceOp.MAX)
        return bool(shared > 0)


ALONE = ProcessGroup(0, 1, torch.device("cpu"))


def announced_processes() -> int:
    """How many processes `torchrun` announced in the environment; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextlib.contextmanager
def process_group(device: str) -> Iterator[ProcessGroup]:
    """Join the processes that `torchrun` announced in the environment, if it did.

    Args:
        device: ``cpu`` or ``cuda``; with ``cuda`` each process takes the GPU of its local rank.
    """
    world_size = announced_processes()
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


class StopRequest:
    """Says whether to stop after the current step.

    Args:
        max_minutes: of wall time from now on; None is no limit.
    """

    def __init__(self, max_minutes: float | None) -> None:
        self._deadline = None if max_minutes is None else time.monotonic() + 60 * max_minutes
        self._signalled = False

    @property
    def due(self) -> bool:
        """Whether a signal came or the time is up."""
        late = self._deadline is not None and time.monotonic() >= self._deadline
        return self._signalled or late

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM as requests to stop while the block runs."""
        previous = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True
