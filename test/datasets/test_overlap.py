"""Copies of a picture are found, other pictures are not."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from litetrack_ros.datasets.overlap import MAX_DISTANCE, find_copies, find_pictures
from litetrack_ros.errors import DatasetError

COUNT = 40


def _scene(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A picture whose detail is the weaker the smaller it is, as in photos; BGR."""
    picture = np.full((height, width, 3), 110, np.float32)
    for cells in (4, 8, 16, 32):
        noise = rng.normal(0, 120 / cells**0.7, (cells, cells, 3)).astype(np.float32)
        picture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return picture.clip(0, 255).astype(np.uint8)


def _cropped(picture: np.ndarray, part: float, side: str) -> np.ndarray:
    height, width = picture.shape[:2]
    dx, dy = round(part * width), round(part * height)
    return {
        "left": picture[:, dx:],
        "bottom": picture[: height - dy],
        "corner": picture[dy:, : width - dx],
        "all": picture[dy // 2 : height - dy // 2, dx // 2 : width - dx // 2],
    }[side]


def _small(picture: np.ndarray, factor: float) -> np.ndarray:
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


CHANGES = {
    "jpeg": (lambda p: p, [cv2.IMWRITE_JPEG_QUALITY, 20]),
    "scaled": (lambda p: _small(p, 0.4), []),
    "larger": (lambda p: cv2.resize(p, None, fx=1.7, fy=1.5), []),
    "mirrored": (lambda p: p[:, ::-1], []),
    "lighter": (lambda p: cv2.convertScaleAbs(p, alpha=1.2, beta=10), []),
    "grey": (lambda p: cv2.cvtColor(p, cv2.COLOR_BGR2GRAY), []),
    "left": (lambda p: _cropped(p, 0.05, "left"), []),
    "bottom": (lambda p: _cropped(p, 0.05, "bottom"), []),
    "corner": (lambda p: _cropped(p, 0.05, "corner"), []),
    "all": (lambda p: _cropped(p, 0.05, "all"), []),
    "everything": (
        lambda p: _small(_cropped(p, 0.05, "all")[:, ::-1], 0.5),
        [cv2.IMWRITE_JPEG_QUALITY, 50],
    ),
}


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Pictures to test on."""
    folder = tmp_path_factory.mktemp("references")
    rng = np.random.default_rng(5)
    for k in range(COUNT):
        cv2.imwrite(str(folder / f"{k}.png"), _scene(rng, 240, 180 + 4 * (k % 9)))
    return find_pictures([folder])


@pytest.mark.parametrize("change", CHANGES)
def test_copies_are_found(references: list[Path], tmp_path: Path, change: str) -> None:
    make, options = CHANGES[change]
    for path in references:
        copy = tmp_path / f"{path.stem}.jpg"
        cv2.imwrite(str(copy), make(cv2.imread(str(path))), options)
    report = find_copies(find_pictures([tmp_path]), references)
    found = {copy.picture.stem: copy.reference.stem for copy in report.copies}
    assert found == {path.stem: path.stem for path in references}
    assert max(copy.distance for copy in report.copies) <= MAX_DISTANCE


def test_other_pictures_are_not(references: list[Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    for k in range(400):
        cv2.imwrite(str(tmp_path / f"{k}.png"), _scene(rng, 120, 90))
    cv2.imwrite(str(tmp_path / "plain.png"), np.full((90, 120, 3), 77, np.uint8))
    report = find_copies(find_pictures([tmp_path]), references)
    assert not report.copies
    assert (report.compared, report.references, report.plain) == (401, COUNT, 1)


def test_a_thumbnail_decides_where_hashes_agree_by_chance(
    references: list[Path], tmp_path: Path
) -> None:
    rng = np.random.default_rng(7)
    for k in range(100):
        cv2.imwrite(str(tmp_path / f"{k}.png"), _scene(rng, 120, 90))
    assert not find_copies(find_pictures([tmp_path]), references, max_distance=64).copies


@pytest.mark.slow
def test_nothing_of_the_material_is_in_the_sequences(sequences_dir: Path) -> None:
    """In ../shared: what is trained on against what is tested and chosen on."""
    shared = sequences_dir.parent
    if not ((shared / "material").is_dir() and (shared / "development").is_dir()):
        pytest.skip("there is no ../shared/material")
    references = find_pictures([shared / "sequences", shared / "development"])
    report = find_copies(find_pictures([shared / "material"]), references)
    assert not report.copies
    assert report.compared > 10_000 and report.references > 3_000


def test_faults_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no folder"):
        find_pictures([tmp_path / "none"])
    with pytest.raises(DatasetError, match="no picture"):
        find_pictures([tmp_path])
    (tmp_path / "broken.png").write_text("not a picture")
    with pytest.raises(DatasetError, match=r"broken\.png"):
        find_copies([tmp_path / "broken.png"], [])
