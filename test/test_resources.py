"""Shipped files are found from a source tree, an installed wheel and a colcon install."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from litetrack_ros import resources
from litetrack_ros.errors import ConfigError

# Run in each install, outside the checkout: finds every file, and follows the drawn target for a
# few frames with the default model.
REPORT = """
import json, litetrack_ros
from litetrack_ros import resources

def worst_overlap():
    from litetrack_ros.config import ModelChoice
    from litetrack_ros.backends.registry import open_backend
    from litetrack_ros.geometry import overlap
    from litetrack_ros.media.scene import DrawnScene
    from litetrack_ros.tracker.tracker import Tracker
    tracker = Tracker(open_backend(ModelChoice(threads=1)))
    (first, init_box), *frames = DrawnScene(frames=4)
    tracker.init(first, init_box)
    return min(float(overlap(tracker.update(frame).box_xywh, box)) for frame, box in frames)

print(json.dumps({
    "package": litetrack_ros.__file__,
    "share": str(resources.share_dir()),
    "models": [str(resources.model_path(name)) for name in resources.model_names()],
    "configs": [str(resources.config_path(name)) for name in resources.config_names()],
    "worst_overlap": worst_overlap() if resources.model_names() else 1.0,
}))
"""


def report_from(site_packages: Path, cwd: Path) -> dict:
    """What resources.py finds when the package is imported from ``site_packages``."""
    environment = {**os.environ, "PYTHONPATH": str(site_packages)}
    result = subprocess.run(
        [sys.executable, "-c", REPORT],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert Path(report["package"]).parent == site_packages / "litetrack_ros"
    return report


def check(report: dict, share: Path) -> None:
    """Every file that ships in the source tree was found in ``share``."""
    assert Path(report["share"]) == share
    assert report["models"] == [str(share / "models" / name) for name in resources.model_names()]
    assert report["configs"] == [str(share / "config" / name) for name in resources.config_names()]
    assert report["worst_overlap"] > 0.5
    assert all(Path(path).stat().st_size > 0 for path in report["models"] + report["configs"])


def copy_of(root: Path, target: Path) -> Path:
    """The files of the checkout that builds read, in another folder."""
    target.mkdir(parents=True)
    for name in ("config", "launch", "litetrack_ros", "models", "msg", "scripts", "srv"):
        if (root / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(root / name, target / name, ignore=ignore)
    for path in root.iterdir():
        if path.is_file():
            shutil.copy2(path, target)
    return target


def test_from_the_source_tree(root: Path, tmp_path: Path):
    check(report_from(root, tmp_path), root)


@pytest.mark.slow
def test_from_an_installed_wheel(root: Path, tmp_path: Path):
    source = copy_of(root, tmp_path / "source")
    prefix = tmp_path / "prefix"
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
    ]
    # --ignore-installed: pip would remove the checkout's own link from this environment.
    options = ["--ignore-installed", "--prefix", str(prefix), str(source)]
    subprocess.run([*command, *options], check=True)
    (site_packages,) = prefix.glob("lib/python3*/site-packages")
    shutil.rmtree(source)
    check(report_from(site_packages, tmp_path), prefix / "share" / "litetrack_ros")
    assert (prefix / "bin" / "litetrack").is_file()


@pytest.mark.slow
@pytest.mark.ros
@pytest.mark.parametrize("options", [[], ["--symlink-install"]], ids=["copied", "linked"])
def test_from_a_colcon_install(root: Path, tmp_path: Path, options: list[str]):
    pytest.importorskip("colcon_core")
    workspace = tmp_path / "workspace"
    source = copy_of(root, workspace / "src" / "litetrack_ros")
    command = [sys.executable, "-m", "colcon", "build", "--event-handlers", "console_direct-"]
    cmake = ["--cmake-args", f"-DPython3_EXECUTABLE={sys.executable}", "-DBUILD_TESTING=OFF"]
    subprocess.run([*command, *options, *cmake], cwd=workspace, check=True)
    if not options:
        shutil.rmtree(source)
    prefix = workspace / "install" / "litetrack_ros"
    (site_packages,) = prefix.glob("**/*-packages")
    check(report_from(site_packages, tmp_path), prefix / "share" / "litetrack_ros")
    for program in ("litetrack", "tracker_node"):  # for `ros2 run`
        assert os.access(prefix / "lib" / "litetrack_ros" / program, os.X_OK)
    assert (site_packages / "litetrack_ros" / "msg" / "__init__.py").is_file()


@pytest.fixture
def share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An install with two configurations and one model of known names."""
    for name in ("config/a.yaml", "config/models/b4.yaml", "models/small.onnx", "models/card.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    monkeypatch.setattr(resources, "share_dir", lambda: tmp_path)
    return tmp_path


def test_names(share: Path):
    assert resources.config_names() == ["a.yaml", "models/b4.yaml"]
    assert resources.model_names() == ["small.onnx"]


@pytest.mark.parametrize("name", ["models/b4", "models/b4.yaml"])
def test_a_suffix_may_be_left_out(share: Path, name: str):
    assert resources.config_path(name) == share / "config" / "models" / "b4.yaml"


@pytest.mark.parametrize("name", ["b9", "", ".", "../models/small.onnx", "card.md", "/etc/passwd"])
def test_other_names_are_refused_with_those_that_exist(share: Path, name: str):
    with pytest.raises(ConfigError, match=r"ships there: small\.onnx"):
        resources.model_path(name)


def test_a_package_without_its_files_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resources, "__file__", str(tmp_path / "site" / "litetrack_ros" / "r.py"))
    with pytest.raises(ConfigError, match="were not installed beside"):
        resources.share_dir()
