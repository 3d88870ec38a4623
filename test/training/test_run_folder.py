from pathlib import Path

from litetrack_ros.training.run_folder import RunLog


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
