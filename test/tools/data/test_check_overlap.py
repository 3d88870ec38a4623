"""``litetrack data check-overlap``."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from training_pictures import textured

from litetrack_ros.tools.main import main


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    for name in ("train", "test"):
        (tmp_path / name / "clip").mkdir(parents=True)
        for k in range(3):
            cv2.imwrite(str(tmp_path / name / f"clip/{k}.png"), textured(rng, 160, 120))
    train, test, figures = (str(tmp_path / name) for name in ("train", "test", "figures.json"))
    arguments = ["data", "check-overlap", "--data", train, "--against", test, "--json", figures]
    assert main(arguments) == 0
    assert "3 pictures compared with 3" in capsys.readouterr().out
    mirrored = cv2.imread(f"{test}/clip/2.png")[:, ::-1]
    cv2.imwrite(f"{train}/clip/copy.webp", cv2.resize(mirrored, (80, 60)))
    assert main(arguments) == 1
    shown = capsys.readouterr().out
    assert "1 copies" in shown and "copy.webp" in shown
    [found] = json.loads(Path(figures).read_text())["copies"]
    assert found["reference"].endswith("test/clip/2.png") and found["bits"] <= 8
    assert main(["data", "check-overlap", "--data", train, "--against", f"{test}/none"]) == 2
    assert "no folder" in capsys.readouterr().err
