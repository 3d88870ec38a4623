"""Every table and figure of the paper, from small made runs."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_results import write_results
from published_layouts import write_lasot, write_uav123

from litetrack_ros.config import ModelConfig, TrackerConfig
from litetrack_ros.datasets.benchmarks import read_benchmark
from litetrack_ros.evaluation.comparison import compare_results
from litetrack_ros.evaluation.paper_tables import paper_table
from litetrack_ros.evaluation.results import ABOUT_FILE
from litetrack_ros.manifest import file_sha256
from litetrack_ros.tools.main import main

pytest.importorskip("torch")
pytest.importorskip("matplotlib")


def make_run(folder: Path, initial: str | None = "a", recorded: bool = True) -> Path:
    """A run's folder with a small model that says what made it."""
    from litetrack_ros.model.checkpoint import save_weights
    from litetrack_ros.model.litetrack import LiteTrack
    from litetrack_ros.training.provenance import metadata_of
    from litetrack_ros.training.recipe import Recipe

    config = ModelConfig(
        name="tiny", embed_dim=16, num_heads=2, fe_layers=0, ai_layers=1, head_channels=8
    )
    folder.mkdir()
    record = {"initial_sha256": initial, "commit": None} if recorded else None
    extra = {**metadata_of(Recipe(model="b9", steps=500), record), "steps": "20"}
    save_weights(folder / "latest.safetensors", LiteTrack(config), TrackerConfig(), extra)
    return folder


def claim(results: Path, run: Path) -> None:
    """Say that results are of a run's weights."""
    about = {"tracker": "litetrack", "model_sha256": file_sha256(run / "latest.safetensors")}
    (results / ABOUT_FILE).write_text(json.dumps(about))


def rows_of(path: Path) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in csv.reader(path.open())}


def test_a_cell_of_ours_is_what_its_results_give(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "run")
    write_lasot(tmp_path / "lasot", ["airplane-1", "airplane-9"])
    sequences = read_benchmark("lasot", tmp_path / "lasot")
    results = write_results(sequences, tmp_path / "results", 3.0)
    claim(results, run)
    words = ["--run", f"b9_all={run}", "--results", f"b9_all:lasot={results}"]
    words += ["--data", f"lasot={tmp_path / 'lasot'}", "--out", str(tmp_path / "out")]
    assert main(["paper", "table2", *words]) == 0
    rows = rows_of(tmp_path / "out" / "table2.csv")
    assert rows["LiteTrack-B9"][3:6] == ["67.0", "77.0", "72.7"]
    found = compare_results("lasot", sequences, {"a": results}).figures["a"][:3]
    # The run had fewer steps than its recipe and than it set out for: that is said.
    assert rows["LiteTrack-B9, ours"][3:6] == [f"{value:.1f} [2]" for value in found]
    printed = capsys.readouterr().out
    assert "steps 500, by the recipe 562500, trained on synthetic pairs" in printed
    assert "20 of 500 steps" in printed
    assert rows["LiteTrack-B9, ours"][:3] == 3 * ["not run [1]"]
    assert "litetrack submit trackingnet" in printed
    assert rows["LiteTrack-B8, ours"][3].startswith("not run")
    assert "litetrack train config/train/b8_all.yaml" in printed
    assert rows["ATOM"][-2:] == ["175", "15"]
    assert rows["LiteTrack-B9, ours"][-2:] == ["see below"] * 2
    assert r"\begin{tabular}" in (tmp_path / "out" / "table2.tex").read_text()


@pytest.mark.parametrize("fault", ["no record", "other weights", "no run"])
def test_without_provenance_there_is_no_number(
    tmp_path: Path, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "run", recorded=fault != "no record")
    results = tmp_path / "results"
    results.mkdir()
    claim(results, make_run(tmp_path / "other") if fault == "other weights" else run)
    (results / "server.json").write_text('{"AO": 72.0, "SR50": 80.0}')
    words = ["--results", f"b4_got10k:got10k_test={results}", "--out", str(tmp_path / "out")]
    words += [] if fault == "no run" else ["--run", f"b4_got10k={run}"]
    assert main(["paper", "table5", *words]) == 0
    row = rows_of(tmp_path / "out" / "table5.csv")["2 FE + 2 AI, ours"]
    assert row[0].startswith("not run") and row[1].startswith("not run")
    said = {"no record": "do not say what made them", "other weights": "of other weights"}
    assert said.get(fault, "litetrack train") in capsys.readouterr().out


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [("a", "b", ""), (None, "b", "without MAE's weights"), ("b", "b", "the same weights")],
)
def test_table_4_is_held_to_its_pretraining(
    tmp_path: Path,
    first: str | None,
    second: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words, given = [], {"table4_row1": first, "table4_row2": second}
    for recipe, initial in given.items():
        run, results = make_run(tmp_path / recipe, initial), tmp_path / f"{recipe}_results"
        results.mkdir()
        claim(results, run)
        (results / "server.json").write_text('{"AO": 71.0}')
        words += ["--run", f"{recipe}={run}", f"--results={recipe}:got10k_test={results}"]
    runs = [word for word in words if word.startswith("table4")]
    results_ = [word.removeprefix("--results=") for word in words if word.startswith("--results=")]
    command = ["paper", "table4", "--out", str(tmp_path / "out"), "--run", *runs]
    assert main([*command, "--results", *results_]) == 0
    row = rows_of(tmp_path / "out" / "table4.csv")["1 OSTrack (w/o CE), ours"]
    assert row[0].startswith("not run" if said else "71.0")
    assert said in capsys.readouterr().out


def test_speeds_stand_apart_with_their_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subject = {"model": "b9", "backend": "torch", "precision": "fp16"}
    subject |= {"measures_ms": {"step 1": {"p50": 8.0}}}  # type: ignore[dict-item]
    measured = {"machine": {"cpu": "A CPU", "gpu": None}, "subjects": [subject]}
    (tmp_path / "speed.json").write_text(json.dumps(measured))
    words = ["--out", str(tmp_path), "--speed", str(tmp_path / "speed.json")]
    assert main(["paper", "table3", *words]) == 0
    assert rows_of(tmp_path / "table3_speed.csv")["b9 torch fp16"] == ["A CPU", "125.0"]
    assert "not to be set beside them" in capsys.readouterr().out
    (tmp_path / "speed.json").write_text("{}")
    assert main(["paper", "table3", *words]) == 2


def test_table_1(tmp_path: Path) -> None:
    assert main(["paper", "table1", "--out", str(tmp_path)]) == 0
    rows = rows_of(tmp_path / "table1.csv")
    assert rows["LiteTrack-B6"] == ["3", "3", "237", "31", "82", "10.09", "38.97"]
    assert rows["LiteTrack-B6, ours"][-2] == "10.09"


def test_figures_1_and_6(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = []
    for recipe, ao in (("b9_got10k", 60.0), ("b4_got10k", 50.0)):
        run, results = make_run(tmp_path / recipe), tmp_path / f"{recipe}_results"
        results.mkdir()
        claim(results, run)
        (results / "server.json").write_text(json.dumps({"AO": ao}))
        words.append((f"{recipe}={run}", f"{recipe}:got10k_test={results}"))
    runs, results_ = zip(*words, strict=True)
    assert main(["paper", "figure1", "--out", str(tmp_path)]) == 0
    given = ["--run", *runs, "--results", *results_]
    assert main(["paper", "figure6", "--out", str(tmp_path), *given]) == 0
    assert "LiteTrack-B8: not run: litetrack train" in capsys.readouterr().out
    for name in ("figure1", "figure6"):
        assert cv2.imread(str(tmp_path / f"{name}.png")).std() > 5
        assert (tmp_path / f"{name}.pdf").read_bytes().startswith(b"%PDF")


def test_figure_3_says_what_its_weights_are(
    tiny_model: Path, square_sequence: Path, tmp_path: Path
) -> None:
    from litetrack_ros.tools.paper import weight_mark

    words = ["--src", str(square_sequence), "--model", str(tiny_model), "--frame", "2"]
    assert main(["paper", "figure3", "--out", str(tmp_path), *words]) == 0
    picture = cv2.imread(str(tmp_path / "figure3.png"))
    assert (picture[-36:] == 255).mean() > 0.5 and (picture[-36:] == 0).any()
    assert "nothing says that these weights were trained" in weight_mark({}, "tiny")
    assert "pruned and not trained again" in weight_mark({"pruned_from": "a"}, "tiny")
    assert main(["paper", "figure3", "--out", str(tmp_path)]) == 2


def test_figure_7(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_uav123(tmp_path / "data")
    sequences = read_benchmark("uav123", tmp_path / "data")
    ours = write_results(sequences, tmp_path / "ours", 1.0)
    other = write_results(sequences, tmp_path / "other", 5.0)
    words = ["--results", f"LiteTrack={ours}", f"HCAT={other}", "--out", str(tmp_path)]
    assert main(["paper", "figure7", *words]) == 2
    assert "not run: litetrack evaluate" in capsys.readouterr().err
    assert main(["paper", "figure7", *words, "--data", f"uav123={tmp_path / 'data'}"]) == 0
    picture = cv2.imread(str(tmp_path / "figure7.png"))
    assert picture.shape[1] >= 4 * 360 and picture.std() > 5


def test_the_papers_tables_are_whole() -> None:
    for name, count in (
        ("table1", 4),
        ("table2", 23),
        ("table3", 11),
        ("table4", 4),
        ("table5", 7),
    ):
        table = paper_table(name)
        assert len(table.rows) == count
        assert all(len(cells) == len(table.columns) for cells in table.rows.values())
    two = paper_table("table2")
    assert two.cell("HiT-Base", "lasot:AUC") == 64.6 and two.cell("HiFT", "lasot:P") == 42.1
    assert two.cell("FEAR-XS", "trackingnet:AUC") is None
    assert list(two.rows)[two.real_time] == "ARTrack-256"
    assert np.isfinite(paper_table("table3").cell("FEAR", "vot2021:EAO") or np.nan)
