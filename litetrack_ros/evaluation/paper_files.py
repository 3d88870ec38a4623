"""A comparison as files for a paper: tables as CSV and LaTeX, plots as PNG and PDF."""

import math
from pathlib import Path

from litetrack_ros.evaluation.bootstrap import FEWEST_SEQUENCES
from litetrack_ros.evaluation.comparison import Comparison
from litetrack_ros.files import make_folder
from litetrack_ros.report.plots import write_bars, write_lines
from litetrack_ros.report.tables import write_tables

Rows = tuple[list[str], list[list[str]]]


def write_paper_files(comparison: Comparison, folder: Path) -> list[Path]:
    """Write all of a comparison's tables and plots.

    Args:
        comparison: what to write.
        folder: made if needed; gets ``figures``, ``by_sequence``, ``differences`` and
            ``by_attribute`` as ``.csv`` and ``.tex``, and a plot for every curve and one by
            attribute as ``.png`` and ``.pdf``; what a comparison lacks is left out.

    Returns:
        The files.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        MediaError: a file cannot be written.
    """
    c = comparison
    make_folder(folder)
    figures = [[name, *map(cell, values)] for name, values in c.figures.items()]
    tables: dict[str, Rows] = {
        "figures": (["tracker", *c.columns], figures),
        "by_sequence": sequences_table(c),
        "differences": differences_table(c),
    }
    if c.attributes:
        rows = [[tag, *map(cell, values.values())] for tag, values in c.attributes.items()]
        tables["by_attribute"] = (["attribute", *c.figures], rows)
    written = []
    for name, (header, rows) in tables.items():
        if rows:
            written += write_tables(folder / name, header, rows)
    for curve in c.curves:
        means = {name: float(values.mean()) for name, values in curve.lines.items()}
        order = sorted(means, key=lambda name: -means[name])
        lines = {name: (curve.x, curve.lines[name]) for name in order}
        label = f"{curve.title}, % of frames"
        file = folder / curve.title.lower().replace(" ", "_")
        written += write_lines(file, lines, curve.x_label, label)
    if c.attributes:
        values = {n: [of_tag[n] for of_tag in c.attributes.values()] for n in c.figures}
        file, label = folder / "attributes", f"{c.columns[0]}, %"
        written += write_bars(file, list(c.attributes), values, label)
    return written


def sequences_table(comparison: Comparison) -> Rows:
    """Titles, and the main figure of every tracker on every sequence, per cent."""
    rows = [
        [sequence.name, *(cell(values[k]) for values in comparison.per_sequence.values())]
        for k, sequence in enumerate(comparison.sequences)
    ]
    return ["sequence", *comparison.per_sequence], rows


def differences_table(comparison: Comparison) -> Rows:
    """Titles, and a row for each comparison of the first tracker with another."""
    rows = [
        [
            f"{a} - {b}",
            f"{d.mean:+.2f}",
            f"{d.low:+.2f} to {d.high:+.2f}" if math.isfinite(d.low) else "none",
            f"{100 * d.share_above:.1f} %",
            f"{d.p:.4f}" if math.isfinite(d.p) else "none",
            f"{d.p_holm:.4f}" if math.isfinite(d.p_holm) else "none",
            str(d.sequences),
        ]
        for a, b, d in comparison.differences()
    ]
    header = ["trackers", "difference", "95 % interval", "better in", "p", "p, Holm", "sequences"]
    return header, rows


def warnings(comparison: Comparison) -> list[str]:
    """What a reader of the differences must know, a sentence each."""
    fewest = min((d.sequences for _, _, d in comparison.differences()), default=FEWEST_SEQUENCES)
    if fewest >= FEWEST_SEQUENCES:
        return []
    return [
        f"an interval from {fewest} sequences says little: take at least {FEWEST_SEQUENCES} "
        "before calling one tracker better than another"
    ]


def cell(value: float) -> str:
    """A figure in per cent, a dash where nothing was scored."""
    return f"{value:.1f}" if math.isfinite(value) else "-"
