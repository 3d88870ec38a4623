"""Every block of code of the README and the docs: run, or marked; and all that it names exists."""

from __future__ import annotations

import argparse
import ast
import collections
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from page_blocks import COMMANDS, NEEDS, Block, blocks, code_names, command_lines, pages

from litetrack_ros.node.parameters import SPECS
from litetrack_ros.tools.main import NOUNS, VERBS, load_verb

ROOT = Path(__file__).resolve().parents[1]
BLOCKS = blocks(ROOT)
RUN_IN_ORDER = collections.defaultdict(list)
for _block in BLOCKS:
    if _block.language in COMMANDS and not _block.needs:
        RUN_IN_ORDER[_block.page].append(_block)

# How many blocks are not run here, by what they need: a new one is to be counted on purpose.
NOT_RUN = {"robot": 13, "gpu": 6, "network": 3, "data": 26, "clone": 2}

# Programs that are not ours and that a reader has.
PROGRAMS = {
    "cd", "colcon", "docker", "export", "git", "vot", "pip", "pip3", "python3", "rosdep", "source",
    "ray", "sudo", "tail", "touch", "xdg-open", "cat", "make", "ssh", "tar", ".",
}  # fmt: skip
OF_VOT = {"vot-toolkit", "vot-trax", "attributee", "phx-class-registry", "matplotlib"}
VERBS_OF_ROS2 = {"bag", "launch", "lifecycle", "param", "run", "service", "topic"}
# Names below the node's that ROS makes for each lifecycle node.
OF_ROS = {"change_state", "get_state"}
OUTSIDE = {"/camera", "/clock", "/init", "/front", "/robot", "/operator", "/ground_truth", "/dev"}


def _of_pages(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]


def _section(heading: str) -> dict[str, str]:
    """Names and types of a table of doc/components.md, which is tested against the node."""
    text = (ROOT / "doc" / "components.md").read_text(encoding="utf-8")
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("| `")]
    return {row[1].strip().strip("`"): row[2].strip().strip("`") for row in rows}


TOPICS = {
    **_section("Subscribed topics"),
    **_section("Published topics"),
    **_section("Topics for control"),
}
SERVICES = _section("Services")


def test_marks_are_known_and_counted() -> None:
    counts = collections.Counter(block.needs for block in BLOCKS if block.needs)
    assert set(NOT_RUN) == set(NEEDS)
    assert dict(counts) == NOT_RUN
    # A mark that lost its block marks nothing.
    marks = sum(page.read_text().count("\n<!-- needs:") for page in pages(ROOT))
    assert marks == sum(counts.values())


@pytest.mark.parametrize("page", [p.relative_to(ROOT).as_posix() for p in pages(ROOT)])
def test_code_stands_between_fences(page: str) -> None:
    """Indented blocks would escape the tests below."""
    text = (ROOT / page).read_text(encoding="utf-8")
    outside = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    assert re.findall(r"\n\n(    .*)", outside) == []


def test_languages_are_known() -> None:
    assert {block.language for block in BLOCKS} <= {"", "ini", "text", "yaml", *COMMANDS}


@pytest.mark.parametrize("block", _of_pages("bash"), ids=lambda block: block.place)
def test_what_a_command_names_exists(block: Block) -> None:
    for words in command_lines(block.code):
        program = words[0].rpartition("/")[2]
        if program == "litetrack":
            _check_litetrack(words[1:])
        elif program == "make":
            _check_make(words[1:])
        elif program == "ros2":
            _check_ros2(words[1:])
        elif program == "torchrun":
            _check_litetrack(words[words.index("litetrack_ros.tools.main") + 1 :])
        elif program == "python" and words[1:3] == ["-m", "pytest"]:
            assert all((ROOT / w).exists() for w in words[3:] if not w.startswith("-"))
        else:
            assert program in PROGRAMS or program.endswith(".py"), program
        if program.startswith("pip"):
            _check_packages(words[2:])
        if program == "colcon" and "--packages-select" in words:
            assert words[words.index("--packages-select") + 1] == "litetrack_ros"


def _check_litetrack(words: list[str]) -> None:
    noun = words[0] if words[0] in NOUNS else ""
    verb, rest = (words[1], words[2:]) if noun else (words[0], words[1:])
    if verb.startswith("-"):
        assert verb in ("--help", "--version")
        return
    assert verb in VERBS[noun], verb
    parser = argparse.ArgumentParser(exit_on_error=False)
    load_verb(noun, verb).add_arguments(parser)
    # "SEQUENCE..." and "[...]" stand for words of the reader's.
    try:
        parser.parse_args([word for word in rest if word not in ("...", ">")])
    except SystemExit as error:
        assert error.code == 0, words


def _check_make(words: list[str]) -> None:
    files = (ROOT / "Makefile", ROOT / "make" / "container.mk")
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    for word in words:
        name, is_set, _ = word.partition("=")
        pattern = rf"\b{name}\b" if is_set else rf"^{name}:"
        assert re.search(pattern, text, re.M), word


def _check_packages(words: list[str]) -> None:
    """What pip is told to install is this package with extras it has, or stands in its metadata."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text.split("[project.optional-dependencies]\n")[1].split("\n[")[0]
    extras = set(re.findall(r"^([\w-]+) = \[", section, re.M))
    for word in words:
        own = re.fullmatch(r"(?:litetrack_ros|\.)(?:\[([\w,-]+)\])?", word)
        if own:
            assert set((own[1] or "").split(",")) - {""} <= extras, word
        elif not (word.startswith("-") or word.endswith(".whl") or word.split("==")[0] in OF_VOT):
            assert f'"{word}' in text, word


def _check_ros2(words: list[str]) -> None:
    kind, rest = words[0], [word for word in words[1:] if not word.startswith("--")]
    assert kind in VERBS_OF_ROS2
    if kind == "launch":
        assert rest[0] == "litetrack_ros"
        declared = _launch_arguments(ROOT / "launch" / rest[1])
        assert {word.partition(":=")[0] for word in rest[2:]} <= declared
    elif kind == "run":
        assert rest[0] == "litetrack_ros"
        assert (ROOT / "scripts" / rest[1]).is_file()
    elif kind in ("topic", "service"):
        names = TOPICS if kind == "topic" else SERVICES
        name = rest[1].replace("/litetrack/", "~/")
        if name.startswith("~"):
            assert name in names
            assert len(rest) < 3 or rest[2] == names[name]
    elif kind == "param":
        assert rest[1] == "/litetrack"
        assert len(rest) < 3 or rest[2] in {spec.name for spec in SPECS}


def _launch_arguments(path: Path) -> set[str]:
    """Names that stand as such in a launch file: of its arguments, or in its tables of them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and n.value is not None}


@pytest.mark.parametrize("page", [p.relative_to(ROOT).as_posix() for p in pages(ROOT)])
def test_what_prose_names_exists(page: str) -> None:
    """Topics, services, parameters and files that stand in the text as code."""
    unknown = []
    for name in code_names((ROOT / page).read_text(encoding="utf-8")):
        below = re.fullmatch(r"(?:~|/litetrack)/([a-z_/]+)", name)
        if below and below[1] not in OF_ROS and f"~/{below[1]}" not in {**TOPICS, **SERVICES}:
            unknown.append(name)
        if re.fullmatch(r"(config|doc|launch|msg|srv|test|models|make)/[\w./-]+\.\w+", name):
            unknown += [] if (ROOT / name).is_file() or page != "README.md" else [name]
        kind = re.fullmatch(r"litetrack_ros/(msg|srv)/(\w+)", name)
        if kind and not (ROOT / kind[1] / f"{kind[2]}.{kind[1]}").is_file():
            unknown.append(name)
        verb = re.match(r"litetrack ([a-z][a-z-]*)(?: ([a-z-]+))?(?: |$)", name)
        if verb and not _is_verb(verb[1], verb[2]):
            unknown.append(name)
    assert unknown == []


def _is_verb(first: str, second: str | None) -> bool:
    return first in VERBS[""] or (first in NOUNS and (second is None or second in VERBS[first]))


@pytest.mark.parametrize("block", _of_pages("yaml"), ids=lambda block: block.place)
def test_a_recipe_in_a_page_is_one(block: Block) -> None:
    from litetrack_ros.training.recipe import Recipe

    assert yaml.safe_load(block.code).keys() <= {*Recipe.__dataclass_fields__, "based_on", "pairs"}


@pytest.mark.parametrize("page", [page.relative_to(ROOT).as_posix() for page in pages(ROOT)])
def test_no_link_inside_the_checkout_is_dead(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    outside = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.M | re.S)
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", outside):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        if not linked.exists() or (anchor and anchor not in _anchors(linked)):
            dead.append(target)
    assert dead == []


def _anchors(page: Path) -> set[str]:
    """As GitHub and MkDocs make them of headings of plain words."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()).strip() for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


@pytest.mark.slow
@pytest.mark.ros
@pytest.mark.parametrize("page", RUN_IN_ORDER)
def test_the_blocks_of_a_page_run(page: str, tmp_path: Path) -> None:
    """One after the other in one folder, where a drawn `video.mp4` lies as the reader's own."""
    _write_video(tmp_path / "video.mp4")
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "litetrack"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m litetrack_ros.tools.main "$@"\n')
    script.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    for block in RUN_IN_ORDER[page]:
        command = [sys.executable, "-c", block.code]
        if block.language == "bash":
            command = ["bash", "-euo", "pipefail", "-c", block.code]
        result = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        said = (result.stdout + result.stderr)[-2000:]
        assert result.returncode == 0, f"{block.place} ended with {result.returncode}:\n{said}"


def _write_video(path: Path) -> None:
    import cv2

    from litetrack_ros.media.scene import DrawnScene

    scene = DrawnScene(frames=60)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30.0, (640, 480))
    for image, _ in scene:
        writer.write(image)
    writer.release()
