"""The model that ships: the file of the card, and good enough on a real sequence."""

import hashlib
import json
from pathlib import Path

import pytest

from litetrack_ros import resources
from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import DEFAULT_MODEL, ModelChoice
from litetrack_ros.datasets.sequences import read_sequence
from litetrack_ros.evaluation.comparison import compare
from litetrack_ros.evaluation.runner import run_sequence
from litetrack_ros.tracker.tracker import Tracker

pytest.importorskip("torch")

MAX_BYTES = 12_000_000
AO_FLOOR = 0.70  # on davis_car_shadow


@pytest.fixture(scope="module")
def shipped() -> Path:
    return resources.model_path(f"{DEFAULT_MODEL}.safetensors")


def test_the_card_names_the_file(shipped: Path) -> None:
    content = shipped.read_bytes()
    assert len(content) <= MAX_BYTES
    assert hashlib.sha256(content).hexdigest() in shipped.with_suffix(".md").read_text()


def test_the_file_loads_strictly_and_says_how_it_was_made(shipped: Path) -> None:
    from litetrack_ros.model.checkpoint import load_weights

    weights = load_weights(shipped)
    assert weights.model_config.name == "nano"
    assert weights.model_config.decode == "exact"
    assert json.loads(weights.metadata["recipe"])["model"] == "nano"
    assert 0 < weights.tracker_config.lost_threshold <= weights.tracker_config.found_threshold < 1


def test_it_tracks_a_real_sequence(shipped: Path, sequences_dir: Path) -> None:
    sequence = read_sequence(sequences_dir / "davis_car_shadow")
    backend = open_backend(ModelChoice(str(shipped), "torch", threads=1))
    run = run_sequence(sequence, Tracker(backend))
    scores = compare("folder", "plain", [sequence], {"shipped": [run]}).scores["shipped"]
    assert scores.overall["AO"] > AO_FLOOR
