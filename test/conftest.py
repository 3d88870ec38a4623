"""What all tests share: recorded sequences, the checkout, a small model, a ROS 2 domain."""

import os
import socket
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from browser import Browser

from litetrack_ros.dependencies import require
from litetrack_ros.errors import MissingDependencyError

ROOT = Path(__file__).resolve().parents[1]

# Read when PyTorch is loaded, here and in the processes that tests start. While other processes use
# the cores, OpenMP's threads that wait by spinning made a model's step take 50 times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

_domain_locks: list[socket.socket] = []  # held until this process ends


def _own_domain() -> int:
    """A ROS_DOMAIN_ID that no other test process on this machine uses.

    101 is the highest domain whose ports lie below Linux's ephemeral range. A name in the abstract
    socket namespace belongs to one process and goes with it, however that ends.
    """
    for attempt in range(101):
        domain = 1 + (os.getpid() + attempt) % 101
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            lock.bind(f"\0litetrack_ros_test_domain_{domain}")
        except OSError:
            lock.close()
            continue
        _domain_locks.append(lock)
        return domain
    raise RuntimeError("101 test processes are running: no ROS domain is left for this one")


def pytest_configure(config: pytest.Config) -> None:
    """Keeps the ROS traffic of this test process, and of the processes it starts, to itself."""
    os.environ["ROS_DOMAIN_ID"] = str(_own_domain())
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    if os.environ.get("ROS_DISTRO") == "humble":
        os.environ["ROS_LOCALHOST_ONLY"] = "1"  # its older name
    os.environ.setdefault("ROS_LOG_DIR", str(Path(tempfile.gettempdir()) / "litetrack_ros_log"))


@cache
def why_no_ros() -> str:
    """The reason why tests with ROS cannot run here; empty where they can."""
    try:
        require("rclpy")
        require("litetrack_ros.msg")
    except MissingDependencyError as error:
        return str(error)
    return ""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips tests marked ``ros`` where there is no ROS."""
    if item.get_closest_marker("ros") and why_no_ros():
        pytest.skip(why_no_ros())


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def sequences_dir() -> Path:
    """The recorded sequences: ``../shared/sequences``, or the folder in LITETRACK_SEQUENCES."""
    default = ROOT.parent / "shared" / "sequences"
    folder = Path(os.environ.get("LITETRACK_SEQUENCES", default))
    if not folder.is_dir():
        pytest.skip(f"no recorded sequences: {folder} does not exist (set LITETRACK_SEQUENCES)")
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of a small network that was never trained."""
    torch = pytest.importorskip("torch")
    from litetrack_ros.config import ModelConfig, TrackerConfig
    from litetrack_ros.model.checkpoint import save_weights
    from litetrack_ros.model.litetrack import LiteTrack

    torch.manual_seed(0)
    config = ModelConfig(
        name="tiny", embed_dim=64, num_heads=2, fe_layers=1, ai_layers=1, head_channels=16
    )
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_weights(path, LiteTrack(config), TrackerConfig())
    return path


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser to open pages in; skips where there is none."""
    opened = Browser(tmp_path_factory.mktemp("browser"))
    yield opened
    opened.close()
