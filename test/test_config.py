from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from litetrack_ros.config import ModelConfig, TrackerConfig
from litetrack_ros.errors import ConfigError
from litetrack_ros.settings import (
    from_json,
    from_mapping,
    read_yaml,
    to_json,
)


@pytest.mark.parametrize("config", [ModelConfig(fe_layers=6, ai_layers=3), TrackerConfig()])
def test_json_round_trip(config: ModelConfig | TrackerConfig) -> None:
    assert from_json(type(config), to_json(config), "test") == config


@pytest.mark.parametrize(
    ("kind", "values", "complaint"),
    [
        (ModelConfig, {"embed_dims": 768}, "unknown key 'embed_dims'"),
        (ModelConfig, {"embed_dim": "768"}, "embed_dim is '768', but must be of type int"),
        (ModelConfig, {"embed_dim": True}, "must be of type int"),
        (ModelConfig, {"embed_dim": 100}, "num_heads is 12, but must be a divisor"),
        (ModelConfig, {"interaction": "both"}, "one of asynchronous, joint"),
        (ModelConfig, {"search_size": 250}, "a multiple of 16"),
        (ModelConfig, {"interaction": "joint"}, "fe_layers is 2, but must be 0"),
        (TrackerConfig, {"size_smoothing": 0}, "size_smoothing is 0.0, but must be above 0"),
        (TrackerConfig, {"lost_threshold": 1.5}, "from 0 to 1"),
        (TrackerConfig, {"lost_after_frames": 2.5}, "must be of type int"),
    ],
)
def test_refused(kind: type, values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as caught:
        from_mapping(kind, values, "here.yaml")
    assert "here.yaml" in str(caught.value)


def test_whole_numbers_serve_as_floats() -> None:
    assert from_mapping(ModelConfig, {"search_factor": 5}, "test").search_factor == 5.0


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [1, 2\n", ""])
def test_not_a_mapping(text: str, tmp_path: Path) -> None:
    path = tmp_path / "faulty.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"faulty\.yaml"):
        read_yaml(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        read_yaml(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("text", ["{", "[]", '{"fe_layers": "two"}'])
def test_faulty_json(text: str) -> None:
    with pytest.raises(ConfigError, match="some file"):
        from_json(ModelConfig, text, "some file")


NESTED = ", ".join(
    f"&{two} [{', '.join(['*' + one] * 9)}]"
    for one, two in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    ["[" * 2000, "? " * 2000, f"name: {'9' * 5000}", f"name: [&a [x], {NESTED}]", "x" * (2 << 20)],
    ids=["deep", "deep keys", "long number", "nine to the ninth", "large"],
)
def test_yaml_that_was_made_to_do_harm_is_refused_in_a_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "model.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        from_mapping(ModelConfig, read_yaml(path), str(path))
    assert len(str(error.value)) < 3000


def test_a_configuration_without_end_is_refused() -> None:
    with pytest.raises(ConfigError):
        read_yaml(Path("/dev/zero"))


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 100_000])
def test_json_that_was_made_to_do_harm_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not JSON"):
        from_json(ModelConfig, text, "a file")
