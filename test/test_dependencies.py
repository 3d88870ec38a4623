"""A missing optional package is one sentence with the way out."""

import subprocess
import sys
from pathlib import Path

import pytest

from litetrack_ros.dependencies import WAYS_OUT, require
from litetrack_ros.errors import MissingDependencyError


def test_returns_the_module():
    assert require("numpy.linalg").__name__ == "numpy.linalg"


@pytest.mark.parametrize("name", sorted(WAYS_OUT))
def test_names_the_package_and_the_way_out(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, name, None)  # makes `import name` raise ModuleNotFoundError
    with pytest.raises(MissingDependencyError) as caught:
        require(name)
    assert str(caught.value) == f"{name} is not installed: {WAYS_OUT[name]}"
    assert caught.value.name == name


def test_unknown_packages_have_a_way_out_too():
    with pytest.raises(MissingDependencyError, match="pip install no_such_package"):
        require("no_such_package.part")


def test_a_package_that_fails_to_load_is_told_from_an_absent_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "broken_package.py").write_text("raise ImportError('libGL.so.1: cannot open')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingDependencyError, match=r"does not load \(libGL.so.1: cannot open\)"):
        require("broken_package")


def test_modules_that_need_opencv_say_so_when_imported():
    code = (
        "import sys; sys.modules['cv2'] = None\n"
        "from litetrack_ros.errors import MissingDependencyError\n"
        "try:\n    import litetrack_ros.crop\n"
        "except MissingDependencyError as error:\n    print(error)\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert output.stdout.startswith("cv2 is not installed: install one flavour of OpenCV")
