"""package.xml declares what the package and its tests import, and what CMake looks for."""

from __future__ import annotations

import ast
import functools
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

# Import name -> key of rosdep, where they differ. Packages of ROS are keys of their own name.
KEYS = {
    "aiohttp": "python3-aiohttp",
    "cv2": "python3-opencv",
    "hypothesis": "python3-hypothesis",
    "numpy": "python3-numpy",
    "psutil": "python3-psutil",
    "pytest": "python3-pytest",
    "torch": "python3-torch",
    "tqdm": "python3-tqdm",
    "yaml": "python3-yaml",
}
# No system package holds these, and a released package may not name pip's: extras of
# pyproject.toml, imported where they are needed.
WITHOUT_KEY = {"atheris", "onnx", "onnxruntime", "ray", "rosbags", "safetensors"}
OTHER = {
    "_typeshed",  # of type checkers
    "tomli",  # of Pythons before 3.11, with pip
    "trax",  # of the VOT toolkit; its test brings a stand-in
}
TYPES = ("depend", "exec_depend", "test_depend", "build_depend", "buildtool_depend")


def _declared(root: Path, *types: str) -> set[str]:
    manifest = ET.parse(root / "package.xml").getroot()
    return {element.text or "" for kind in types for element in manifest.findall(kind)}


@functools.cache
def _imports(folder: Path) -> frozenset[str]:
    """Names at the top of every module that the files below a folder import, at any depth."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.partition(".")[0])
    return frozenset(found)


def _foreign(root: Path, *folders: str) -> set[str]:
    """What files import that neither Python nor this package brings."""
    beside = [
        path for name in ("helpers", "campaign") for path in (root / "test" / name).glob("*.py")
    ]
    own = {"litetrack_ros", *(path.stem for path in beside)}
    names: set[str] = set().union(*(_imports(root / folder) for folder in folders))
    return names - own - set(sys.stdlib_module_names) - WITHOUT_KEY - OTHER


def test_what_the_package_imports_is_declared_to_run(root: Path) -> None:
    needed = {KEYS.get(name, name) for name in _foreign(root, "litetrack_ros", "launch")}
    optional = {"python3-torch"}  # runs models that were not exported; the tests need it
    assert needed - optional <= _declared(root, "depend", "exec_depend")


def test_what_the_tests_import_is_declared(root: Path) -> None:
    needed = {KEYS.get(name, name) for name in _foreign(root, "litetrack_ros", "launch", "test")}
    assert needed <= _declared(root, *TYPES)


def test_what_cmake_looks_for_is_declared(root: Path) -> None:
    text = (root / "CMakeLists.txt").read_text(encoding="utf-8")
    assert set(re.findall(r"find_package\((\w+)", text)) <= _declared(root, *TYPES)


def test_nothing_is_declared_for_nobody(root: Path) -> None:
    imported = {KEYS.get(n, n) for n in _foreign(root, "litetrack_ros", "launch", "test")}
    text = (root / "CMakeLists.txt").read_text(encoding="utf-8")
    built = set(re.findall(r"find_package\((\w+)", text))
    # Imported by name only where it is installed; what generated messages need; a plugin of pytest.
    by_name = {"cv_bridge", "nav_msgs", "tf2_ros_py", "rosidl_default_runtime"}
    by_name |= {"foxglove_msgs", "python3-pytest-timeout"}
    assert _declared(root, *TYPES) <= imported | built | by_name


def test_what_has_no_key_is_an_extra(root: Path) -> None:
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    assert all(f'"{name}' in text for name in WITHOUT_KEY)


def test_no_key_is_of_pip(root: Path) -> None:
    """A build farm installs nothing of pip, so that a package with such a key is never released."""
    assert [key for key in _declared(root, *TYPES) if key.endswith("-pip")] == []
