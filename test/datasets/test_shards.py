"""Sets as indexed tar files: the frames, pairs and trainings are those of folders."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from published_layouts import write_got10k, write_own
from training_pictures import write_boxed

from litetrack_ros.config import ModelConfig
from litetrack_ros.datasets.catalogue import guess_set, open_set
from litetrack_ros.datasets.shards import ShardedSet, index_path, write_shards
from litetrack_ros.datasets.training_set import check_set
from litetrack_ros.errors import DatasetError
from litetrack_ros.pairs.pair_recipe import PairSampling
from litetrack_ros.pairs.sampling import TrackingPairs
from litetrack_ros.tools.main import main

NAME = "got10k_train_full"
CROPS = ModelConfig(template_size=32, search_size=64)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_got10k(tmp_path / "got/train", [1, 2, 3])
    return tmp_path / "got"


def test_pairs_are_those_of_the_folder(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    assert (
        main(["data", "shard", str(folder), "--set", NAME, "-o", str(out), "--shard-mb", "0.05"])
        == 0
    )
    assert len(list(out.glob(f"{NAME}-*.tar"))) == 3
    assert guess_set(out) == NAME
    plain, sharded = open_set(NAME, folder), open_set(NAME, out)
    assert isinstance(sharded, ShardedSet) and not isinstance(plain, ShardedSet)
    made, read = (
        TrackingPairs([training_set], [1], CROPS, PairSampling(), seed=0)
        for training_set in (plain, sharded)
    )
    for index in range(40):
        for ours, theirs in zip(made.pair(index), read.pair(index), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert check_set(sharded).problems == check_set(plain).problems


def test_shards_are_tar_files_of_samples(folder: Path, tmp_path: Path) -> None:
    """As WebDataset groups them: files of one name up to the first dot, one after the other."""
    training_set = open_set(NAME, folder)
    [shard] = write_shards(training_set, tmp_path / "shards")
    first = shard.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        members = tar.getmembers()
        assert len(members) == 2 * 3 * 24
        for k in range(0, len(members), 2):
            image, about = members[k : k + 2]
            key = image.name.removesuffix(".jpg")
            assert about.name == f"{key}.json"
            number, frame = map(int, key.split("_"))
            entry = training_set.entries[number]
            known = json.loads(tar.extractfile(about).read())  # type: ignore[union-attr]
            assert (known["sequence"], known["frame"]) == (entry.name, frame)
            assert known["box_xywh"] == entry.boxes_xywh[frame].tolist()
            assert known["visible"] == bool(entry.visible[frame])
            content = tar.extractfile(image).read()  # type: ignore[union-attr]
            assert content == training_set.encoded_frame(number, frame)
    assert write_shards(training_set, tmp_path / "again")[0].read_bytes() == first


def test_objects_of_a_photo_share_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_boxed(tmp_path / "real")
    [place] = [path.parent for path in (tmp_path / "real").rglob("annotations.json")]
    plain = open_set("coco_folder", place)
    shards = write_shards(plain, tmp_path / "out")
    read = open_set("coco_folder", tmp_path / "out")
    for number in range(len(plain)):
        assert read.encoded_frame(number, 0) == plain.encoded_frame(number, 0)
        assert not read.is_video(number)
    photos = {entry.frame_name(0) for entry in plain.entries}
    with tarfile.open(shards[0]) as tar:
        assert len(tar.getnames()) == 2 * len(photos)


def test_clips_are_found_as_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_own(tmp_path / "own")
    plain = open_set("folder", tmp_path / "own")
    write_shards(plain, tmp_path / "out")
    read = open_set("folder", tmp_path / "out")
    assert [e.name for e in read.entries] == [e.name for e in plain.entries]
    np.testing.assert_array_equal(read.boxes(0), plain.boxes(0))
    np.testing.assert_array_equal(read.visible(0), plain.visible(0))


def test_what_is_not_whole_is_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    [shard] = write_shards(open_set(NAME, folder), out)
    content = shard.read_bytes()
    opened = open_set(NAME, out)
    shard.write_bytes(content[:5000])
    with pytest.raises(DatasetError, match="cut off"):
        opened.encoded_frame(2, 23)
    with pytest.raises(DatasetError, match="not the one that was indexed"):
        open_set(NAME, out)
    shard.write_bytes(content)
    index_path(NAME, out).write_bytes(b"PK")
    with pytest.raises(DatasetError, match="not an index of shards"):
        open_set(NAME, out)


def test_an_interrupted_command_leaves_no_index(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, training_set = tmp_path / "shards", open_set(NAME, folder)
    write_shards(training_set, out)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shards(training_set, out, on_sequence=stop)
    assert not index_path(NAME, out).exists()
    assert not list(out.glob(".*"))
