"""The page of a comparison, in a browser."""

from pathlib import Path

from browser import Browser
from made_results import write_results
from published_layouts import write_lasot

from litetrack_ros.datasets.benchmarks import read_benchmark
from litetrack_ros.evaluation.comparison import compare_results
from litetrack_ros.evaluation.html_report import html_report


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
