"""Checks files that are no Python against their own rules: `make lint-files`.

Containers (hadolint, the compose specification), GitHub's workflows and forms, the citation
(JSON schemas that come with check-jsonschema, so that nothing is fetched), and the package's
manifest (catkin_pkg, which colcon brings).
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).absolute().parents[1]
BIN = Path(sys.executable).parent

SCHEMAS = {
    "vendor.github-workflows": ".github/workflows/*.yml",
    "custom.github-workflows-require-timeout": ".github/workflows/*.yml",
    "vendor.github-issue-forms": ".github/ISSUE_TEMPLATE/*_*.yml",
    "vendor.github-issue-config": ".github/ISSUE_TEMPLATE/config.yml",
    "vendor.compose-spec": "containers/compose.yaml",
    "vendor.citation-file-format": "CITATION.cff",
}
# DL3006: the base image is an argument, whose versions stand in containers/versions.mk.
HADOLINT = ("--ignore", "DL3006", "--failure-threshold", "info")


def commands() -> list[list[str]]:
    """Each check's command."""
    found = [[str(BIN / "hadolint"), *HADOLINT, *_files("containers/Dockerfile*")]]
    for schema, pattern in SCHEMAS.items():
        check = [str(BIN / "check-jsonschema"), "--builtin-schema", schema]
        found.append([*check, *_files(pattern)])
    manifest = (
        "from catkin_pkg.package import parse_package; parse_package('package.xml').validate()"
    )
    found.append([sys.executable, "-c", manifest])
    return found


def _files(pattern: str) -> list[str]:
    files = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(pattern))
    if not files:
        raise SystemExit(f"there is nothing that matches {pattern}")
    return files


if __name__ == "__main__":
    statuses = [subprocess.run(words, cwd=ROOT, check=False).returncode for words in commands()]
    sys.exit(1 if any(statuses) else 0)
