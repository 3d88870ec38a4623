"""The paste for a bug report: complete, short, and silent about user and host."""

from __future__ import annotations

import getpass
import platform
from pathlib import Path

import pytest

from litetrack_ros.config import DEFAULT_MODEL, ModelChoice
from litetrack_ros.manifest import read_manifest
from litetrack_ros.resources import model_path
from litetrack_ros.speed import support


@pytest.fixture(scope="module")
def lines() -> list[str]:
    pytest.importorskip("onnxruntime")
    return list(support.report(ModelChoice(backend="onnx"), duration_s=0.2))


@pytest.mark.parametrize("subject", ["litetrack", "system", "cpu", "cores", "numpy", "benchmark"])
def test_the_paste_names(lines: list[str], subject: str):
    assert any(line.startswith(f"{subject}: ") for line in lines)


def test_the_hashes_are_those_of_the_manifest(lines: list[str]):
    path = model_path(DEFAULT_MODEL)
    manifest = read_manifest(path.with_name(f"{DEFAULT_MODEL}.sha256"))
    told = {
        name.removeprefix("sha256 "): value
        for name, _, value in (line.partition(": ") for line in lines)
        if name.startswith("sha256 ")
    }
    assert manifest.keys() <= told.keys()
    assert all(told[name] == sha256[:16] for name, sha256 in manifest.items())


def test_the_paste_names_no_user_and_no_host(lines: list[str]):
    text = "\n".join(lines)
    assert str(Path.home()) not in text
    assert platform.node() not in text
    if getpass.getuser() != "root":  # a word of other things too
        assert getpass.getuser() not in text


def test_a_benchmark_that_cannot_run_says_why():
    assert next(iter(support.benchmark(ModelChoice("absent"), 0.1))).startswith("benchmark: ")
    assert next(iter(support.hashes("absent"))).startswith("model: ")


def test_dds_settings_show_no_folder_and_no_address():
    environment = {
        "ROS_DOMAIN_ID": "7",
        "FASTRTPS_DEFAULT_PROFILES_FILE": "/home/somebody/profile.xml",
        "ROS_STATIC_PEERS": "192.168.0.17",
        "PATH": "/usr/bin",
    }
    assert list(support.dds_settings(environment)) == [
        "ROS_DOMAIN_ID: 7",
        "ROS_STATIC_PEERS: set",
        "FASTRTPS_DEFAULT_PROFILES_FILE: profile.xml",
    ]
