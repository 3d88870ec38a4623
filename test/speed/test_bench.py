"""The bench: end to end on the CPU, and why the rest is absent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from litetrack_ros.config import DEFAULT_MODEL

torch = pytest.importorskip("torch")
bench = pytest.importorskip("litetrack_ros.speed.bench")
bench_way = pytest.importorskip("litetrack_ros.speed.bench_way")


def test_a_job_comes_through_the_command_line() -> None:
    job = bench_way.Job(
        bench_way.Way("torch", "cuda", "fp16", "static"), "m", ("a",), 1.0, "memory"
    )
    assert bench_way.Job.from_json(job.to_json()) == job
    assert job.way.name == "torch cuda fp16 graph"
    assert len({way.name for way in bench.WAYS}) == len(bench.WAYS)


def test_a_process_that_fails_is_a_reason(tmp_path: Path) -> None:
    job = bench_way.Job(bench.REFERENCE, "no such model", (), 0.1)
    assert "there is no model file" in bench._child(job, 60)["failed"]
    assert "not done within" in bench._child(job, 0.05)["failed"]


def test_every_way_asked_for_has_a_row_or_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch in three precisions, as graph and compiled, both providers, B4, faults, training."""
    monkeypatch.setattr(bench, "_child", lambda job, timeout_s: {"failed": "not tried"})
    found = bench.run_bench(DEFAULT_MODEL, [], None, None, 300.0, tmp_path, lambda _: None)
    names = [way.name for way in bench.WAYS]
    for precision in ("fp32", "fp16", "bf16"):
        assert {f"torch cuda {precision}", f"torch cuda {precision} graph"} <= {*names}
    assert {f"onnx {one} {p}" for one in ("cuda", "tensorrt") for p in ("fp32", "fp16")} <= {*names}
    for form in ("", " graph", " compiled"):
        assert f"b4 random, torch cuda fp16{form}" in names
    assert "--against" in found.absent["b4 random, authors' cpu fp32"]
    assert {*names} <= found.absent.keys() and found.rows == {}
    faults = [name for name in found.absent if name.startswith("fault: ")]
    assert len(faults) == 4 or len(found.faults) == 4
    assert "training, 200 steps" in found.absent
    if not torch.cuda.is_available():
        gpu = [found.absent[n] for n in (*faults, "torch cuda fp16", "b4 random, torch cuda fp16")]
        assert all("cuda" in reason.lower() for reason in gpu)


def test_the_reference_is_asked_once(tmp_path: Path) -> None:
    """And held against; random weights answer too, but follow nothing."""
    from saved_models import save_small

    from litetrack_ros.speed import bench_answers

    save_small(tmp_path / "small.safetensors")
    way = bench_way.Way("torch", "cpu", "fp32", "static", random="small")
    file = tmp_path / "reference.json"
    job = bench_way.Job(way, str(tmp_path / "small.safetensors"), (), 0.05, str(file))
    row = bench_way.measure(job)
    assert file.is_file() and row["ao"] == {} and row["teacher_forced"]["least"] > 0.999
    wanted = bench_answers.Answers.read(file)
    wanted.boxes = [[0.9, 0.9, 0.1, 0.1] for _ in wanted.boxes]
    wanted.write(file)
    own, read = bench_way._answers(job, bench_way.open_way(way, job.model))
    assert max(own.overlaps_with(read)) < 0.5
    for count in bench_way.TARGETS:
        expected = {f"step {count}", f"crop here {count}", f"upload {count} crops"}
        expected |= {f"upload the image and crop there {count}", f"download {count} answers"}
        expected |= {f"step {count}: {stage}" for stage in ("crop", "model", "decode")}
        assert expected <= row["times_ms"].keys()
    for times in row["times_ms"].values():
        assert 0 <= times["p50"] <= times["p95"] <= times["p99"] and times["count"] >= 5


def test_sequences_that_are_none_are_named_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from litetrack_ros.tools.main import main

    nowhere = str(tmp_path / "nowhere")
    assert main(["model", "bench", "--sequences", nowhere, "-o", str(tmp_path / "bench")]) == 2
    assert f"there is no folder {nowhere}" in capsys.readouterr().err


@pytest.mark.slow
def test_the_whole_bench_on_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from litetrack_ros.tools.main import main

    pytest.importorskip("bokeh")
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(
        bench, "WAYS", [w for w in bench.WAYS if w.backend == "onnx" and not w.random]
    )
    out = tmp_path / "bench"
    status = main(["model", "bench", "--model", DEFAULT_MODEL, "--minutes", "1", "-o", str(out)])
    assert status == 0
    found = json.loads(out.with_suffix(".json").read_text())
    row = found["rows"]["onnx cpu fp32"]
    assert row["teacher_forced"]["least"] > 0.99
    assert row["ao"]["drawn scene"] > 0.6
    assert {"step 1", "step 8", "step 8: decode", "crop here 8"} <= row["times_ms"].keys()
    if not torch.cuda.is_available():
        assert "onnx cuda fp16" in found["absent"]
        fault = "fault: the device's memory is full, without a fallback"
        assert "CUDA" in found["absent"][fault]
        assert "training, 200 steps" in found["absent"]
    text = out.with_suffix(".html").read_text()
    assert "Not measured here" in text and "onnx cpu fp32" in text


def test_the_page_shows_ways_with_other_measures_beside_each_other() -> None:
    """Also without a GPU's memory, with random weights, and with the authors' network."""
    bench_page = pytest.importorskip("litetrack_ros.speed.bench_page")
    pytest.importorskip("bokeh")
    times = {"p50": 2.0, "p95": 3.0, "p99": 4.0, "count": 9}
    row = {
        "provider": "cpu", "device_name": "x", "is_random": False, "load_and_warm_up_s": 1.0,
        "teacher_forced": {"mean": 0.9987, "least": 0.9912}, "ao": {"one": 0.7},
        "ao_reference": {"one": 0.71}, "state_differs": 0.005, "peak_memory_mb": 100.0,
        "graph_memory_mb": 0.0, "device_memory_mb": None, "device_memory_grown_mb": None,
        "calls": 9, "times_ms": dict.fromkeys(
            ["step 1", "step 2", "step 4", "step 8", "step 4: decode", "search 1"], times),
    }  # fmt: skip
    large = {**row, "is_random": True, "ao": {}, "ao_reference": {}, "device_memory_mb": 900.0}
    large["times_ms"] = {**row["times_ms"], "search 1": {**times, "p50": 0.5}}
    found = bench.Results(
        {"cpu": "x"},
        {"model": "m"},
        {"torch cpu fp32": row, "b4 random, torch cuda fp16 graph": large},
        {"b4 random, authors' cuda fp16": {"times_ms": {"search 1": times}}},
        {"torch cuda fp32": "because"},
        {"the device's memory is full, without a fallback": "the end"},
        {"steps": 200, "pairs_per_s": 123.4},
    )
    text = bench_page.page(found)
    for words in ("0.9987", "0.9912", "0.700 (-0.010)", "none seen", "900.0", "because", "the end",
                  "step 4: decode", "2.00 / 4.00", "0.25", "123", "authors"):  # fmt: skip
        assert words in text, words
