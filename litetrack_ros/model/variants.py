"""The variants that ship as ``config/models/<name>.yaml``."""

from __future__ import annotations

from pathlib import PurePosixPath

from litetrack_ros.config import ModelConfig, from_mapping, read_yaml
from litetrack_ros.resources import config_names, config_path

_FOLDER = "models"


def variant_names() -> list[str]:
    """Names of the shipped variants, sorted."""
    paths = [PurePosixPath(name) for name in config_names()]
    return sorted(path.stem for path in paths if path.parent.name == _FOLDER)


def variant(name: str) -> ModelConfig:
    """The configuration of a shipped variant, such as ``b4``.

    Raises:
        ConfigError: no such variant (the message lists them), or a faulty file.
    """
    path = config_path(f"{_FOLDER}/{name}")
    return from_mapping(ModelConfig, read_yaml(path), str(path))
