"""What ``import litetrack_ros`` offers: examples that run, and nothing heavy until it is used."""

import doctest
import inspect
import subprocess
import sys

import pytest

import litetrack_ros as lt
from litetrack_ros.resources import model_names


def _lines(code: str) -> list[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize("name", ["", *lt.__all__])
def test_the_example_runs(name: str):
    if not any(model.startswith("litetrack_nano") for model in model_names()):
        pytest.skip("no model ships with this checkout")
    document = getattr(lt, name).__doc__ if name else lt.__doc__
    # In a namespace of its own: an example has to import what it uses.
    example = doctest.DocTestParser().get_doctest(inspect.cleandoc(document), {}, name, None, 0)
    assert example.examples
    report: list[str] = []
    doctest.DocTestRunner().run(example, out=report.append)
    assert not report, "".join(report)


def test_importing_the_package_imports_nothing_heavy():
    heavy = ("torch", "cv2", "onnxruntime", "numpy", "yaml", "rclpy")
    assert _lines(f"import sys, litetrack_ros; print(*(sys.modules.keys() & set({heavy})))") == [""]


def test_the_names_are_listed_before_they_are_used():
    code = (
        "import litetrack_ros as lt\n"
        "print(*sorted(set(lt.__all__) - set(dir(lt))))\n"
        "print(*sorted(set(lt.__all__) & set(vars(lt))))\n"
        "lt.ModelChoice\n"
        "print(*sorted(set(lt.__all__) & set(vars(lt))))\n"
    )
    assert _lines(code) == ["", "", "ModelChoice"]


def test_every_name_is_the_one_of_its_module():
    assert sorted(lt._HOMES) == sorted(lt.__all__)
    for name, home in lt._HOMES.items():
        assert getattr(lt, name).__module__ == f"litetrack_ros.{home}"


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match="has no attribute 'Trakcer'"):
        lt.Trakcer  # noqa: B018
