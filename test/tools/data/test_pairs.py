"""``litetrack data pairs``, ``objects`` and ``dev-set``: what they write and say."""

import re
from pathlib import Path

import cv2
import pytest
from training_pictures import CLIPS, CUTOUTS, MASKS, PHOTOS, write_pictures

from litetrack_ros.datasets.sequences import find_sequences
from litetrack_ros.tools.main import main


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder of pictures to make pairs of."""
    return str(write_pictures(tmp_path_factory.mktemp("pictures")))


def test_contact_sheet(pictures: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = tmp_path / "sheet.png"
    arguments = [
        "data",
        "pairs",
        "--data",
        pictures,
        "--split",
        "all",
        "--count",
        "5",
        "-o",
        str(sheet),
    ]
    assert main(arguments) == 0
    assert f"{PHOTOS} photos, {CUTOUTS + MASKS} cut-outs and {len(CLIPS)} clips" in (
        capsys.readouterr().out
    )
    first = cv2.imread(str(sheet))
    assert first.shape == (2 * 260 - 4, 4 * 388 - 4, 3)
    assert main(arguments) == 0
    assert (cv2.imread(str(sheet)) == first).all()


def test_benchmark(pictures: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "pairs", "--data", pictures, "--time", "10"]) == 0
    said = capsys.readouterr().out
    assert "10 pairs: " in said and "pairs/s of processor time on one core" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data", "pairs", "--data", "{absent}", "-o", "{out}/a.png"], "there is no folder"),
        (["data", "pairs", "--data", "{data}", "-o", "{out}/a.xyz"], "call it .png or .jpg"),
        (["data", "pairs", "--data", "{data}", "-o", "{absent}/a.png"], "cannot write"),
        (["data", "objects", "--data", "{absent}", "-o", "{out}"], "there is no folder"),
        (["data", "dev-set", "--data", "{absent}", "-o", "{out}"], "there is no folder"),
    ],
)
def test_bad_input_is_one_sentence(
    pictures: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    places = {"data": pictures, "out": str(tmp_path), "absent": str(tmp_path / "absent")}
    assert main([argument.format(**places) for argument in arguments]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_objects_are_outlined(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos").mkdir()
    photo = cv2.GaussianBlur(cv2.imread(str(_write_disc(tmp_path / "photos/disc.png"))), (0, 0), 1)
    cv2.imwrite(str(tmp_path / "photos/disc.png"), photo)
    cv2.imwrite(str(tmp_path / "photos/even.png"), photo * 0 + 90)
    masks = tmp_path / "masks"
    assert main(["data", "objects", "--data", str(tmp_path / "photos"), "-o", str(masks)]) == 0
    assert "1 of 2 photos have a clear object" in capsys.readouterr().out
    assert [path.name for path in masks.iterdir()] == ["disc.png"]
    mask = cv2.imread(str(masks / "disc.png"), cv2.IMREAD_UNCHANGED)
    x, y, w, h = cv2.boundingRect(mask)
    assert abs(x - 70) < 4 and abs(y - 62) < 4 and abs(w - 101) < 6 and abs(h - 101) < 6


def test_development_set(pictures: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "dev-set", "--data", pictures, "--made", "2", "-o", str(tmp_path)]) == 0
    names = [sequence.name for sequence in find_sequences([tmp_path])]
    assert names == ["davis_goat", "made_00_plain", "made_01_grows"]
    assert "3 sequences" in capsys.readouterr().out


def _write_disc(path: Path) -> Path:
    import numpy as np

    rng = np.random.default_rng(0)
    picture = rng.integers(80, 110, (224, 240, 3), dtype=np.uint8)
    cv2.circle(picture, (120, 112), 50, (30, 60, 220), -1)
    cv2.imwrite(str(path), picture)
    return path


def test_label(
    tmp_path: Path, square_sequence: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Frames and masks of a clip, as training reads it; what it keeps is tested elsewhere."""
    out = tmp_path / "clip"
    arguments = [
        "data",
        "label",
        str(square_sequence / "frames"),
        "--init-box",
        "20",
        "40",
        "30",
        "30",
    ]
    assert main([*arguments, "--model", str(tiny_model), "-o", str(out)]) == 0
    said = re.search(r"agree in (\d+) of 12 frames", capsys.readouterr().out)
    assert said is not None
    frames, masks = (sorted((out / part).glob("*.png")) for part in ("frames", "masks"))
    assert len(frames) == int(said[1])
    assert [p.name for p in masks] == [p.name for p in frames]
    assert all(cv2.imread(str(path)).shape[0] == 270 for path in (*frames, *masks))
    assert main([*arguments, "--model", str(tiny_model), "-o", str(out)]) == 2
    assert "exists: give another name" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["clip"]
    # Of a list it is made where it is missing.
    (tmp_path / "boxes.csv").write_text(f"{square_sequence / 'frames'},20,40,30,30\n")
    many = ["data", "label", str(tmp_path / "boxes.csv"), "-o", str(tmp_path / "clips")]
    for said in ("both directions agree", ""):
        assert main([*many, "--model", str(tiny_model)]) == 0
        assert said in capsys.readouterr().out
    for part in ("frames", "masks"):
        for path in (out / part).iterdir():
            same = tmp_path / "clips" / "frames" / part / path.name
            assert same.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("line", "options", "message"),
    [
        ("frames,20,40,30", [], "line 1: expected VIDEO,X,Y,W,H, found 'frames,20,40,30'"),
        ("frames,20,40,30,x", [], "expected VIDEO,X,Y,W,H"),
        ("frames,20,40,30,30\nframes,1,1,9,9", [], "would be written to"),
        ("frames,20,40,30,30", ["--init-box", "1", "2", "3", "4"], "leave --init-box away"),
        ("frames,20,40,30,30", ["--jobs", "0"], "--jobs is 0"),
        ("frames,20,40,30,30", ["--gpu-part", "0.5"], "--gpu-part is for --ray"),
        ("absent,20,40,30,30", [], "there is no video file"),
    ],
)
def test_a_list_to_label_is_checked(
    square_sequence: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    line: str,
    options: list[str],
    message: str,
) -> None:
    listed = tmp_path / "boxes.csv"
    (tmp_path / "frames").symlink_to(square_sequence / "frames")
    listed.write_text(line + "\n")
    assert main(["data", "label", str(listed), "-o", str(tmp_path / "out"), *options]) == 2
    assert message in capsys.readouterr().err
    assert main(["data", "label", str(square_sequence), "-o", str(tmp_path / "out")]) == 2
    assert "--init-box" in capsys.readouterr().err


def test_clips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = tmp_path / "street" / "frames"
    frames.mkdir(parents=True)
    ground = cv2.imread(str(_write_disc(tmp_path / "disc.png")))[:60].repeat(3, axis=0)
    for k in range(20):
        frame = ground.copy()
        cv2.circle(frame, (40 + 8 * k, 90), 22, (30, 60, 220), -1)
        cv2.imwrite(str(frames / f"{k:02d}.png"), frame)
    out = tmp_path / "clips"
    arguments = ["data", "clips", str(tmp_path / "street"), "--height", "180", "--longest", "9"]
    assert main([*arguments, "-o", str(out)]) == 0
    assert "20 frames, 1 objects" in capsys.readouterr().out
    masks = sorted((out / "street_0" / "masks").iterdir())
    assert 6 <= len(masks) <= 9
    assert [p.name for p in masks] == sorted(p.name for p in (out / "street_0/frames").iterdir())
    _, _, w, h = cv2.boundingRect(cv2.imread(str(masks[0]), cv2.IMREAD_UNCHANGED))
    assert abs(w - 45) < 4 and abs(h - 45) < 4
