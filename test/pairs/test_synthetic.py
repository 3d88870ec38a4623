"""Synthetic pairs: repeatable, true boxes, and the shares that a recipe asks for."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from litetrack_ros.config import ModelConfig
from litetrack_ros.errors import ConfigError, DatasetError
from litetrack_ros.pairs.pair import Pair
from litetrack_ros.pairs.pair_recipe import PairRecipe
from litetrack_ros.pairs.synthetic import SyntheticPairs

CONFIG = ModelConfig()
KINDS = {
    "pasted": PairRecipe(natural=0.0, filmed=0.0),
    "natural": PairRecipe(natural=1.0, filmed=0.0),
    "filmed": PairRecipe(natural=0.0, filmed=1.0),
}


def _same(a: Pair, b: Pair) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("config", [CONFIG, ModelConfig(template_size=64, search_size=192)])
def test_pairs_are_what_they_say(pictures: Path, kind: str, config: ModelConfig) -> None:
    source = SyntheticPairs([pictures], config, 0, KINDS[kind])
    present = 0
    for index in range(40):
        pair = source.pair(index)
        assert pair.template.shape == (config.template_size, config.template_size, 3)
        assert pair.search.shape == (config.search_size, config.search_size, 3)
        assert pair.template.dtype == pair.search.dtype == np.uint8
        for box in (pair.template_box_cxcywh_norm, pair.search_box_cxcywh_norm):
            assert box.shape == (4,) and box.dtype == np.float32
        # The template is cut around its target: centre in the middle, half the side.
        cx, cy, w, h = pair.template_box_cxcywh_norm
        assert abs(cx - 0.5) < 0.06 and abs(cy - 0.5) < 0.06
        assert w * h == pytest.approx(0.25, abs=0.06)
        cx, cy, w, h = pair.search_box_cxcywh_norm
        if pair.present:
            present += 1
            assert 0 < cx < 1 and 0 < cy < 1
            assert 0.003 < w * h < 0.5
        else:
            assert not pair.search_box_cxcywh_norm.any()
    assert 25 <= present <= 40


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_depend_on_seed_and_index_alone(pictures: Path, kind: str) -> None:
    first, again, other = (
        SyntheticPairs([pictures], CONFIG, seed, KINDS[kind]) for seed in (3, 3, 4)
    )
    backwards = {index: again.pair(index) for index in reversed(range(6))}
    for index in range(6):
        pair = first.pair(index)
        assert _same(pair, backwards[index])
        assert not np.array_equal(pair.search, other.pair(index).search)
        assert not np.array_equal(pair.search, first.pair(index + 6).search)


def test_another_process_makes_the_same_pair(pictures: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from litetrack_ros.config import ModelConfig\n"
        "from litetrack_ros.pairs.synthetic import SyntheticPairs\n"
        "pair = SyntheticPairs([Path(sys.argv[1])], ModelConfig(), 3).pair(2**40)\n"
        "sys.stdout.buffer.write(pair.template.tobytes() + pair.search.tobytes())"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", code, str(pictures)], check=True, capture_output=True
    ).stdout
    pair = SyntheticPairs([pictures], CONFIG, 3).pair(2**40)
    assert elsewhere == pair.template.tobytes() + pair.search.tobytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("absent", [0.0, 1.0])
def test_share_of_absent_targets(pictures: Path, kind: str, absent: float) -> None:
    shares = vars(KINDS[kind]) | {"absent": absent}
    source = SyntheticPairs([pictures], CONFIG, 0, PairRecipe(**shares))
    present = [source.pair(index).present for index in range(20)]
    assert np.mean(present) == pytest.approx(1.0 - absent, abs=0.1)


def test_target_lies_anywhere_but_mostly_central(pictures: Path) -> None:
    source = SyntheticPairs([pictures], CONFIG, 0, PairRecipe(absent=0.0))
    boxes = np.stack([source.pair(index).search_box_cxcywh_norm for index in range(120)])
    offset = np.abs(boxes[:, :2] - 0.5)
    assert 0.02 < np.median(offset) < 0.12
    assert (offset > 0.25).any()
    # In tracking, the target fills a quarter of the region's side.
    size = np.sqrt(boxes[:, 2] * boxes[:, 3])
    assert 0.2 < np.median(size) < 0.3
    assert size.std() > 0.03


def test_template_tells_where_the_target_is(pictures: Path) -> None:
    """The target's middle looks more like its template than like another pair's."""
    recipe = PairRecipe(absent=0.0, occluders=0.0, distractors=0.0)
    source = SyntheticPairs([pictures], CONFIG, 0, recipe)
    pairs = [source.pair(index) for index in range(60)]
    colours = []
    for pair in pairs:
        middle = []
        for crop, box in (
            (pair.template, pair.template_box_cxcywh_norm),
            (pair.search, pair.search_box_cxcywh_norm),
        ):
            cx, cy, w, h = box * crop.shape[0]
            y, x = (slice(int(c - s / 4), int(c + s / 4) + 1) for c, s in ((cy, h), (cx, w)))
            middle.append(crop[y, x].mean(axis=(0, 1)))
        colours.append(middle)
    template, search = np.array(colours).swapaxes(0, 1)
    right = np.linalg.norm(template - search, axis=1)
    wrong = np.linalg.norm(template - np.roll(search, 1, axis=0), axis=1)
    assert np.median(right) < 0.6 * np.median(wrong)


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"absent": 1.5}, "absent is 1.5"),
        ({"distractors": -0.1}, "distractors is -0.1"),
        ({"natural": 0.7, "filmed": 0.4}, "must not exceed 1 together"),
    ],
)
def test_impossible_recipe_is_refused(shares: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PairRecipe(**shares)


def test_folders_without_photos_in_the_split_are_refused(tmp_path: Path, pictures: Path) -> None:
    (tmp_path / "photo_1_x.png").write_bytes((pictures / "photos/photo_1_x.png").read_bytes())
    SyntheticPairs([tmp_path], CONFIG, 0)
    with pytest.raises(DatasetError, match=r"the validation part of .* has no photo"):
        SyntheticPairs([tmp_path], CONFIG, 0, split="validation")


def test_photos_alone_are_enough(tmp_path: Path, pictures: Path) -> None:
    for name in ("photo_1_x.png", "photo_2_x.png", "photo_4_x.png"):
        (tmp_path / name).write_bytes((pictures / "photos" / name).read_bytes())
    source = SyntheticPairs([tmp_path], CONFIG, 0, split="all")
    assert sum(source.pair(index).present for index in range(20)) > 10
