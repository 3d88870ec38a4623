"""Finds the files that ship beside the package: ``models/``, ``config/`` and ``launch/``.

They lie in the source tree, or in ``PREFIX/share/litetrack_ros`` after `pip install` and after
`colcon build`; in both, the package itself lies somewhere below PREFIX.
"""

from pathlib import Path

from litetrack_ros.errors import ConfigError

MODEL_SUFFIXES = (".safetensors", ".onnx")
CONFIG_SUFFIXES = (".yaml",)

_PACKAGE = "litetrack_ros"


def share_dir() -> Path:
    """The folder that holds ``models/`` and ``config/``.

    Raises:
        ConfigError: the package was installed without them.
    """
    module = Path(__file__).absolute()  # not resolved: an installed link stays in its prefix
    source_tree = module.parents[1]
    if (source_tree / "package.xml").is_file():
        return source_tree
    for prefix in module.parents[1:]:
        share = prefix / "share" / _PACKAGE
        if share.is_dir():
            return share
    raise ConfigError(
        f"the models and configuration of {_PACKAGE} were not installed beside {module.parent}: "
        "install the package again with pip or colcon"
    )


def model_names() -> list[str]:
    """File names of the shipped models, relative to ``models/`` (``"name.safetensors"``)."""
    return _names("models", MODEL_SUFFIXES)


def config_names() -> list[str]:
    """File names of the shipped configurations, relative to ``config/``."""
    return _names("config", CONFIG_SUFFIXES)


def model_path(name: str) -> Path:
    """Path of a shipped model.

    Args:
        name: file name, with or without its suffix.

    Raises:
        ConfigError: no such model ships; the message lists those that do.
    """
    return _path("models", name, MODEL_SUFFIXES)


def config_path(name: str) -> Path:
    """Path of a shipped configuration.

    Args:
        name: file name relative to ``config/``, with or without its suffix.

    Raises:
        ConfigError: no such configuration ships; the message lists those that do.
    """
    return _path("config", name, CONFIG_SUFFIXES)


def _names(folder: str, suffixes: tuple[str, ...]) -> list[str]:
    root = share_dir() / folder
    paths = sorted(path for path in root.rglob("*") if path.suffix in suffixes and path.is_file())
    return [path.relative_to(root).as_posix() for path in paths]


def _path(folder: str, name: str, suffixes: tuple[str, ...]) -> Path:
    """Looks among the names that exist, so that no name leads out of the folder."""
    names = _names(folder, suffixes)
    for candidate in (name, *(f"{name}{suffix}" for suffix in suffixes)):
        if candidate in names:
            return share_dir() / folder / candidate
    raise ConfigError(
        f"{folder}/ has no file {name!r}; {_PACKAGE} ships there: {', '.join(names) or 'nothing'}"
    )
