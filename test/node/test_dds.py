"""The settings of the DDS: each ROS 2 distribution is told by its own variables."""

from __future__ import annotations

import os

import pytest

from litetrack_ros.node.dds import image_profile_path, stay_on_this_machine, use_image_profile

LOCAL = ("ROS_LOCALHOST_ONLY", "ROS_AUTOMATIC_DISCOVERY_RANGE")
PROFILES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*LOCAL, *PROFILES):
        monkeypatch.setenv(name, "")  # so that it is put back at the end, whoever sets it
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("distribution", "local", "profiles"),
    [
        ("humble", {"ROS_LOCALHOST_ONLY": "1"}, "FASTRTPS_DEFAULT_PROFILES_FILE"),
        (
            "jazzy",
            {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"},
            "FASTRTPS_DEFAULT_PROFILES_FILE",
        ),
        (
            "kilted",
            {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"},
            "FASTDDS_DEFAULT_PROFILES_FILE",
        ),
    ],
)
def test_each_is_told_by_its_own_variables(
    monkeypatch: pytest.MonkeyPatch, distribution: str, local: dict[str, str], profiles: str
) -> None:
    monkeypatch.setenv("ROS_DISTRO", distribution)
    stay_on_this_machine()
    use_image_profile()
    found = {name: os.environ[name] for name in (*LOCAL, *PROFILES) if name in os.environ}
    assert found == {**local, profiles: str(image_profile_path())}
    assert image_profile_path().is_file()


@pytest.mark.parametrize("chosen", PROFILES)
def test_a_profile_that_the_user_chose_stays(monkeypatch: pytest.MonkeyPatch, chosen: str) -> None:
    monkeypatch.setenv(chosen, "mine.xml")
    use_image_profile()
    assert [os.environ.get(name) for name in PROFILES if name in os.environ] == ["mine.xml"]
