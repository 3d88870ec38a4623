"""``--jobs``, ``--ray`` and ``--gpu-part`` of verbs whose work can be shared out."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from litetrack_ros.errors import ConfigError
from litetrack_ros.evaluation.executors import Executor, InPlace, OnFrame, ProcessPool
from litetrack_ros.evaluation.ray_cluster import LOCAL, RayCluster

State = TypeVar("State")


@dataclass(frozen=True)
class WorkerChoice:
    """What :func:`add_worker_arguments` was given.

    Attributes:
        jobs: number of processes or workers.
        ray: address of a Ray cluster, or None for processes.
        gpu_part: of a GPU for each worker of Ray; None is a whole one where the device is one.

    Raises:
        ConfigError: a value is out of range, or for Ray alone.
    """

    jobs: int = 1
    ray: str | None = None
    gpu_part: float | None = None

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise ConfigError(f"--jobs is {self.jobs}, but must be at least 1")
        if self.gpu_part is None:
            return
        if self.ray is None:
            raise ConfigError("--gpu-part is for --ray; processes share what --devices names")
        if not 0 <= self.gpu_part < float("inf"):
            raise ConfigError(f"--gpu-part is {self.gpu_part:g}, but must be at least 0")

    def executor(
        self,
        opened: State,
        open_tool: Callable[[str], State],
        devices: Sequence[str],
        on_frame: OnFrame,
    ) -> Executor[State]:
        """Where the work is done.

        Args:
            opened: what the work needs, opened in this process.
            open_tool: opens it in another one, on a device; picklable.
            devices: what to run on; processes take them in turn, workers of Ray the first.
            on_frame: called for every frame, for a progress bar.
        """
        if self.ray is not None:
            whole = float(devices[0].startswith("cuda"))
            gpus = whole if self.gpu_part is None else self.gpu_part
            return RayCluster(open_tool, self.ray, devices[0], self.jobs, gpus, on_frame)
        if self.jobs > 1:
            return ProcessPool(open_tool, devices, self.jobs, on_frame)
        return InPlace(opened, on_frame)


def add_worker_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--jobs",
        type=int,
        default=WorkerChoice.jobs,
        help="processes, or with --ray workers (%(default)s)",
    )
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="share the work among the nodes of a Ray cluster: HOST:PORT, auto (the one that this "
        f"machine is part of) or {LOCAL} (this machine, for the time of the command)",
    )
    parser.add_argument(
        "--gpu-part",
        type=float,
        metavar="PART",
        help="of a GPU for each worker of --ray (1 where --device is one, or else 0)",
    )
