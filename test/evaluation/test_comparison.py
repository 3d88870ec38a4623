"""Tables, figures and intervals of one tracker's runs, or of several trackers' result files."""

import csv
import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_results import write_results
from made_trackers import Repeater
from published_layouts import COUNT, LAYOUTS, lines, write_lasot, write_own

from litetrack_ros.datasets.benchmarks import read_benchmark
from litetrack_ros.datasets.sequences import AnnotatedSequence, find_sequences
from litetrack_ros.errors import DatasetError
from litetrack_ros.evaluation.comparison import (
    compare,
    compare_results,
    paper_figures,
    score_perturbed,
)
from litetrack_ros.evaluation.conventions import CONVENTIONS
from litetrack_ros.evaluation.executors import InPlace
from litetrack_ros.evaluation.results import boxes_only, write_run
from litetrack_ros.evaluation.runner import plan, run_all
from litetrack_ros.tools.main import main

WIDTH, HEIGHT = 64, 48


@pytest.fixture
def sequences(tmp_path: Path) -> list[AnnotatedSequence]:
    """``still`` has 3 frames, ``leaving`` 5, in the last two of which the target is elsewhere."""
    boxes = {
        "still": ["8,8,10,10"] * 3,
        "leaving": ["8,8,10,10"] * 2 + ["nan,nan,nan,nan"] + ["30,30,10,10"] * 2,
    }
    for name, rows in boxes.items():
        write_frames(tmp_path / name, rows)
    return find_sequences([tmp_path])


def write_frames(folder: Path, rows: list[str]) -> None:
    """A sequence folder with dark frames of 64x48."""
    (folder / "frames").mkdir(parents=True)
    for index in range(len(rows)):
        image = np.full((HEIGHT, WIDTH, 3), index, np.uint8)
        cv2.imwrite(str(folder / "frames" / f"{index}.png"), image)
    (folder / "groundtruth.txt").write_text("\n".join(rows))


def test_both_means_are_named_apart(sequences: list[AnnotatedSequence]) -> None:
    runs = run_all(plan(sequences), InPlace(Repeater))
    found = compare("folder", "plain", sequences, {"a": runs})
    assert [run.name for run in runs] == ["leaving", "still"]
    assert found.scores["a"].over_sequences[0] == pytest.approx((1 / 3 + 1) / 2)
    assert found.scores["a"].over_frames[0] == pytest.approx(3 / 5)
    header, rows = found.sequence_table("a")
    assert [row[0] for row in rows] == [
        "leaving",
        "still",
        "mean over sequences",
        "mean over frames",
    ]
    assert rows[0][1:3] == ["3", "0.333"]
    assert all(len(row) == len(header) for row in rows)
    assert found.sequence_figures("a")["convention"] == "plain"


def test_figures_hold_no_nan(sequences: list[AnnotatedSequence]) -> None:
    """JSON has no NaN: a sequence with nothing scored says null."""
    [sequence] = [s for s in sequences if s.name == "still"]
    truth = sequence.boxes_xywh.copy()
    truth[1:] = np.nan
    sequence = type(sequence)(sequence.name, sequence.folder, truth)
    found = compare("folder", "plain", [sequence], {"a": [boxes_only("still", truth)]})
    figures = found.sequence_figures("a")
    assert figures["sequences"][0] == {
        "name": "still",
        "frames_scored": 0,
        "ao": None,
        "sr50": None,
        "sr75": None,
        "p": None,
        "p_norm": None,
        "update_fps": None,
    }
    json.dumps([figures, found.as_json()], allow_nan=False)


def test_a_tracker_without_a_result_is_named(sequences: list[AnnotatedSequence]) -> None:
    runs = run_all(plan(sequences[:1]), InPlace(Repeater))
    with pytest.raises(DatasetError, match="a has no result for the sequence still"):
        compare("folder", "plain", sequences, {"a": runs})


def test_perturbed_runs_are_scored_one_by_one(sequences: list[AnnotatedSequence]) -> None:
    runs = run_all(plan(sequences, perturbed=2), InPlace(Repeater))
    groups = {"leaving": runs[1:3], "still": runs[4:6]}
    found = score_perturbed("plain", sequences, groups)
    assert found.values.shape == (2, 2) and found.column == "AO"
    for seed in range(2):
        each = compare("folder", "plain", sequences, {"a": [runs[1 + seed], runs[4 + seed]]})
        np.testing.assert_array_equal(found.values[:, seed], each.scores["a"].figures[:, 0])
        mean = each.scores["a"].over_sequences[0]
        assert found.over_sequences[seed] == pytest.approx(mean, abs=1e-12)


# A frame of 64x48 with the target at (40, 20), 20 px wide and high, and what the tracker said of
# it; the overlaps by convention, None where the frame is not scored, "error" where none is given.
# pytracking's count frames without a target as missed.
TRUTH = "40,20,20,20"
EDGE = "54,20,20,20"  # half of the target is outside the image
ABSENT = "nan,nan,nan,nan"
BORDERS = [
    ("inside", TRUTH, "40,20,20,10", (0.5, 0.5, 0.5)),
    ("past the right border", "44,20,20,20", "44,20,40,20", (0.5, 1.0, 0.5)),
    ("past the left border", "1,20,20,20", "-19,20,40,20", (0.5, 20 / 40, 0.5)),
    ("past the lower border", "40,28,20,20", "40,28,20,40", (0.5, 1.0, 0.5)),
    ("past the upper border", "40,1,20,20", "40,-19,20,40", (0.5, 20 / 40, 0.5)),
    ("truth past the border too", EDGE, "54,20,10,20", (0.5, 1.0, 0.5)),
    ("outside", TRUTH, "70,20,20,20", (0.0, 0.0, 0.0)),
    ("no number", TRUTH, ABSENT, (0.0, "error", "error")),
    ("absent truth", ABSENT, TRUTH, (None, None, 0.0)),
]


@pytest.mark.parametrize("convention", list(CONVENTIONS))
@pytest.mark.parametrize(("what", "truth", "box", "expected"), BORDERS, ids=[b[0] for b in BORDERS])
def test_evaluate_and_compare_agree_on_boxes_that_leave_the_image(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    convention: str,
    what: str,
    truth: str,
    box: str,
    expected: tuple[float | str | None, ...],
) -> None:
    """``evaluate`` scores its own files when all is finished: no tracker says these boxes."""
    write_frames(tmp_path / "data" / "s", [TRUTH, TRUTH, truth])
    out = tmp_path / "out"
    out.mkdir()
    (out / "s.txt").write_text(f"{TRUTH}\n{TRUTH}\n{box}\n")
    data, figures = str(tmp_path / "data"), [tmp_path / "evaluate.json", tmp_path / "compare.json"]
    scoring = ["--convention", convention, "--json"]
    evaluate = ["evaluate", data, "--tracker", "mil", "--out", str(out), *scoring, str(figures[0])]
    compare_ = ["compare", "folder", data, f"a={out}", *scoring, str(figures[1])]
    wanted = expected[{"plain": 0, "got10k": 1}.get(convention, 2)]
    statuses = [main(evaluate), main(compare_)]
    assert statuses == ([2, 2] if wanted == "error" else [0, 0])
    if wanted == "error":
        assert capsys.readouterr().err.count("NaN") == 2
        return
    assert "convention " + convention + ":" in capsys.readouterr().out
    ours, theirs = (json.loads(path.read_text()) for path in figures)
    assert ours["convention"] == theirs["convention"] == convention
    columns = theirs["columns"]
    for column in columns:
        of_one = ours["sequences"][0][column.lower()]
        assert 100 * of_one == pytest.approx(theirs["trackers"]["a"][column], abs=1e-9)
    first = ours["sequences"][0][columns[0].lower()]
    if convention in ("plain", "got10k"):
        scored = [1.0] if wanted is None else [1.0, wanted]
        assert first == pytest.approx(np.mean(scored), abs=1e-12)
    else:
        # The share of 21 thresholds that each frame's overlap exceeds; a box on itself does not
        # exceed the last, nor 0.5 itself.
        exceeded = {0.0: 0, 0.5: 10}[float(wanted or 0.0)]
        assert first == pytest.approx((20 + 20 + exceeded) / 3 / 21, abs=1e-12)


@pytest.fixture
def lasot(tmp_path: Path) -> list[AnnotatedSequence]:
    root = tmp_path / "lasot"
    write_lasot(root, ["airplane-1", "airplane-9", "bear-2"])
    return read_benchmark("lasot", root)


def test_comparison(lasot: list[AnnotatedSequence], tmp_path: Path) -> None:
    good, bad = (write_results(lasot, tmp_path / n, s) for n, s in (("good", 0.5), ("bad", 6.0)))
    found = compare_results("lasot", lasot, {"good": good, "bad": bad})
    assert found.columns[0] == "AUC" and found.figures["good"][0] > found.figures["bad"][0] + 10
    assert found.fps["good"] == pytest.approx(50)
    (first, other, difference), *rest = found.differences()
    assert (first, other, rest) == ("good", "bad", [])
    assert 0 < difference.low <= difference.mean <= difference.high
    assert difference.share_above == 1
    json.dumps(found.as_json(), allow_nan=False)


@pytest.mark.parametrize("name", ["otb100", "folder", "got10k_val", "nfs"])
def test_every_convention_scores_its_layout(tmp_path: Path, name: str) -> None:
    LAYOUTS[name][0](tmp_path / "data")
    sequences = read_benchmark(name, tmp_path / "data")
    found = compare_results(name, sequences, {"a": write_results(sequences, tmp_path / "a", 0.0)})
    assert found.figures["a"][0] > 90
    if name == "otb100":
        assert found.attributes["FM"]["a"] > 90


def test_the_interval_is_of_the_printed_figure(tmp_path: Path) -> None:
    """Long sequences that one tracker loses count for more where frames are pooled."""
    rng = np.random.default_rng(0)
    lengths, truth = [10] * 12 + [400] * 3, np.array([20.0, 20, 10, 10])
    sequences, runs = [], {"a": [], "b": []}
    for k, length in enumerate(lengths):
        boxes = np.tile(truth, (length, 1))
        sequences.append(_InMemory(f"s{k}", tmp_path, boxes))
        for name, shift in (("a", 1.0), ("b", 1.5 if length < 50 else 8.0)):
            moved = boxes + np.array([shift + rng.uniform(0, 1), 0, 0, 0])
            runs[name].append(boxes_only(f"s{k}", moved))
    for convention in ("plain", "got10k", "authors"):
        found = compare("folder", convention, sequences, runs)
        [(_, _, difference)] = found.differences()
        printed = found.figures["a"][0] - found.figures["b"][0]
        assert difference.mean == pytest.approx(printed, abs=1e-9)
        assert difference.low < printed < difference.high
    pooled, mean = (
        compare("folder", convention, sequences, runs).differences()[0][2].mean
        for convention in ("got10k", "plain")
    )
    assert pooled > 2 * mean  # two statistics, each with its own interval


class _InMemory(AnnotatedSequence):
    def frame_size(self) -> tuple[int, int]:
        return 320, 240


def test_two_trackers_of_one_name_are_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_own(tmp_path / "data")
    names = ["nano=A", "csrt=B", "nano=C"]
    assert main(["compare", "folder", str(tmp_path / "data"), *names]) == 2
    assert "two trackers are called 'nano'" in capsys.readouterr().err


def test_files_for_a_paper(
    lasot: list[AnnotatedSequence], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    shifts = {"good_one": 0.5, "bad": 6.0, "worse": 8.0}
    for name, shift in shifts.items():
        write_results(lasot, tmp_path / name, shift)
    folders = [str(tmp_path / name) for name in shifts]
    data, out = str(tmp_path / "lasot"), tmp_path / "out"
    command = ["compare", "lasot", data, *folders, "--out", str(out), "--per-sequence"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "warning: an interval from 3 sequences" in printed and "airplane-9" in printed
    for plot in ("success", "precision", "normalised_precision", "attributes"):
        assert (out / f"{plot}.pdf").read_bytes().startswith(b"%PDF")
        image = cv2.imread(str(out / f"{plot}.png"))
        assert image.shape[1] > 800 and image.std() > 5
    rows = list(csv.reader((out / "by_sequence.csv").open()))
    assert rows[0] == ["sequence", *shifts] and len(rows) == 4
    assert [row[0] for row in csv.reader((out / "differences.csv").open())][1:] == [
        "good_one - bad",
        "good_one - worse",
    ]
    assert r"good\_one & " in (out / "figures.tex").read_text()


def test_own_folders_have_success_and_both_precisions(sequences: list[AnnotatedSequence]) -> None:
    runs = run_all(plan(sequences), InPlace(Repeater))
    found = compare("folder", "plain", sequences, {"a": runs})
    assert found.columns == ("AO", "SR50", "SR75", "P", "P_norm")
    assert [curve.title for curve in found.curves] == [
        "Success",
        "Precision",
        "Normalised precision",
    ]
    # `leaving` is 31 px off in two of three frames.
    assert found.figures["a"][3:] == pytest.approx((200 / 3, 200 / 3))


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
    found = compare_results("got10k_val", sequences, {"a": tmp_path / "tracker"})
    call_s = found.runs["a"][name].call_s
    assert call_s.tolist() == pytest.approx([0.4] + [0.02] * (COUNT - 1))
    assert found.figures["a"] == pytest.approx((50, 50, 50), abs=1e-6)
    assert found.per_sequence["a"] == pytest.approx([50], abs=1e-6)
    assert found.fps["a"] == pytest.approx(50)


def test_the_papers_figures() -> None:
    columns, rows = paper_figures("got10k_test")
    assert columns == ("AO", "SR50", "SR75") and rows["B4"] == (65.2, 74.7, 57.7)
    assert paper_figures("otb100") == ((), {})


@pytest.mark.parametrize("name", ["got10k_test", "trackingnet"])
def test_servers_alone_can_score(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="only a server"):
        compare_results(name, [], {"a": tmp_path})


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_own(tmp_path / "data")
    data, out = str(tmp_path / "data"), str(tmp_path / "mil")
    evaluate = ["evaluate", data, "--benchmark", "folder", "--out", out, "--tracker", "mil"]
    assert main(evaluate) == 0
    assert "0 of 1 sequences are done" in capsys.readouterr().out
    assert main(evaluate) == 0
    assert "1 of 1 sequences are done" in capsys.readouterr().out
    page = tmp_path / "report.html"
    assert main(["compare", "folder", data, f"MIL={out}", "--html", str(page)]) == 0
    assert "MIL" in capsys.readouterr().out and "data-root-id" in page.read_text()


def test_long_term_figures_of_result_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command measures files as ``evaluate --long-term`` does what it has just run."""
    write_own(tmp_path / "data")
    [sequence] = find_sequences([tmp_path / "data"])
    truth = sequence.boxes_xywh
    run = boxes_only(sequence.name, np.nan_to_num(truth, nan=5.0))
    lost = dataclasses.replace(run, states=np.where(np.arange(len(truth)) % 2, 2, 3))
    (tmp_path / "a" / "stateless").mkdir(parents=True)
    write_run(tmp_path / "a", lost)
    write_run(tmp_path / "a" / "stateless", run)
    write_results([sequence], tmp_path / "b", 0.0)
    figures, page = tmp_path / "figures.json", tmp_path / "page.html"
    command = ["compare", "folder", str(tmp_path / "data")]
    command += [f"A={tmp_path / 'a'}", f"B={tmp_path / 'b'}", "--long-term"]
    assert main([*command, "--json", str(figures), "--html", str(page)]) == 0
    found = json.loads(figures.read_text())["long_term"]
    visible = np.isfinite(truth[1:, 0])
    wanted = (visible & (lost.states[1:] == 3)).sum() / visible.sum()
    assert found["A"]["pooled"]["false_lost"]["value"] == pytest.approx(wanted)
    assert found["A"]["pooled"]["tpr"]["value"] == pytest.approx(1 - wanted)
    assert found["B"]["pooled"]["tpr"]["value"] == 1.0
    assert found["B"]["pooled"]["false_lost"]["value"] is None
    assert "\nA\nlong-term figure" in capsys.readouterr().out
    assert "Long-term figures of A" in page.read_text()
