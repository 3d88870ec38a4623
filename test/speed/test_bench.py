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


@pytest.mark.slow
def test_the_whole_bench_on_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from litetrack_ros.tools.main import main

    pytest.importorskip("bokeh")
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(bench, "WAYS", [w for w in bench.WAYS if w.backend == "onnx"])
    out = tmp_path / "bench"
    status = main(["model", "bench", "--model", DEFAULT_MODEL, "--minutes", "2", "-o", str(out)])
    assert status == 0
    found = json.loads(out.with_suffix(".json").read_text())
    row = found["rows"]["onnx cpu fp32"]
    assert row["teacher_forced"]["least"] > 0.99
    assert row["ao"]["drawn scene"] > 0.6
    assert {"step 1", "step 8", "crop on the host 8"} <= row["times_ms"].keys()
    if not torch.cuda.is_available():
        assert "onnx cuda fp16" in found["absent"]
        assert "built without CUDA" in found["absent"]["fault: the device's memory is full"]
        assert "training, 200 steps" in found["absent"]
    text = out.with_suffix(".html").read_text()
    assert "Not measured here" in text and "onnx cpu fp32" in text
