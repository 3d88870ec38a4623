"""Where independent jobs are done: in this process, in several, or on a cluster.

A :class:`Job` only computes: whoever asks for its result writes it, so that what is written is
written by one process. :mod:`litetrack_ros.evaluation.ray_cluster` is the third executor.
"""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from litetrack_ros.child_processes import end_with
from litetrack_ros.errors import BackendError

OnFrame = Callable[[], None]
State = TypeVar("State")
Tool = TypeVar("Tool", contravariant=True)
Result = TypeVar("Result")
Made = TypeVar("Made", covariant=True)
Given = TypeVar("Given", covariant=True)


class Job(Protocol[Tool, Made]):
    """A piece of work that needs a tool, such as an opened model; picklable.

    Attributes:
        name: for messages.
        frames: how long it is; the longest are begun first.
    """

    @property
    def name(self) -> str: ...

    @property
    def frames(self) -> int: ...

    def files(self) -> Mapping[str, bytes]:
        """The files that it reads, by relative names with forward slashes.

        Raises:
            LiteTrackError: one cannot be read.
        """

    def in_folder(self, folder: Path) -> "Job[Tool, Made]":
        """The same job on a machine where these files lie in a folder."""

    def do(self, tool: Tool, on_frame: OnFrame) -> Made:
        """Do it; it writes nothing that stays."""


class Executor(Protocol[Given]):
    """Where jobs are done."""

    def run(self, jobs: Sequence[Job[Given, Result]]) -> Iterator[tuple[int, Result]]:
        """Do all jobs.

        Yields:
            Each result when it is there, with the job's index.
        """


@dataclass(frozen=True)
class InPlace(Generic[State]):
    """One job after the other in this process.

    Attributes:
        tool: what the jobs need.
        on_frame: called after every frame, for a progress bar.
    """

    tool: State
    on_frame: OnFrame = lambda: None

    def run(self, jobs: Sequence[Job[State, Result]]) -> Iterator[tuple[int, Result]]:
        """See :class:`Executor`."""
        for index, job in enumerate(jobs):
            yield index, job.do(self.tool, self.on_frame)


@dataclass(frozen=True)
class ProcessPool(Generic[State]):
    """Several processes, the longest jobs first.

    Attributes:
        open_tool: called once a process with its device; must be picklable.
        devices: such as ``cpu`` or ``cuda:1``; processes take them in turn.
        jobs: number of processes.
        on_frame: called for every frame when its job has ended.
    """

    open_tool: Callable[[str], State]
    devices: Sequence[str]
    jobs: int
    on_frame: OnFrame = lambda: None

    def run(self, jobs: Sequence[Job[State, Result]]) -> Iterator[tuple[int, Result]]:
        """See :class:`Executor`.

        Raises:
            BackendError: a process died; every job that was done is yielded before.
        """
        context = multiprocessing.get_context("spawn")  # CUDA and threads do not survive a fork
        devices: SimpleQueue[str] = context.SimpleQueue()
        for number in range(self.jobs):
            devices.put(self.devices[number % len(self.devices)])
        setup = (self.open_tool, devices)
        pool = ProcessPoolExecutor(min(self.jobs, len(jobs)), context, _start, setup)
        broken: BrokenProcessPool | None = None
        try:
            futures = {pool.submit(_do_in_process, jobs[k]): k for k in longest_first(jobs)}
            for future in as_completed(futures):
                try:
                    result: Result = future.result()
                except BrokenProcessPool as error:
                    broken = error
                    continue
                for _ in range(jobs[futures[future]].frames):
                    self.on_frame()
                yield futures[future], result
        finally:
            pool.shutdown(cancel_futures=True)
        if broken is not None:
            raise BackendError(
                "a process ended before its sequence did (out of memory?); what is finished is "
                "kept: start the command again, with fewer --jobs"
            ) from broken


def longest_first(jobs: Sequence[Job[Any, Any]]) -> list[int]:
    """Indices of the jobs in the order to begin them."""
    return sorted(range(len(jobs)), key=lambda k: -jobs[k].frames)


class _Process:
    """What a worker process keeps: how to open its tool, then the tool."""

    open: Callable[[], Any]
    tool: Any = None


def _start(open_tool: Callable[[str], Any], devices: "SimpleQueue[str]") -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches every process: end without noise
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        end_with(parent.pid)
    _Process.open = partial(open_tool, devices.get())


def _do_in_process(job: Job[Any, Any]) -> Any:
    if _Process.tool is None:  # not when the process starts, which could not say what failed
        _Process.tool = (_Process.open(),)  # a function would become a method
    [tool] = _Process.tool
    return job.do(tool, lambda: None)
