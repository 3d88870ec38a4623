"""Archives for the servers, from results of the runner."""

import re
import zipfile
from pathlib import Path

import pytest
from made_trackers import Drifting
from published_layouts import COUNT, LAYOUTS

from litetrack_ros.datasets.benchmarks import read_benchmark
from litetrack_ros.errors import DatasetError
from litetrack_ros.evaluation.executors import InPlace
from litetrack_ros.evaluation.runner import plan, run_all
from litetrack_ros.evaluation.submissions import write_submission
from litetrack_ros.tools.main import main


@pytest.mark.parametrize("name", ["got10k_test", "got10k_val", "trackingnet"])
def test_submissions(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    LAYOUTS[name][0](tmp_path / "data")
    sequences = read_benchmark(name, tmp_path / "data")
    results = tmp_path / "results"
    run_all(plan(sequences, results), InPlace(Drifting))
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
