"""The figures of a run, and a run that was recorded by an earlier version."""

import csv
import shutil
from pathlib import Path

import pytest

from litetrack_ros.model.checkpoint import load_weights
from litetrack_ros.training.batches import PairSource
from litetrack_ros.training.loop import RunOptions, train
from litetrack_ros.training.recipe import Recipe
from litetrack_ros.training.run_folder import RunLog

# Seven of twelve steps, and what the version that recorded them made of the remaining five.
RECORDED = Path(__file__).parents[1] / "data" / "recorded_run"


class Board:
    """Takes TensorBoard's calls."""

    def __init__(self) -> None:
        self.scalars: list[tuple[str, float, int]] = []

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.scalars.append((name, value, step))


def test_rows_are_written_to_both(tmp_path: Path) -> None:
    board = Board()
    with RunLog(tmp_path, "training", 0, board) as record:
        record.add(0, {"loss": 2.5, "rate": 0.001})
        record.add(1, {"loss": 2.0, "rate": 0.002})
    assert (tmp_path / "training.csv").read_text() == "step,loss,rate\n0,2.5,0.001\n1,2,0.002\n"
    assert board.scalars[0] == ("training/loss", 2.5, 0)


def test_a_resumed_table_drops_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "training.csv").write_text("step,loss\n0,3\n1,2\n2,1\n3")  # killed in mid-row
    with RunLog(tmp_path, "training", 2, None) as record:
        record.add(2, {"loss": 1.5})
    assert (tmp_path / "training.csv").read_text() == "step,loss\n0,3\n1,2\n2,1.5\n"


def test_a_table_nobody_writes_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "training.csv").write_text("step,loss\n0,3\n")
    with RunLog(tmp_path, "training", 0, None) as record:
        record.flush()
    assert (tmp_path / "training.csv").read_text() == "step,loss\n0,3\n"


def _table(path: Path) -> list[list[float]]:
    with path.open() as file:
        return [[float(cell) for cell in row] for row in list(csv.reader(file))[1:]]


def test_a_run_of_an_earlier_version_goes_on(
    squares: PairSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(RECORDED / "model.yaml", tmp_path)
    shutil.copytree(RECORDED, tmp_path / "run")
    recipe = Recipe(
        model="model.yaml",
        steps=12,
        batch_size=8,
        warmup_steps=2,
        stem="trained",
        rolled_share=0.25,
        quality_from_step=6,
        validate_every=4,
        validation_pairs=16,
        checkpoint_every=4,
    )
    weights = load_weights(RECORDED / "latest.safetensors")
    assert weights.model_config == recipe.model_config()
    assert weights.metadata["steps"] == "7"
    assert train(recipe, squares, squares, Path("run"), RunOptions(workers=0, resume=True)) == 12
    for name in ("training", "validation"):
        found, expected = (
            _table(p) for p in (Path(f"run/{name}.csv"), RECORDED / f"finished_{name}.csv")
        )
        assert len(found) == len(expected)
        # Bit for bit where processor and PyTorch are the recording's; to rounding elsewhere.
        for row, wanted in zip(found, expected, strict=True):
            assert row == pytest.approx(wanted, rel=1e-4, abs=1e-5)
