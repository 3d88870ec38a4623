"""A comparison as one HTML file: tables, curves, and strips of the worst sequences."""

import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.evaluation.bootstrap import DRAWS
from litetrack_ros.evaluation.comparison import Comparison, paper_figures
from litetrack_ros.evaluation.long_term_report import LongTermReport
from litetrack_ros.evaluation.paper_files import differences_table, sequences_table, warnings
from litetrack_ros.evaluation.results import read_run
from litetrack_ros.images import to_bgr8
from litetrack_ros.media.drawing import draw_box, tile
from litetrack_ros.opencv import cv2
from litetrack_ros.report.charts import COLORS, Line, curves
from litetrack_ros.report.html_page import Picture, Section, Table, render
from litetrack_ros.version import __version__

STRIP_FRAMES = 6
STRIP_WIDTH_PX = 220
_TRUTH_BGR, _RESULT_BGR = (80, 220, 80), (60, 60, 240)


def html_report(
    comparison: Comparison,
    results: dict[str, Path],
    worst: int = 5,
    long_term: Mapping[str, LongTermReport] | None = None,
) -> str:
    """The page.

    Args:
        comparison: what to show.
        results: folders of result files, as it was made from.
        worst: sequences of the first tracker to show pictures of.
        long_term: figures by tracker, where they are to be shown.

    Raises:
        MissingDependencyError: what makes pages is not installed.
    """
    c = comparison
    main = c.columns[0]
    rows = [
        [name, *(f"{v:.1f}" for v in values), f"{c.fps[name]:.0f}" if name in c.fps else ""]
        for name, values in c.figures.items()
    ]
    about = f"Per cent, by the convention {c.convention}; litetrack_ros {__version__}."
    sections = [Section("", about, table=Table(["tracker", *c.columns, "fps"], rows))]
    columns, paper = paper_figures(c.benchmark)
    if paper:
        rows = [[name, *(f"{v:.1f}" for v in values)] for name, values in paper.items()]
        sections.append(Section("The paper's figures", table=Table(["variant", *columns], rows)))
    header, rows = differences_table(c)
    if rows:
        text = (
            f"Of the figures above: {DRAWS} paired bootstrap draws over sequences, {main} computed "
            "anew in each; p corrected by Holm for all rows."
        )
        table = Table(header, rows)
        sections.append(
            Section(f"Differences in {main}", " ".join([text, *warnings(c)]), table=table)
        )
    colors = dict(zip(c.figures, itertools.cycle(COLORS), strict=False))
    charts = []
    for curve in c.curves:
        # The legend begins with the largest area under a line.
        order = sorted(curve.lines, key=lambda name: -float(np.mean(curve.lines[name])))
        lines = {name: Line(curve.x, curve.lines[name], colors[name]) for name in order}
        label = f"{curve.title}, % of frames"
        charts.append(curves(lines, curve.x_label, label, y_end=100))
    sections.append(Section("Curves", charts=charts))
    if long_term:
        sections += _long_term(long_term, colors)
    rows = [
        [tag, *(f"{values[name]:.1f}" for name in c.figures)]
        for tag, values in c.attributes.items()
    ]
    if rows:
        table = Table(["attribute", *c.figures], rows)
        sections.append(Section(f"{main} by attribute", table=table))
    table = Table(*sequences_table(c))
    sections += [Section(f"{main} by sequence", table=table), _worst(c, results, worst)]
    return render(f"{c.benchmark}: {len(c.sequences)} sequences", sections)


def _long_term(reports: Mapping[str, LongTermReport], colors: Mapping[str, str]) -> list[Section]:
    ends = np.array([0.0, 1.0])
    lines = {"as it should be": Line(ends, ends, COLORS[-1])}
    for name, report in reports.items():
        if report.reliability is not None:
            bins = report.reliability
            lines[name] = Line(bins.mean_score, bins.share_right, colors[name])
    about = "Ten bins of equal mass, sequences of equal weight; right is an overlap of a half on."
    chart = curves(lines, "score", "share of right boxes", y_end=1)
    sections = [Section("Reliability of the score", about, charts=[chart])]
    for name, report in reports.items():
        sections.append(Section(f"Long-term figures of {name}", table=Table(*report.table())))
        table = Table(*report.sequence_table())
        sections.append(Section(f"Long-term figures of {name} by sequence", table=table))
    return sections


def _worst(comparison: Comparison, results: dict[str, Path], count: int) -> Section:
    name = next(iter(comparison.figures))
    values = comparison.per_sequence[name]
    pictures = []
    for k in [int(k) for k in np.argsort(values) if np.isfinite(values[k])][:count]:
        sequence = comparison.sequences[k]
        strip = _strip(sequence, read_run(results[name], sequence.name).boxes_xywh)
        jpeg = cv2.imencode(".jpg", strip, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
        pictures.append(Picture(jpeg, f"{sequence.name}: {values[k]:.1f}"))
    about = "Green: ground truth, red: result."
    return Section(f"Worst sequences of {name}", about, pictures=pictures)


def _strip(sequence: AnnotatedSequence, boxes: np.ndarray) -> np.ndarray:
    count = min(len(sequence), len(boxes))
    wanted = set(np.linspace(0, count - 1, STRIP_FRAMES).round().astype(int).tolist())
    panels: list[np.ndarray] = []
    for number, frame in enumerate(sequence.frames()):
        if number not in wanted:
            continue
        image = to_bgr8(frame.image).copy()
        draw_box(image, sequence.boxes_xywh[number], _TRUTH_BGR)
        draw_box(image, boxes[number], _RESULT_BGR)
        height = round(STRIP_WIDTH_PX * image.shape[0] / image.shape[1])
        panels.append(cv2.resize(image, (STRIP_WIDTH_PX, height), interpolation=cv2.INTER_AREA))
    return tile(panels, STRIP_FRAMES // 2)
