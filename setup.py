"""Adds the folders beside the package to the wheel; everything else is in pyproject.toml.

`pip install .` gives the library and the command line, without ROS and without the messages.
"""

from pathlib import Path

from setuptools import setup


def shared_files() -> list[tuple[str, list[str]]]:
    """Where a ROS installation has them too: in PREFIX/share/litetrack_ros."""
    files = {"share/litetrack_ros": ["package.xml"]}
    for folder in ("config", "launch", "models", "msg", "srv"):
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                files.setdefault(f"share/litetrack_ros/{path.parent}", []).append(str(path))
    return list(files.items())


setup(data_files=shared_files())
