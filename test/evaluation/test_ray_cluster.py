"""The third executor: jobs on real local nodes of Ray, with workers and nodes that die."""

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import made_jobs
import pytest
from killed_workers import kill_some
from made_jobs import Sum, no_tool, open_factor
from published_layouts import write_lasot, write_own
from training_pictures import write_pictures

from litetrack_ros.config import DEFAULT_CHOICE
from litetrack_ros.datasets.benchmarks import read_benchmark
from litetrack_ros.datasets.sequences import find_sequences
from litetrack_ros.errors import BackendError
from litetrack_ros.evaluation.executors import ProcessPool
from litetrack_ros.evaluation.ray_cluster import RayCluster
from litetrack_ros.evaluation.runner import plan, run_all
from litetrack_ros.evaluation.trackers import TrackerChoice
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.tools.main import main
from litetrack_ros.version import __version__

ray: Any = pytest.importorskip("ray", reason="the extra 'cluster' is not installed")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
MEMORY = {"object_store_memory": 80 * 2**20}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A head that does nothing but keep the books, and two nodes with room for a worker each."""
    from ray.cluster_utils import Cluster

    # A worker finds what its node has, and nothing of the driver's.
    places = [str(ROOT), str(Path(made_jobs.__file__).parent), os.environ.get("PYTHONPATH", "")]
    patch = pytest.MonkeyPatch()
    patch.chdir(tmp_path_factory.mktemp("elsewhere"))  # Ray's workers import from here
    patch.setenv("PYTHONPATH", os.pathsep.join(places))
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    head = {"num_cpus": 0, "include_dashboard": False, **MEMORY}
    made = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(2):
        made.add_node(num_cpus=1, **MEMORY)
    ray.init(made.address, log_to_driver=False, logging_level="error")
    yield made
    ray.shutdown()
    made.shutdown()
    patch.undo()


def executor(workers: int = 2, **values: Any) -> RayCluster[int]:
    return replace(RayCluster(open_factor, "auto", "cpu", workers), **values)


def expected(job: Sum) -> int:
    return 3 * sum(job.files()["in/numbers.bin"])


def test_workers_get_their_files_and_load_once(cluster: Any) -> None:
    jobs = [Sum(k) for k in range(12)]
    frames: list[int] = []
    found = dict(executor(on_frame=lambda: frames.append(1)).run(jobs))
    assert {k: result[0] for k, result in found.items()} == {
        k: expected(jobs[k]) for k in range(12)
    }
    assert len({process for _, process, _ in found.values()}) <= 2
    assert len(frames) == sum(job.frames for job in jobs)
    folders = [folder for _, _, folder in found.values()]
    assert all(not folder.exists() and "litetrack_ray" in folder.name for folder in folders)


def test_what_fails_three_times_is_reported_and_stops_nothing(cluster: Any) -> None:
    jobs = [Sum(0, fault="raise"), Sum(1, fault="die"), Sum(2, fault="unreadable"), Sum(3), Sum(4)]
    found = {}
    with pytest.raises(BackendError) as error:
        for index, result in executor().run(jobs):
            found[index] = result[0]
    assert found == {k: expected(jobs[k]) for k in (3, 4)}
    said = str(error.value)
    assert "3 of 5 failed, all others are finished and kept" in said
    assert "sum 0: frame 3 of sum 0 is damaged" in said and "the file cannot be read" in said
    assert "sum 1: its worker died" in said


def test_a_node_that_cannot_open_the_model_is_named(cluster: Any) -> None:
    with pytest.raises(
        BackendError, match=r"the node \S+ \(\S+, \w{8}\) cannot take part: .*no su"
    ):
        list(executor(open_tool=no_tool).run([Sum(0)]))


def test_workers_share_a_gpu_where_there_is_one(cluster: Any) -> None:
    half = executor(gpus=0.5, device="cuda")
    with pytest.raises(BackendError, match=r"no node .* 1 CPU and 0\.5 of a GPU"):
        list(half.run([Sum(0)]))
    node = cluster.add_node(num_cpus=3, num_gpus=1, **MEMORY)  # Ray takes our word for it
    try:
        jobs = [Sum(k, seconds=0.5) for k in range(6)]
        found = dict(half.run(jobs))
        assert [3 * found[k][0] for k in range(6)] == [5 * expected(job) for job in jobs]
    finally:
        cluster.remove_node(node)


def test_boxes_are_those_of_two_processes(cluster: Any, tmp_path: Path) -> None:
    write_lasot(tmp_path / "lasot", ["airplane-1", "bear-2"], 12)
    write_own(tmp_path / "own")
    sequences = [*read_benchmark("lasot", tmp_path / "lasot"), *find_sequences([tmp_path / "own"])]
    choice = TrackerChoice("litetrack", DEFAULT_CHOICE)
    info = choice.open().info
    assert info is not None
    same = replace(choice, sha256=info.model_sha256)
    run_all(plan(sequences, tmp_path / "two"), ProcessPool(choice.open_on, ["cpu"], 2))
    run_all(plan(sequences, tmp_path / "ray"), RayCluster(same.open_on, "auto", "cpu", 2))
    names = sorted(path.name for path in (tmp_path / "two").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "ray").iterdir())
    for name in names:
        if not name.endswith("_time.txt"):
            assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "ray" / name).read_bytes()
    other = replace(choice, sha256="0" * 64)
    with pytest.raises(BackendError, match=r"the node .* is another one here \(\w{8}, not 0{8}\)"):
        run_all(plan(sequences), RayCluster(other.open_on, "auto", "cpu", 2))


def test_clips_and_made_sequences_are_those_of_one_process(cluster: Any, tmp_path: Path) -> None:
    (tmp_path / "video").mkdir()
    scene = DrawnScene(160, 120, 8, 1)
    for k, (frame, _) in enumerate(scene):
        cv2.imwrite(str(tmp_path / f"video/{k}.png"), frame)
    box = ",".join(map(str, scene.box_xywh(0)))
    (tmp_path / "boxes.csv").write_text(f"video,{box}\n")
    pictures = str(write_pictures(tmp_path / "pictures"))
    commands = {
        "label": [str(tmp_path / "boxes.csv")],
        "dev-set": ["--data", pictures, "--made", "2"],
    }
    for verb, words in commands.items():
        for name, options in (("here", []), ("ray", ["--ray", "auto", "--jobs", "2"])):
            out = str(tmp_path / name / verb)
            assert main(["data", verb, *words, "-o", out, *options]) == 0
    here, there = (
        {path.relative_to(place): path.read_bytes() for path in place.rglob("*") if path.is_file()}
        for place in (tmp_path / "here", tmp_path / "ray")
    )
    assert here == there and len(here) > 100


def test_a_node_with_another_version_is_named(cluster: Any, tmp_path: Path) -> None:
    copy = tmp_path / "litetrack_ros"
    shutil.copytree(ROOT / "litetrack_ros", copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "version.py").write_text('__version__ = "0.0.9"\n')
    (copy / "evaluation" / "ray_cluster.py").unlink()  # as versions before it
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    node = cluster.add_node(num_cpus=1, env_vars={"PYTHONPATH": paths}, **MEMORY)
    try:
        jobs = [Sum(k, seconds=1.0) for k in range(60)]
        wanted = (
            rf"the node .*{node.node_id[:8]}\) .* it has litetrack_ros 0\.0\.9, .* {__version__}"
        )
        with pytest.raises(BackendError, match=wanted):
            list(executor(3).run(jobs))
    finally:
        cluster.remove_node(node)


def test_deaths_of_workers_and_nodes_lose_nothing(cluster: Any) -> None:
    jobs = [Sum(k, seconds=0.3) for k in range(10)]
    with ThreadPoolExecutor(1) as background:  # nodes are added from the main thread only
        running = background.submit(lambda: list(executor().run(jobs)))
        killed = kill_some(cluster, 2, random.Random(0), running.done, longest_s=0.3, **MEMORY)
    found = running.result()
    assert killed == 2
    assert sorted((k, result[0]) for k, result in found) == [
        (k, expected(job)) for k, job in enumerate(jobs)
    ]
    list(executor().run(jobs[:2]))  # takes away what killed workers left
    assert not list(Path(tempfile.gettempdir()).glob("litetrack_ray.*"))
