"""Runs the core's tests over Python, NumPy, OpenCV and onnxruntime from oldest to newest.

`make matrix` makes an environment for each combination whose Python is found on this machine, in
build/matrix/, runs the tests that need neither PyTorch nor ROS, tracks the SEQUENCES given, and
compares the boxes of all combinations. `make matrix COMBINATION=humble` runs one of them.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).absolute().parents[1]
FOLDER = ROOT / "build" / "matrix"
MAX_DIFFERENCE_PX = 0.5

# What runs a model on a robot: no PyTorch is installed, and these ask for none.
TESTS = (
    "test/backends/test_providers.py",
    "test/evaluation/test_still_target.py",
    "test/media",
    "test/test_config.py",
    "test/test_crop_canvas.py",
    "test/test_files.py",
    "test/test_front_door.py",
    "test/test_geometry.py",
    "test/test_image_headers.py",
    "test/test_images.py",
    "test/test_machine.py",
    "test/test_resources.py",
    "test/tracker/test_decode.py",
    "test/tracker/test_point_boxes.py",
    "test/tracker/test_state.py",
)


class Combination(NamedTuple):
    """Versions that occur together somewhere.

    Attributes:
        python: the interpreter's version.
        pins: requirements of pip, the newest where a package is named alone.
        why: where these occur.
    """

    python: str
    pins: tuple[str, ...]
    why: str


COMBINATIONS = {
    "oldest": Combination(
        "3.10",
        ("numpy==1.21.6", "opencv-python-headless==4.5.4.60", "onnxruntime==1.16.0"),
        "the least that pyproject.toml allows",
    ),
    "humble": Combination(
        "3.10",
        ("numpy==1.21.6", "opencv-python-headless==4.5.5.64", "onnxruntime==1.17.3"),
        "ROS 2 Humble on Ubuntu 22.04, onnxruntime of JetPack 6",
    ),
    "jazzy": Combination(
        "3.12",
        ("numpy==1.26.4", "opencv-python-headless==4.6.0.66", "onnxruntime==1.20.1"),
        "ROS 2 Jazzy on Ubuntu 24.04",
    ),
    "between": Combination(
        "3.11",
        ("numpy==2.0.2", "opencv-python-headless==4.10.0.84", "onnxruntime==1.19.2"),
        "the first NumPy 2",
    ),
    "lyrical": Combination(
        "3.14",
        ("numpy==2.3.5", "opencv-python-headless==4.10.0.84", "onnxruntime==1.24.1"),
        "ROS 2 Lyrical on Ubuntu 26.04",
    ),
    "newest": Combination(
        "3.13", ("numpy", "opencv-python-headless", "onnxruntime"), "the newest of everything"
    ),
}


def find_python(version: str) -> str | None:
    """The interpreter of a version: on the path, or one of pyenv's; None where there is none."""
    found = shutil.which(f"python{version}")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for path in (found, *sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True)):
        if path is None:
            continue
        # A shim of pyenv is there for versions that are not.
        command = [str(path), "-c", "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.stdout.strip() == version:
            return str(path)
    return None


def requirements() -> list[str]:
    """What the package needs besides the pins, and what its tests need, of pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lists = re.findall(r"^(?:dependencies|test) = \[(.*?)\]", text, re.M | re.S)
    found = [name for part in lists for name in re.findall(r'"([^"]+)"', part)]
    return [name for name in found if not name.startswith("numpy")]


def run(*command: str | Path) -> int:
    """Runs a command in the checkout; its exit status."""
    words = [str(word) for word in command]
    print("+", " ".join(words), flush=True)
    # The checkout alone: nothing of what another environment put there.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONHOME"}
    environment["PYTHONPATH"] = str(ROOT)
    return subprocess.run(words, cwd=ROOT, env=environment, check=False).returncode


def run_combination(name: str, sequences: Iterable[Path], tests: bool) -> str:
    """Makes a combination's environment, runs the tests, and tracks the sequences.

    Returns:
        ``"passed"``, or what failed.
    """
    combination = COMBINATIONS[name]
    python = find_python(combination.python)
    if python is None:
        return f"not run: no Python {combination.python} here"
    folder = FOLDER / name
    own = folder / "venv" / "bin" / "python"
    packages = [*combination.pins, *requirements()]
    record = folder / "installed.txt"
    if not record.is_file() or record.read_text(encoding="utf-8") != "\n".join(packages):
        if run(python, "-m", "venv", "--clear", folder / "venv"):
            return "failed: no environment"
        # Compiling what is never imported takes most of the time.
        pip = (own, "-m", "pip", "install", "--quiet", "--no-input", "--no-compile")
        if run(*pip, *packages):
            return "failed: these versions do not install together"
        record.write_text("\n".join(packages), encoding="utf-8")
    run(own, "-m", "pip", "list", "--format=freeze")
    boxes = folder / "boxes"
    shutil.rmtree(boxes, ignore_errors=True)
    boxes.mkdir(parents=True)
    for sequence in sequences:
        target = boxes / f"{sequence.name}.txt"
        command = (own, "-m", "litetrack_ros.tools.main", "track", sequence)
        if run(*command, "--save-txt", target):
            return f"failed: tracking {sequence.name}"
    skip = ("-m", "not slow and not ros")
    if tests and run(own, "-m", "pytest", "-q", "-p", "no:cacheprovider", *skip, *TESTS):
        return "failed: tests"
    return "passed"


def largest_differences() -> dict[str, float]:
    """Largest difference of a box's number between two combinations, by sequence, px."""
    found: dict[str, float] = {}
    files = sorted(FOLDER.glob("*/boxes/*.txt"))
    for name in sorted({path.name for path in files}):
        rows = []
        for path in (path for path in files if path.name == name):
            lines = path.read_text(encoding="utf-8").splitlines()
            rows.append([[float(value) for value in line.split(",")] for line in lines])
        if len({len(boxes) for boxes in rows}) != 1:
            raise SystemExit(f"{name}: combinations have different numbers of frames")
        found[name] = max(
            max(values) - min(values)
            for boxes in zip(*rows, strict=True)
            for values in zip(*boxes, strict=True)
        )
    return found


def main() -> None:
    """Reads the arguments of make; ends with status 1 where a combination failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--combination", choices=("", *COMBINATIONS), default="")
    parser.add_argument("--sequences", type=Path, nargs="*", default=[])
    parser.add_argument("--no-tests", action="store_true", help="only track and compare")
    arguments = parser.parse_args()
    names = [arguments.combination] if arguments.combination else list(COMBINATIONS)
    sequences = [path.resolve() for path in arguments.sequences]
    said = {name: run_combination(name, sequences, not arguments.no_tests) for name in names}
    for name, what in said.items():
        combination = COMBINATIONS[name]
        print(f"{name:8} Python {combination.python}, {', '.join(combination.pins)}: {what}")
    failed = any(what.startswith("failed") for what in said.values())
    if arguments.combination and said[arguments.combination] != "passed":
        failed = True
    for sequence, difference in largest_differences().items():
        print(f"{sequence}: boxes within {difference:.4f} px of each other")
        failed = failed or not difference <= MAX_DIFFERENCE_PX
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
