"""The locked versions are those of an install, every one with its hashes."""

from __future__ import annotations

import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAME = re.compile(r"^([A-Za-z0-9._-]+)")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _entries(root: Path) -> dict[str, list[str]]:
    """The lines of each package: several where Pythons differ."""
    found: dict[str, list[str]] = {}
    text = (root / "requirements.lock").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            match = NAME.match(line)
            assert match is not None, line
            found.setdefault(_normal(match[1]), []).append(line)
    return found


def test_every_package_has_a_version_and_hashes(root: Path) -> None:
    for lines in _entries(root).values():
        for line in lines:
            assert re.match(r"[\w.-]+==[\w.+!]+", line), line
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), line
            assert "file:" not in line and "://" not in line


def test_whatever_is_installed_is_locked(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    install = (root / "make" / "install.py").read_text()
    names = re.findall(r'"(\w+)"', install.split("EXTRAS = (")[1].split(")")[0])
    wanted = [*project["dependencies"]]
    for name in [*names, "onnx", "opencv-contrib-headless", "test"]:
        wanted += extras[name]
    locked = _entries(root)
    for requirement in wanted:
        match = NAME.match(requirement)
        assert match is not None
        assert _normal(match[1]) in {*locked, "litetrack-ros"}, requirement
    torch = install.split('TORCH = "')[1].split('"')[0]
    assert locked["torch"][0].startswith(torch)
