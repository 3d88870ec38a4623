"""Writes requirements.lock: every package of an install, with its version and hashes.

Called by `make lock` (needs uv, https://docs.astral.sh/uv). One file serves all Pythons that are
supported: markers say which lines are whose. ROS 2 is not in it, but its own distribution's.
"""

import shutil
import sys

import install

PYTHON = "3.10"  # the oldest that is supported


def main() -> None:
    """Resolves what `make install` installs anew, the newest versions that fit together."""
    uv = shutil.which("uv")
    if uv is None:
        raise SystemExit("make lock: uv is not installed (pip install uv)")
    extras = [*install.EXTRAS, "opencv-contrib-headless", "onnx"]
    constraint = install.VENV / "constraint.txt"
    constraint.parent.mkdir(exist_ok=True)
    constraint.write_text(f"{install.TORCH}\n")
    install.run(
        *(uv, "pip", "compile", "pyproject.toml", "--quiet", "--universal"),
        *("--python-version", PYTHON, "--generate-hashes", "--no-header", "--upgrade"),
        *("--constraint", constraint, "--no-annotate"),
        *(word for extra in extras for word in ("--extra", extra)),
        *("--output-file", install.LOCK),
    )
    text = install.LOCK.read_text()
    command = "# Made by `make lock`; installed by `make install LOCKED=1`.\n"
    install.LOCK.write_text(command + text)
    print(f"{install.LOCK}: {text.count('==')} packages", file=sys.stderr)


if __name__ == "__main__":
    main()
