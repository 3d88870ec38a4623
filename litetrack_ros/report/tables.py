"""Tables on the terminal, and the same figures as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from litetrack_ros.files import write_text
from litetrack_ros.version import __version__


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table in columns: the first to the left, the others to the right.

    Args:
        header: a title a column.
        rows: cells, as many as titles in each.
    """
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    lines.insert(1, ["-" * width for width in widths])
    text = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join(text)


def csv_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as comma-separated values."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def latex_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as LaTeX has it, with the rules of the package booktabs."""
    lines = [" & ".join(map(_latex, row)) + r" \\" for row in (header, *rows)]
    begin = rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}"
    body = [begin, r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule", r"\end{tabular}"]
    return "\n".join(body) + "\n"


def write_tables(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Path]:
    """Write a table as ``.csv`` and ``.tex``.

    Args:
        path: of the files, without a suffix.
        header, rows: as for :func:`format_table`.

    Returns:
        The files.

    Raises:
        MediaError: one cannot be written.
    """
    files = {".csv": csv_table(header, rows), ".tex": latex_table(header, rows)}
    for suffix, text in files.items():
        write_text(path.with_name(path.name + suffix), text)
    return [path.with_name(path.name + suffix) for suffix in files]


def _latex(cell: str) -> str:
    """Text with what LaTeX would take for a command escaped."""
    signs = {c: "\\" + c for c in "&%$#_{}"}
    others = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join({**signs, **others}.get(letter, letter) for letter in cell)


def figures_table(
    title: str, columns: Sequence[str], figures: Mapping[str, Sequence[float]]
) -> str:
    """A table of figures by name, with one decimal.

    Args:
        title: of the column of names.
        columns: titles of the others.
        figures: a row each, as many as columns.
    """
    rows = [[name, *(f"{value:.1f}" for value in row)] for name, row in figures.items()]
    return format_table((title, *columns), rows)


def write_json(path: Path | None, figures: Mapping[str, Any]) -> None:
    """Write figures with the version that made them; None writes nothing.

    Raises:
        MediaError: the file cannot be written.
    """
    if path is not None:
        content = {"litetrack_version": __version__, **figures}
        write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
