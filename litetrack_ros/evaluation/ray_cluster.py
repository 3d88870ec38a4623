"""Jobs on a Ray cluster, as the third executor; no file system is shared.

The driver, this process, reads the files of a job and sends them with it; a worker unpacks them
into a temporary folder of its own machine, does the job and sends the result back. Only the driver
keeps anything. The package and the model are installed on every node and are compared there.
"""

import contextlib
import os
import pickle
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from litetrack_ros.dependencies import require
from litetrack_ros.errors import BackendError, LiteTrackError
from litetrack_ros.evaluation.executors import Job, OnFrame, Result, State, longest_first
from litetrack_ros.opencv import cv2
from litetrack_ros.version import __version__

LOCAL = "local"  # the address of a cluster of this machine alone, for the time of a run
# Of a local cluster: it tells nobody, and its workers give way to others no more than processes do
# (Ray's own niceness is 15).
LOCAL_SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
ATTEMPTS = 3  # at a job
CHANCE = 0.01  # below it, deaths of workers at one job are no accident
MOST_DEATHS = 20  # at one job, whatever happens to the others
MOST_FALSE_STARTS = 10  # of workers, one after the other
_THREADS = "OMP_NUM_THREADS"  # Ray sets it to 1 in its workers


@dataclass(frozen=True)
class RayCluster(Generic[State]):
    """Workers on the nodes of a Ray cluster, the longest jobs first.

    Attributes:
        open_tool: called once a worker with its device; must be picklable.
        address: of the cluster, ``auto`` for the one that this machine is part of, or
            :data:`LOCAL`.
        device: of every worker; ``cuda`` is the GPU that Ray gives it.
        workers: how many at most; those that find no place yet, join when there is one.
        gpus: of each worker; below 1 several share one.
        on_frame: called for every frame when its job has ended.
    """

    open_tool: Callable[[str], State]
    address: str
    device: str
    workers: int
    gpus: float = 0.0
    on_frame: OnFrame = lambda: None

    def run(self, jobs: Sequence[Job[State, Result]]) -> Iterator[tuple[int, Result]]:
        """See :class:`litetrack_ros.evaluation.executors.Executor`.

        A job that fails :data:`ATTEMPTS` times is left out and named in the end.

        Raises:
            BackendError: there is no such cluster, no node has room for a worker, a node has
                another version or model, or jobs failed; the others are yielded before.
            MissingDependencyError: Ray is not installed.
        """
        with _connected(self.address, self.workers) as ray:
            work = _Work[Result](ray, jobs)
            try:
                yield from self._results(work)
            finally:
                work.end()
        if work.given_up:
            reasons = "; ".join(f"{jobs[k].name}: {why}" for k, why in work.given_up.items())
            raise BackendError(
                f"{len(work.given_up)} of {len(jobs)} failed, all others are finished and kept: "
                f"{reasons}"
            )

    def _results(self, work: "_Work[Result]") -> Iterator[tuple[int, Result]]:
        ray = work.ray
        place = {"num_cpus": 1, "num_gpus": self.gpus, "max_restarts": 0, "max_task_retries": 0}
        _check_room(ray, self.gpus)
        make_worker = ray.remote(**place)(_worker_class())
        opener = ray.put(pickle.dumps(self.open_tool))
        wanted = (_versions(), opener, self.device, os.environ.get(_THREADS))
        false_starts = 0
        while work.left:
            while len(work.idle) + len(work.busy) < min(self.workers, work.left):
                worker = make_worker.remote()
                work.busy[worker.open.remote(*wanted)] = (worker, None)
            work.assign()
            if not work.busy:  # what was left could not be read
                continue
            [reference], _ = ray.wait(list(work.busy), num_returns=1)
            worker, index = work.busy.pop(reference)
            try:
                answer = ray.get(reference)
            except ray.exceptions.RayTaskError as error:
                if index is None:
                    raise BackendError(f"a worker cannot start: {error.cause}") from error
                work.idle.append(worker)
                work.failed(index, str(error.cause))
            except ray.exceptions.RayError as error:
                ray.kill(worker)  # it may only be out of reach
                false_starts += index is None
                if false_starts > MOST_FALSE_STARTS:
                    raise BackendError(f"no worker can start: {error}") from error
                if index is not None:
                    work.died(index, "its worker died: " + str(error).partition("\n")[0])
            else:
                work.idle.append(worker)
                if index is None:
                    node, fault = answer
                    if fault:
                        raise BackendError(f"the node {node} cannot take part: {fault}")
                    false_starts = 0
                    continue
                work.done()
                work.assign()  # before this process turns to the result
                for _ in range(work.jobs[index].frames):
                    self.on_frame()
                yield index, answer


@dataclass
class _Work(Generic[Result]):
    """What is to be done, who does what, and what became of the rest.

    Attributes:
        ray: the module.
        jobs: all of them.
        waiting: indices of those to be begun, or begun again.
        idle: workers that are open and have no job.
        busy: the others, by what they will answer, with the job's index; None while they open.
        given_up: why, by index.
    """

    ray: Any
    jobs: Sequence[Job[Any, Result]]
    waiting: deque[int] = field(init=False)
    idle: list[Any] = field(default_factory=list)
    busy: dict[Any, tuple[Any, int | None]] = field(default_factory=dict)
    given_up: dict[int, str] = field(default_factory=dict)
    _attempts: Counter[int] = field(default_factory=Counter)
    _failures: Counter[int] = field(default_factory=Counter)
    _deaths: Counter[int] = field(default_factory=Counter)
    _done: int = 0

    def __post_init__(self) -> None:
        self.waiting = deque(longest_first(self.jobs))

    @property
    def left(self) -> int:
        """Number of jobs that are neither done nor given up."""
        return len(self.jobs) - self._done - len(self.given_up)

    def assign(self) -> None:
        """Give idle workers what waits."""
        while self.idle and self.waiting:
            index = self.waiting.popleft()
            self._attempts[index] += 1
            try:
                files = self.jobs[index].files()
            except LiteTrackError as error:
                self.failed(index, str(error))
                continue
            worker = self.idle.pop()
            reference = worker.do.remote(self.jobs[index], files)
            self.busy[reference] = (worker, index)

    def done(self) -> None:
        """A job's result is there."""
        self._done += 1

    def failed(self, index: int, why: str) -> None:
        """A job ended with an error; others go first, then it is tried again."""
        self._failures[index] += 1
        self._again(index, why, self._failures[index] >= ATTEMPTS)

    def died(self, index: int, why: str) -> None:
        """A worker died at a job, which may be the job's doing, or that of a machine or a person.

        It is the job's if it happened :data:`ATTEMPTS` times, and workers die so seldom at the
        others that it would hardly have come to that by chance.
        """
        self._deaths[index] += 1
        own = self._deaths[index]
        others = self._attempts.total() - self._attempts[index]
        share = (self._deaths.total() - own) / others if others else 0.0
        chance = len(self.jobs) * share**own
        self._again(index, why, (own >= ATTEMPTS and chance < CHANCE) or own >= MOST_DEATHS)

    def end(self) -> None:
        """Let all workers go."""
        for worker in [*self.idle, *(worker for worker, _ in self.busy.values())]:
            self.ray.kill(worker)

    def _again(self, index: int, why: str, enough: bool) -> None:
        if enough:
            self.given_up[index] = why
        else:
            self.waiting.append(index)


@contextlib.contextmanager
def _connected(address: str, workers: int) -> Iterator[Any]:
    """Ray itself, joined to a cluster for the time of a block unless this process is already."""
    ray = require("ray")
    if ray.is_initialized():
        yield ray
        return
    quiet = {"log_to_driver": False, "logging_level": "error"}
    try:
        if address == LOCAL:
            for name, value in LOCAL_SETTINGS.items():
                os.environ.setdefault(name, value)
            ray.init(num_cpus=workers, include_dashboard=False, **quiet)
        else:
            ray.init(address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise BackendError(
            f"cannot join the Ray cluster '{address}': {error}; `ray start --head` starts one, "
            f"'{LOCAL}' needs none"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_room(ray: Any, gpus: float) -> None:
    for node in ray.nodes():
        has = node["Resources"]
        if node["Alive"] and has.get("CPU", 0) >= 1 and has.get("GPU", 0) >= gpus:
            return
    raise BackendError(
        f"no node of the Ray cluster has room for a worker with 1 CPU and {gpus:g} of a GPU"
    )


def _versions() -> dict[str, str]:
    """What must be the same everywhere: the tracker, and what cuts and reads its images."""
    return {"litetrack_ros": __version__, "OpenCV": str(cv2.__version__)}


def _worker_class() -> type:
    """The class of a worker.

    Made in a function, so that Ray sends it as a whole: a node with another version of this
    package, or without it, must be able to say so.
    """

    class Worker:
        tool: Any = None

        def open(
            self, wanted: Mapping[str, str], opener: bytes, device: str, threads: str | None
        ) -> tuple[str, str]:
            """Check this node and open the tool; the node's name, and what is wrong with it."""
            import os
            import pickle
            import socket

            import ray

            context = ray.get_runtime_context()
            address = ray.util.get_node_ip_address()
            node = f"{socket.gethostname()} ({address}, {context.get_node_id()[:8]})"
            os.environ.pop("OMP_NUM_THREADS", None)
            if threads is not None:
                os.environ["OMP_NUM_THREADS"] = threads
            try:
                from litetrack_ros.opencv import cv2
                from litetrack_ros.version import __version__

                found = {"litetrack_ros": __version__, "OpenCV": str(cv2.__version__)}
                for name, version in wanted.items():
                    if found[name] != version:
                        return node, f"it has {name} {found[name]}, this machine {version}"
                self.tool = pickle.loads(opener)(device)
            except Exception as error:  # noqa: BLE001  # whatever it is, the driver says where
                return node, f"{type(error).__name__}: {error}"
            return node, ""

        def do(self, job: Any, files: Mapping[str, bytes]) -> Any:
            """Do a job whose files are given."""
            from pathlib import PurePosixPath

            from litetrack_ros.errors import DatasetError
            from litetrack_ros.files import make_folder, scratch_folder

            with scratch_folder("ray") as folder:
                for name, content in files.items():
                    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                        raise DatasetError(f"the file {name} would lie outside its folder")
                    make_folder((folder / name).parent)
                    (folder / name).write_bytes(content)
                return job.in_folder(folder).do(self.tool, lambda: None)

    return Worker
