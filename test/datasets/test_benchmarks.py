"""Benchmarks in their published layouts, run, resumed, compared and packed."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from browser import Browser
from published_layouts import COUNT, LAYOUTS, boxes, lines, write_lasot, write_own

from litetrack_ros.datasets.benchmarks import read_benchmark
from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.errors import DatasetError, MediaError
from litetrack_ros.evaluation.bootstrap import paired_bootstrap
from litetrack_ros.evaluation.campaign import run_campaign, unfinished
from litetrack_ros.evaluation.comparison import compare, paper_figures
from litetrack_ros.evaluation.html_report import html_report
from litetrack_ros.evaluation.results import read_result, read_times, result_path, write_result
from litetrack_ros.evaluation.submissions import write_submission
from litetrack_ros.images import Image
from litetrack_ros.tools.main import main


class Drifting:
    """Repeats the init box, a pixel further with every frame."""

    def init(self, image: Image, box_xywh: np.ndarray) -> None:
        self.box = np.array(box_xywh)

    def update(self, image: Image) -> np.ndarray:
        self.box = self.box + np.array([1, 0, 0, 0])
        return self.box


def open_drifting(device: str) -> Callable[[], Drifting]:
    """At module level, so that worker processes find it."""
    return Drifting


def test_missing_benchmarks(tmp_path: Path) -> None:
    for name in LAYOUTS:
        with pytest.raises((DatasetError, MediaError)):
            read_benchmark(name, tmp_path)
    with pytest.raises(DatasetError, match="no benchmark 'vot'"):
        read_benchmark("vot", tmp_path)


@pytest.fixture
def lasot(tmp_path: Path) -> list[AnnotatedSequence]:
    root = tmp_path / "lasot"
    write_lasot(root, ["airplane-1", "airplane-9", "bear-2"])
    return read_benchmark("lasot", root)


def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    lasot: list[AnnotatedSequence], tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert len(list(run_campaign(lasot, open_drifting, whole, ["cpu"]))) == 3
    for _ in run_campaign(lasot, open_drifting, parts, ["cpu"]):
        break  # interrupted after the first sequence
    done = {p.name for p in parts.glob("*[0-9].txt")}
    stamps = {name: (parts / name).stat().st_mtime_ns for name in done}
    assert len(done) == 1 and len(unfinished(lasot, parts)) == 2
    left = next(s for s in lasot if f"{s.name}.txt" not in done)
    (parts / f"{left.name}.txt").write_text("1,2,3,4\n")  # cut short: is run again
    list(run_campaign(lasot, open_drifting, parts, ["cpu"]))
    for sequence in lasot:
        file = f"{sequence.name}.txt"
        assert (whole / file).read_bytes() == (parts / file).read_bytes()
    assert all((parts / name).stat().st_mtime_ns == stamp for name, stamp in stamps.items())
    assert list(run_campaign(lasot, open_drifting, parts, ["cpu"])) == []


@pytest.mark.parametrize(
    ("name", "separator"), [("s.txt", "\t"), ("s_001.txt", ","), ("s/s_001.txt", " ")]
)
def test_common_result_files(tmp_path: Path, name: str, separator: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(lines(boxes(3), separator, "\r\n"))
    np.testing.assert_allclose(read_result(tmp_path, "s"), boxes(3), atol=1e-4)
    assert read_times(tmp_path, "s") is None
    with pytest.raises(DatasetError, match="no result for the sequence t"):
        read_result(tmp_path, "t")


def test_second_targets_have_several_names(tmp_path: Path) -> None:
    (tmp_path / "Jogging-2.txt").write_text("1,2,3,4\n")
    assert result_path(tmp_path, "Jogging.2") == tmp_path / "Jogging-2.txt"


def test_repetitions_and_times_of_got10ks_toolkit(tmp_path: Path) -> None:
    """Its layout for a tracker that is not deterministic; all runs are scored together."""
    LAYOUTS["got10k_val"][0](tmp_path / "data")
    sequences = read_benchmark("got10k_val", tmp_path / "data")
    name, truth = sequences[0].name, sequences[0].boxes_xywh
    folder = tmp_path / "tracker" / name
    folder.mkdir(parents=True)
    runs = [truth, truth + np.array([500.0, 0, 0, 0])]
    for k, run in enumerate(runs, start=1):
        (folder / f"{name}_{k:03d}.txt").write_text(lines(run))
    times = "0.30000000,0.50000000\n" + (COUNT - 1) * "0.01000000,0.03000000\n"
    (folder / f"{name}_time.txt").write_text(times)
    read = read_times(tmp_path / "tracker", name)
    assert read is not None and read.tolist() == pytest.approx([0.4] + [0.02] * (COUNT - 1))
    found = compare("got10k_val", sequences, {"a": tmp_path / "tracker"})
    assert found.figures["a"] == pytest.approx((50, 50, 50), abs=1e-6)
    assert found.per_sequence["a"] == pytest.approx([50], abs=1e-6)
    assert found.fps["a"] == pytest.approx(50)


def _results(sequences: list[AnnotatedSequence], folder: Path, shift: float) -> Path:
    folder.mkdir()
    for sequence in sequences:
        made = np.nan_to_num(sequence.boxes_xywh, nan=5.0) + np.array([shift, 0, 0, 0])
        write_result(folder, sequence.name, made, np.full(len(made), 0.02))
    return folder


def test_comparison(lasot: list[AnnotatedSequence], tmp_path: Path) -> None:
    good, bad = (_results(lasot, tmp_path / n, s) for n, s in (("good", 0.5), ("bad", 6.0)))
    found = compare("lasot", lasot, {"good": good, "bad": bad})
    assert found.columns[0] == "AUC" and found.figures["good"][0] > found.figures["bad"][0] + 10
    assert found.fps["good"] == pytest.approx(50)
    (first, other, difference), *rest = found.differences()
    assert (first, other, rest) == ("good", "bad", [])
    assert 0 < difference.low <= difference.mean <= difference.high
    assert difference.share_above == 1
    json.dumps(found.as_json(), allow_nan=False)


def test_the_page_of_a_comparison(
    lasot: list[AnnotatedSequence], tmp_path: Path, browser: Browser
) -> None:
    trackers = {"<good>": 0.5, "bad": 6.0}
    results = {n: _results(lasot, tmp_path / n, shift) for n, shift in trackers.items()}
    found = compare("lasot", lasot, results)
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


@pytest.mark.parametrize("name", ["otb100", "folder", "got10k_val", "nfs"])
def test_every_convention_scores_its_layout(tmp_path: Path, name: str) -> None:
    LAYOUTS[name][0](tmp_path / "data")
    sequences = read_benchmark(name, tmp_path / "data")
    found = compare(name, sequences, {"a": _results(sequences, tmp_path / "a", 0.0)})
    assert found.figures["a"][0] > 90
    if name == "otb100":
        assert found.attributes["FM"]["a"] > 90


def test_the_papers_figures() -> None:
    columns, rows = paper_figures("got10k_test")
    assert columns == ("AO", "SR50", "SR75") and rows["B4"] == (65.2, 74.7, 57.7)
    assert paper_figures("otb100") == ((), {})


def test_bootstrap() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(60, 10, 200)
    difference = paired_bootstrap(a, a - rng.normal(1, 3, 200), resamples=2000)
    width = difference.high - difference.low
    assert width == pytest.approx(2 * 1.96 * 3 / np.sqrt(200), rel=0.15)
    assert difference.low < 1 < difference.high
    with pytest.raises(ValueError, match="paired"):
        paired_bootstrap([1.0], [1.0, 2.0])


@pytest.mark.parametrize("name", ["got10k_test", "got10k_val", "trackingnet"])
def test_submissions(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    LAYOUTS[name][0](tmp_path / "data")
    sequences = read_benchmark(name, tmp_path / "data")
    results = tmp_path / "results"
    list(run_campaign(sequences, open_drifting, results, ["cpu"]))
    archive = tmp_path / "submission.zip"
    assert main(["submit", name, str(tmp_path / "data"), str(results), str(archive)]) == 0
    shown = capsys.readouterr().out
    assert ("the paper" in shown) == (name != "got10k_val")  # beside the server's answer
    with zipfile.ZipFile(archive) as packed:
        content = {n: packed.read(n).decode() for n in packed.namelist()}
    if name == "trackingnet":
        assert list(content) == ["a_0.txt"]
    else:
        stem = f"{sequences[0].name}/{sequences[0].name}"
        assert list(content)[:2] == [f"{stem}_001.txt", f"{stem}_time.txt"]
        times = content[f"{stem}_time.txt"].splitlines()
        assert len(times) == COUNT and all(re.fullmatch(r"\d+\.\d{8}", t) for t in times)
    rows = next(iter(content.values())).splitlines()
    assert len(rows) == COUNT
    first = ",".join(f"{v:.3f}" for v in sequences[0].boxes_xywh[0])
    assert rows[0] == first
    before = archive.read_bytes()
    write_submission(name, sequences, results, archive)
    assert archive.read_bytes() == before
    (results / f"{sequences[0].name}_time.txt").write_text("0.1\n")
    with pytest.raises(DatasetError, match="1 times for the 12 boxes"):
        write_submission(name, sequences, results, archive)
    (results / f"{sequences[0].name}.txt").write_text("1,2,3,4\n")
    with pytest.raises(DatasetError, match="run it again"):
        write_submission(name, sequences, results, archive)


@pytest.mark.parametrize("name", ["got10k_test", "trackingnet"])
def test_servers_alone_can_score(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="only a server"):
        compare(name, [], {"a": tmp_path})


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_own(tmp_path / "data")
    data, out = str(tmp_path / "data"), str(tmp_path / "mil")
    assert main(["ope", "folder", data, "--out", out, "--tracker", "mil"]) == 0
    assert main(["ope", "folder", data, "--out", out, "--tracker", "mil"]) == 0
    assert "1 of 1 sequences are done" in capsys.readouterr().out
    page = tmp_path / "report.html"
    assert main(["compare", "folder", data, f"MIL={out}", "--html", str(page)]) == 0
    assert "MIL" in capsys.readouterr().out and "data-root-id" in page.read_text()


@pytest.mark.slow
def test_processes_share_the_sequences(lasot: list[AnnotatedSequence], tmp_path: Path) -> None:
    from litetrack_ros.tools.ope import Opener

    opener = Opener("mil", "", "", "")
    done = run_campaign(lasot, opener, tmp_path / "out", ["cpu", "cpu"], jobs=2)
    assert {s.name for s in done} == {s.name for s in lasot}
    assert unfinished(lasot, tmp_path / "out") == []
