"""Shared arguments: one place for every default."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from litetrack_ros.backends.base import BackendInfo
from litetrack_ros.config import ModelChoice
from litetrack_ros.errors import DatasetError
from litetrack_ros.tools.arguments import (
    add_init_box_argument,
    add_model_arguments,
    describe_backend,
    init_box,
    read_request,
)


@dataclass(frozen=True)
class OfModel:
    """What a verb that takes a model alone asks for."""

    model: ModelChoice


def test_defaults_are_those_of_open_backend():
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    assert read_request(OfModel, parser.parse_args([])) == OfModel(ModelChoice())


def test_description_names_what_runs():
    info = BackendInfo("torch", "cuda:0", "Some GPU", "fp16", "nano", "0123456789abcdef")
    assert describe_backend(info) == "nano 01234567, torch on cuda:0 (Some GPU), fp16"


def chosen(src: Path, *arguments: str) -> np.ndarray | None:
    parser = argparse.ArgumentParser()
    add_init_box_argument(parser)
    return init_box(str(src), parser.parse_args(arguments).init_box)


def test_the_given_box_goes_before_the_ground_truth(square_sequence: Path):
    given = chosen(square_sequence, "--init-box", "1", "-2.5", "3", "4e1")
    np.testing.assert_array_equal(given, [1, -2.5, 3, 40])
    np.testing.assert_array_equal(chosen(square_sequence), [20, 40, 30, 30])
    assert chosen(square_sequence / "frames") is None


def test_faulty_ground_truth_is_named(tmp_path: Path):
    (tmp_path / "groundtruth.txt").write_text("one,two\n")
    with pytest.raises(DatasetError, match="line 1"):
        chosen(tmp_path)
