"""Checks a tag against the version, and writes the release's notes: `make publish TAG=v0.2.0`.

`make changelog` writes CHANGELOG.rst, in the form that bloom reads, from CHANGELOG.md.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).absolute().parents[1]
NOTES = ROOT / "build" / "release_notes.md"


def version() -> str:
    """The package's version, read without importing it."""
    text = (ROOT / "litetrack_ros" / "version.py").read_text(encoding="utf-8")
    found = re.search(r'__version__ = "([^"]+)"', text)
    assert found  # one line of that file
    return found[1]


def notes(wanted: str) -> str:
    """A version's section of the changelog.

    Raises:
        SystemExit: there is none.
    """
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for section in text.split("\n## ")[1:]:
        heading, _, body = section.partition("\n")
        if heading.split()[0] == wanted:
            return body.strip() + "\n"
    raise SystemExit(f"CHANGELOG.md has no section of version {wanted}")


def changelog_rst() -> str:
    """The released versions of CHANGELOG.md in the form that bloom reads."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    title = "Changelog for package litetrack_ros"
    line = "^" * len(title)
    parts = [f"{line}\n{title}\n{line}\n"]
    for section in text.split("\n## ")[1:]:
        heading, _, body = section.partition("\n")
        if heading == "Unreleased":
            continue
        body = re.sub(r"\[([^\]]+)\]\(([^)]+)\)", r"\1", body.strip())
        body = re.sub(r"`([^`]+)`", r"``\1``", body)
        parts.append(f"{heading}\n{'-' * len(heading)}\n\n{body}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    if sys.argv[1:] == ["changelog"]:
        (ROOT / "CHANGELOG.rst").write_text(changelog_rst(), encoding="utf-8")
        sys.exit()
    tag = sys.argv[1] if len(sys.argv) > 1 else ""
    if tag != f"v{version()}":
        raise SystemExit(f"the tag is '{tag}', but the version is {version()}: tag v{version()}")
    NOTES.parent.mkdir(parents=True, exist_ok=True)
    NOTES.write_text(notes(version()), encoding="utf-8")
