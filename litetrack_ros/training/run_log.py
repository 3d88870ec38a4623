"""Where a run's figures go: CSV files always, TensorBoard where it is installed."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from litetrack_ros.files import write_text

_LOG = logging.getLogger(__name__)


class Record:
    """One table of a run, ``NAME.csv``, one row a step; a resumed run goes on with it.

    The file is opened with the first row, so that processes which never write one leave it alone.

    Args:
        folder: the run's folder.
        name: of the table.
        start: first step to be written; later rows of an interrupted run are dropped.
        board: TensorBoard's writer, or None.
    """

    def __init__(self, folder: Path, name: str, start: int, board: Any) -> None:
        self.path = folder / f"{name}.csv"
        self._name, self._start, self._board = name, start, board
        self._file: TextIO | None = None

    def __enter__(self) -> Record:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Write the figures of a step; the names are the same in every call."""
        if self._file is None:
            kept = _lines_before(self.path, self._start) or [",".join(["step", *values])]
            write_text(self.path, "".join(f"{line}\n" for line in kept))
            self._file = self.path.open("a", encoding="utf-8")
        row = [str(step), *(f"{value:.6g}" for value in values.values())]
        self._file.write(",".join(row) + "\n")
        if self._board is not None:
            for key, value in values.items():
                self._board.add_scalar(f"{self._name}/{key}", value, step)

    def flush(self) -> None:
        """Make everything written so far visible on disk."""
        if self._file is not None:
            self._file.flush()


def open_board(folder: Path) -> Any:
    """TensorBoard's writer for a run, or None where TensorBoard is not installed."""
    if importlib.util.find_spec("tensorboard") is None:
        _LOG.info("tensorboard is not installed: the figures go to CSV files only")
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"))


def _lines_before(path: Path, start: int) -> list[str]:
    """The header and the complete rows of earlier steps; empty where there is no table yet."""
    if not path.is_file():
        return []
    header, *rows = path.read_text(encoding="utf-8").splitlines() or [""]
    kept = []
    for row in rows:
        step = row.partition(",")[0]
        if row.count(",") == header.count(",") and step.isdigit() and int(step) < start:
            kept.append(row)
    return [header, *kept] if header else []
