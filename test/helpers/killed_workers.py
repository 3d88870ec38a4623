"""Kills workers and nodes of a local Ray cluster."""

import random
import signal
import time
from collections.abc import Callable
from typing import Any

import psutil


def kill_some(
    cluster: Any,
    kills: int,
    rng: random.Random,
    is_over: Callable[[], bool],
    longest_s: float,
    **node: Any,
) -> int:
    """SIGKILL a worker that is at a job, then a node, and so on, at random moments.

    Args:
        cluster: of ``ray.cluster_utils``; a node takes the place of each that was killed.
        kills: how many.
        rng: draws the moments, and what is killed.
        is_over: whether the run has ended.
        longest_s: most seconds between two kills.
        node: arguments of new nodes.

    Returns:
        How many were killed before the run had ended.
    """
    for number in range(kills):
        time.sleep(rng.uniform(0.0, longest_s))
        while not (found := _working()) and not is_over():
            time.sleep(0.02)
        if is_over():
            return number
        if number % 2:
            chosen = rng.choice(cluster.list_all_nodes()[1:])
            cluster.remove_node(chosen, allow_graceful=False)
            cluster.add_node(num_cpus=1, **node)
        else:
            rng.choice(found).send_signal(signal.SIGKILL)
    return kills


def _working() -> list[psutil.Process]:
    """The processes of Ray's workers that are at a job."""
    every = [(p, p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
    return [p for p, words in every if any("ray::Worker.do" in word for word in words)]
