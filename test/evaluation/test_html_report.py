"""The page of a comparison, in a browser."""

import dataclasses
from pathlib import Path

import numpy as np
from browser import Browser
from made_results import write_results
from published_layouts import write_lasot

from litetrack_ros.datasets.benchmarks import read_benchmark
from litetrack_ros.evaluation.comparison import compare_results
from litetrack_ros.evaluation.html_report import html_report
from litetrack_ros.evaluation.long_term_report import long_term_of_results
from litetrack_ros.evaluation.results import read_run, write_run


def test_the_page_of_a_comparison(tmp_path: Path, browser: Browser) -> None:
    write_lasot(tmp_path / "lasot", ["airplane-1", "airplane-9", "bear-2"])
    lasot = read_benchmark("lasot", tmp_path / "lasot")
    trackers = {"<good>": 0.5, "bad": 6.0}
    results = {n: write_results(lasot, tmp_path / n, shift) for n, shift in trackers.items()}
    found = compare_results("lasot", lasot, results)
    page = html_report(found, results, worst=2)
    assert page.count("data-root-id") == 3 and page.count("data:image/jpeg") == 2
    assert "67.0" in page  # the paper's B9 beside it
    assert "<good>" not in page and "&lt;good&gt;" in page
    for sequence in lasot:
        assert f"<td>{sequence.name}</td>" in page
    path = tmp_path / "report.html"
    path.write_text(page)
    browser.open(path)
    success = found.curves[0]
    tip = browser.point(0, success.x[10], success.lines["<good>"][10])
    assert tip.startswith(f"<good> overlap threshold: {success.x[10]:g}")
    assert (browser.errors, browser.requests) == ([], [path.as_uri()])


def test_the_page_shows_how_far_a_score_can_be_trusted(tmp_path: Path, browser: Browser) -> None:
    write_lasot(tmp_path / "lasot", ["airplane-1", "airplane-9"])
    lasot = read_benchmark("lasot", tmp_path / "lasot")
    results = {n: write_results(lasot, tmp_path / n, 1.0) for n in ("<scored>", "boxes")}
    for sequence in lasot:
        run = read_run(results["<scored>"], sequence.name)
        scores = np.linspace(0, 1, len(run.boxes_xywh))
        write_run(results["<scored>"], dataclasses.replace(run, scores=scores))
    figures = {name: long_term_of_results(lasot, folder, 30.0) for name, folder in results.items()}
    found = compare_results("lasot", lasot, results)
    page = html_report(found, results, worst=0, long_term=figures)
    assert page.count("data-root-id") == 4
    assert "<h2>Long-term figures of &lt;scored&gt; by sequence</h2>" in page
    (tmp_path / "report.html").write_text(page)
    browser.open(tmp_path / "report.html")
    tip = browser.point(3, 0.5, 0.5)
    assert "share of right boxes: " in tip and browser.errors == []
    assert "Reliability of the score" not in html_report(found, results, worst=0)
