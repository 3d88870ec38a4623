"""`litetrack model attention`: a panel for the template, the search region, each layer."""

from pathlib import Path

import cv2
import pytest

from litetrack_ros.tools.main import main


def attention(sequence: Path, model: Path, output: Path, *arguments: str) -> int:
    return main(
        ["model", "attention", str(sequence), "--model", str(model), "-o", str(output), *arguments]
    )


@pytest.mark.parametrize(
    ("arguments", "layers"), [([], ["1 (FE)", "2 (FE)", "3", "4"]), (["--layer", "4"], ["4"])]
)
def test_picture(
    tmp_path: Path,
    square_sequence: Path,
    tiny_model: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    layers: list[str],
):
    output = tmp_path / "a.png"
    assert attention(square_sequence, tiny_model, output, "--frame", "2", *arguments) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in printed] == [f"layer {layer}" for layer in layers]
    panels = 2 + len(layers)
    assert cv2.imread(str(output)).shape == (384, 384 * panels + 4 * (panels - 1), 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--frame", "0"], "starts in frame 1"),
        (["--frame", "12"], "ends before frame 12"),
        (["--frame", "2", "--layer", "5"], "no layer 5"),
        (["--frame", "2", "--init-box", "500", "5", "9", "9"], "outside"),
        (["--frame", "2", "--model", "nothing"], "nothing"),
    ],
)
def test_bad_input_writes_nothing(
    tmp_path: Path,
    square_sequence: Path,
    tiny_model: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
):
    assert attention(square_sequence, tiny_model, tmp_path / "a.png", *arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_suffix_must_be_a_picture_s(
    tmp_path: Path, square_sequence: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
):
    assert attention(square_sequence, tiny_model, tmp_path / "a.xyz", "--frame", "1") == 2
    assert "call it .png" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
