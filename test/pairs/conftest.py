"""What the tests of pairs share: a folder of pictures to make pairs of."""

from pathlib import Path

import pytest
from training_pictures import write_boxed, write_pictures

from litetrack_ros.pairs.materials import Materials, read_materials


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos, cut-outs, masks and clips."""
    return write_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="session")
def materials(pictures: Path) -> Materials:
    """The same, decoded."""
    return read_materials([pictures])


@pytest.fixture(scope="session")
def boxed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips with boxes and photos with outlined objects."""
    return write_boxed(tmp_path_factory.mktemp("boxed"))
