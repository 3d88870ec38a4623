"""What Ray costs and what it survives: two workers of it beside two processes.

``python test/evaluation/ray_trial.py --sequences 40 --frames 1200`` tracks drawn sequences with
both and compares times and results; the start of the cluster does not count, that of workers and
processes does. ``--kills 20`` then tracks them again while workers and nodes are killed at random
moments.
"""

import argparse
import dataclasses
import filecmp
import os
import random
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2

from litetrack_ros.config import DEFAULT_CHOICE
from litetrack_ros.datasets.sequences import AnnotatedSequence, find_sequences
from litetrack_ros.evaluation.executors import Executor, ProcessPool
from litetrack_ros.evaluation.ray_cluster import LOCAL_SETTINGS, RayCluster
from litetrack_ros.evaluation.runner import MakeTracker, plan, run_all
from litetrack_ros.evaluation.trackers import LITETRACK, TrackerChoice
from litetrack_ros.media.scene import DrawnScene


def draw(folder: Path, sequences: int, frames: int) -> list[AnnotatedSequence]:
    """Write sequences of 640x480 and open them."""
    for seed in range(sequences):
        place, scene = folder / f"s{seed:03d}", DrawnScene(640, 480, frames, seed)
        (place / "frames").mkdir(parents=True)
        for k, (frame, _) in enumerate(scene):
            cv2.imwrite(str(place / "frames" / f"{k:06d}.jpg"), frame)
        boxes = [",".join(map(str, scene.box_xywh(k))) for k in range(frames)]
        (place / "groundtruth.txt").write_text("\n".join(boxes) + "\n")
    return find_sequences([folder])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=12)
    parser.add_argument("--frames", type=int, default=200, help="of each (%(default)s)")
    parser.add_argument("--rounds", type=int, default=1, help="of both, in turn (%(default)s)")
    parser.add_argument("--kills", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--pause", type=float, default=5.0, help="most seconds between two kills")
    request = parser.parse_args()
    root = Path(__file__).resolve().parents[2]
    sys.path.insert(0, str(root / "test/helpers"))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    os.environ.update(LOCAL_SETTINGS)
    import ray
    from killed_workers import kill_some
    from ray.cluster_utils import Cluster

    quiet = {"log_to_driver": False, "logging_level": "error"}
    ray.init(num_cpus=2, include_dashboard=False, **quiet)
    choice = TrackerChoice(LITETRACK, DEFAULT_CHOICE)
    info = choice.open().info
    assert info is not None
    same = dataclasses.replace(choice, sha256=info.model_sha256)
    executors: dict[str, Executor[MakeTracker]] = {
        "processes": ProcessPool(same.open_on, ["cpu"], 2),
        "ray": RayCluster(same.open_on, "auto", "cpu", 2),
    }
    took_s: dict[str, list[float]] = {name: [] for name in executors}
    with tempfile.TemporaryDirectory() as scratch:
        sequences = draw(Path(scratch) / "sequences", request.sequences, request.frames)
        for number in range(request.rounds):
            for name in list(executors)[:: 1 if number % 2 == 0 else -1]:
                began_s = time.perf_counter()
                run_all(plan(sequences, Path(scratch) / f"{name}{number}"), executors[name])
                took_s[name].append(time.perf_counter() - began_s)
                print(f"{name}: {took_s[name][-1]:.1f} s", flush=True)
            _compare(sequences, *(Path(scratch) / f"{name}{number}" for name in executors))
        ray.shutdown()
        if request.kills:
            memory = {"object_store_memory": 300 * 2**20}
            head = {"num_cpus": 0, "include_dashboard": False, **memory}
            cluster = Cluster(initialize_head=True, head_node_args=head)
            for _ in range(2):
                cluster.add_node(num_cpus=1, **memory)
            ray.init(cluster.address, **quiet)
            out = Path(scratch) / "killed"
            with ThreadPoolExecutor(1) as background:
                running = background.submit(run_all, plan(sequences, out), executors["ray"])
                killed = kill_some(
                    cluster,
                    request.kills,
                    random.Random(0),
                    running.done,
                    request.pause,
                    **memory,
                )
            running.result()
            _compare(sequences, Path(scratch) / "processes0", out)
            print(f"{killed} kills before the end, the same byte for byte")
    ratios = [a / b for a, b in zip(took_s["ray"], took_s["processes"], strict=True)]
    print(f"{request.sequences} sequences of {request.frames} frames, the same byte for byte")
    print(f"ray over processes: median {statistics.median(ratios):.3f} of {sorted(ratios)}")


def _compare(sequences: list[AnnotatedSequence], one: Path, other: Path) -> None:
    """Both folders hold the same files, and but for the times the same bytes."""
    assert sorted(p.name for p in one.iterdir()) == sorted(p.name for p in other.iterdir())
    files = [f"{sequence.name}{end}" for sequence in sequences for end in (".txt", ".csv")]
    _, wrong, missing = filecmp.cmpfiles(one, other, files, shallow=False)
    assert not wrong and not missing, (wrong, missing)


if __name__ == "__main__":
    main()
