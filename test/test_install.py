"""`make install` and the metadata that pip, colcon and rosdep read agree with each other."""

import importlib
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import pytest

import litetrack_ros
from litetrack_ros.dependencies import require


@pytest.fixture
def make_module(root: Path, monkeypatch: pytest.MonkeyPatch):
    """Imports a module of make/, which is no package: it runs before anything is installed."""
    monkeypatch.syspath_prepend(root / "make")

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield load
    for name in ("install", "ros_env", "ros_wheels"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("sourced", "why_no_wheels", "wheels", "before", "chosen"),
    [
        ("", "", "", "", "wheels jazzy"),
        ("", "", "kilted", "", "wheels kilted"),
        ("", "", "none", "", "none"),
        ("", "", "", "wheels kilted", "wheels kilted"),
        ("", "", "", "none", "none"),
        ("", "", "jazzy", "none", "wheels jazzy"),
        ("", "", "none", "wheels jazzy", "none"),
        ("", "no wheels for aarch64", "", "", "none"),
        ("", "no wheels for aarch64", "jazzy", "", "none"),
        ("humble", "", "", "", "sourced humble"),
        ("jazzy", "", "kilted", "", "sourced jazzy"),
    ],
)
def test_where_ros_comes_from(
    make_module, monkeypatch, sourced, why_no_wheels, wheels, before, chosen
):
    install = make_module("install")
    monkeypatch.setattr(install, "sourced_ros", lambda: sourced)
    monkeypatch.setattr(install.ros_wheels, "why_none", lambda: why_no_wheels)
    assert install.choose_ros(wheels, before) == chosen


def test_an_environment_of_a_sourced_ros_asks_for_it(make_module, monkeypatch):
    install = make_module("install")
    monkeypatch.setattr(install, "sourced_ros", lambda: "")
    with pytest.raises(SystemExit, match="made with a sourced humble ROS 2: source it"):
        install.choose_ros("", "sourced humble")


@pytest.mark.parametrize(
    ("system", "machine", "version", "reason"),
    [
        ("linux", "x86_64", (3, 10, 1), ""),
        ("linux", "x86_64", (3, 12, 9), ""),
        ("linux", "x86_64", (3, 13, 0), "not for 3.13.0"),
        ("linux", "aarch64", (3, 12, 3), "not for linux aarch64"),
        ("darwin", "x86_64", (3, 12, 3), "not for darwin x86_64"),
    ],
)
def test_where_wheels_exist(make_module, monkeypatch, system, machine, version, reason):
    ros_wheels = make_module("ros_wheels")
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(ros_wheels.platform, "machine", lambda: machine)
    monkeypatch.setattr(ros_wheels.platform, "python_version", lambda: ".".join(map(str, version)))
    assert reason in ros_wheels.why_none()
    assert bool(reason) == bool(ros_wheels.why_none())


def test_wheels_are_asked_for_by_their_distribution(make_module):
    ros_wheels = make_module("ros_wheels")
    for distribution in ros_wheels.DISTRIBUTIONS:
        names = ros_wheels.requirements(distribution)
        assert f"ros-{distribution}-rclpy" in names
        # An unprefixed name is the newest distribution's, unless its version says otherwise.
        assert all(name.startswith(f"ros-{distribution}-") or "~=" in name for name in names)


def test_the_extra_ros_has_the_wheels_that_run_the_node(make_module, root: Path):
    text = (root / "pyproject.toml").read_text()
    extra = re.findall(r'"ros-jazzy-([\w-]+);', text)
    assert tuple(extra) == make_module("ros_wheels")._RUN


def test_cmake_paths_of_the_wheels_are_mended_once(make_module, tmp_path: Path):
    ros_wheels = make_module("ros_wheels")
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    exported = tmp_path / "share" / "std_msgs" / "cmake" / "export.cmake"
    exported.parent.mkdir(parents=True)
    exported.write_text(
        'INTERFACE_INCLUDE_DIRECTORIES "${_IMPORT_PREFIX}/include/std_msgs;'
        "/opt/python/cp311-cp311/include/python3.11;"
        '/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include"\n'
    )
    assert ros_wheels.mend_cmake_paths(tmp_path) == 1
    folders = exported.read_text().split('"')[1].split(";")
    assert folders[0] == "${_IMPORT_PREFIX}/include/std_msgs"
    assert (Path(folders[1]) / "Python.h").is_file()
    assert (Path(folders[2]) / "numpy" / "arrayobject.h").is_file()
    assert ros_wheels.mend_cmake_paths(tmp_path) == 0


def test_a_record_survives_and_tells_changes(make_module, tmp_path: Path):
    install = make_module("install")
    inputs = tmp_path / "pyproject.toml"
    inputs.write_text("a")
    before = install.fingerprint("jazzy", inputs)
    install.Record(tmp_path / "record.json").set("packages", before)
    assert install.Record(tmp_path / "record.json").done == {"packages": before}
    assert install.fingerprint("jazzy", inputs) == before
    inputs.write_text("b")
    assert install.fingerprint("jazzy", inputs) != before
    assert install.fingerprint("kilted", inputs) != before


def test_of_the_built_package_only_what_was_generated_stays(make_module, tmp_path: Path):
    folder = tmp_path / "litetrack_ros"
    generated = ("__init__.py", "msg/__init__.py", "srv/__init__.py", "_s.ep.c", "s__rosidl.so")
    for name in (
        *generated,
        "errors.py",
        "node/worker.py",
        "node/old/deep.py",
        "__pycache__/a.pyc",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    source = tmp_path / "checkout" / "media"
    source.mkdir(parents=True)
    (source / "kept.py").touch()
    (folder / "media").symlink_to(source)  # a linked install; what it points at is the checkout
    (folder / "gone.py").symlink_to(source / "removed.py")
    make_module("install").remove_own_modules(folder)
    left = {str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir()}
    assert left == set(generated)
    assert (source / "kept.py").is_file()


@pytest.fixture
def installed_ros(root: Path) -> str:
    """Where `make install` took ROS from: ``"wheels jazzy"``, ``"sourced humble"``, ``"none"``."""
    record = root / ".venv" / "installed.json"
    if Path(sys.prefix) != root / ".venv" or not record.is_file():
        pytest.skip(f"runs in {sys.prefix}, not in the environment of `make install`")
    return json.loads(record.read_text())["ros"]


def test_a_ros_that_was_installed_imports(installed_ros: str):
    """Tests marked `ros` skip without it: that must not hide a broken install."""
    if installed_ros == "none":
        pytest.skip("this environment was made without ROS 2")
    assert require("rclpy")
    assert require("litetrack_ros.msg")


@pytest.mark.ros
def test_python_needs_no_sourcing(installed_ros: str, tmp_path: Path):
    """A Python of the environment, started with none of the variables of ROS, talks over DDS."""
    if not installed_ros.startswith("wheels"):
        pytest.skip(f"this environment was made with a {installed_ros} ROS 2")
    code = (
        "import sys, rclpy\nfrom litetrack_ros.msg import InitBox\n"
        "rclpy.init()\nnode = rclpy.create_node('sender')\n"
        "publisher = node.create_publisher(InitBox, 'boxes', 1)\n"
        "publisher.publish(InitBox(target_id=sys.argv[1], x=0.1))\n"
        "rclpy.shutdown()\nprint(sys.argv[1:])"
    )
    kept = ("PATH", "HOME", "ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOG_DIR")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    result = subprocess.run(
        [sys.executable, "-c", code, "a b", ""],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "['a b', '']"  # arguments survive the restart


def test_one_version_everywhere(root: Path):
    manifest = ET.parse(root / "package.xml").getroot()
    assert manifest.findtext("version") == litetrack_ros.__version__
    assert manifest.findtext("name") == "litetrack_ros"
    assert (
        'version = { attr = "litetrack_ros.version.__version__" }'
        in (root / "pyproject.toml").read_text()
    )


def _interfaces(root: Path) -> list[Path]:
    return [*(root / "msg").glob("*.msg"), *(root / "srv").glob("*.srv")]


def test_cmake_builds_every_message(root: Path):
    text = (root / "CMakeLists.txt").read_text()
    listed = set(re.findall(r'"((?:msg|srv)/\w+\.(?:msg|srv))"', text))
    assert listed == {str(path.relative_to(root)) for path in _interfaces(root)}


def test_every_field_of_a_message_is_explained(root: Path):
    for path in _interfaces(root):
        lines = path.read_text().splitlines()
        fields = [line for line in lines if line and line[0] != "#" and line != "---"]
        assert fields
        bare = [line for line in fields if not re.search(r"\S\s+# \S", line)]
        assert bare == [], path.name


def test_ignore_patterns_are_anchored(root: Path):
    """A bare `data/` would swallow a package's own data/ as well."""
    lines = (root / ".gitignore").read_text().splitlines()
    folders = [line for line in lines if line.endswith("/") and line != "__pycache__/"]
    assert folders
    assert all(line.startswith("/") for line in folders)
