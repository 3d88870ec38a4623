"""Where a run's figures go: CSV files always, TensorBoard where it is installed."""

from __future__ import annotations

import csv
import importlib.util
import logging
from collections.abc import Mapping
from pathlib import Path

_LOG = logging.getLogger(__name__)


class Record:
    """One table of a run, ``NAME.csv``, one row a step; a resumed run goes on with it.

    Args:
        folder: the run's folder.
        name: of the table.
        start: first step to be written; later rows of an interrupted run are dropped.
    """

    def __init__(self, folder: Path, name: str, start: int) -> None:
        self.path = folder / f"{name}.csv"
        self.name = name
        kept = _rows_before(self.path, start)
        self.columns = list(kept[0]) if kept else []
        self._file = self.path.open("w", newline="", encoding="utf-8")
        self._rows = csv.writer(self._file)
        if kept:
            self._rows.writerow(self.columns)
            self._rows.writerows(list(row.values()) for row in kept)
        self._board = _open_board(folder)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Write the figures of a step; the names are the same in every call."""
        if not self.columns:
            self.columns = ["step", *values]
            self._rows.writerow(self.columns)
        self._rows.writerow([step, *(f"{value:.6g}" for value in values.values())])
        if self._board is not None:
            for key, value in values.items():
                self._board.add_scalar(f"{self.name}/{key}", value, step)

    def flush(self) -> None:
        """Make everything written so far visible on disk."""
        self._file.flush()

    def close(self) -> None:
        """Write out and close."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def _rows_before(path: Path, start: int) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if None not in row.values()]
    return [row for row in rows if row["step"].isdigit() and int(row["step"]) < start]


def _open_board(folder: Path):  # type: ignore[no-untyped-def]  # its class may not be installed
    if importlib.util.find_spec("tensorboard") is None:
        _LOG.info("tensorboard is not installed: figures go to CSV files only")
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"))
