"""What a release is made of: version, changelog in both forms, citation, workflows, containers."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import litetrack_ros

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
DOCKERFILES = sorted((ROOT / "containers").glob("Dockerfile*"))


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "make" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _make_files() -> str:
    files = (ROOT / "Makefile", ROOT / "make" / "container.mk")
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def _is_target(name: str) -> bool:
    return re.search(rf"^{re.escape(name)}:", _make_files(), re.M) is not None


def test_the_changelog_has_the_version_in_both_forms() -> None:
    release = _load("release")
    assert release.version() == litetrack_ros.__version__
    assert "What breaks" in release.notes("0.2.0")
    text = (ROOT / "CHANGELOG.rst").read_text(encoding="utf-8")
    assert text == release.changelog_rst(), "run make changelog"


@pytest.mark.parametrize("tag", ["", "0.2.0", "v9.9.9"])
def test_a_tag_that_is_not_the_version_is_refused(tag: str) -> None:
    command = [sys.executable, str(ROOT / "make" / "release.py"), tag]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert f"tag v{litetrack_ros.__version__}" in result.stderr


def test_the_citation_has_the_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == litetrack_ros.__version__
    assert citation["license"] == "Apache-2.0"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_only_calls_make(path: Path) -> None:
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    runs = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert runs
    for command in runs:
        words = command.split()
        assert words[0] == "make" and "\n" not in command, command
        assert all(
            "=" in word or word in ("}}", "${{") or _is_target(word) or "." in word
            for word in words[1:]
        ), command
        assert _is_target(words[1])


def test_the_workflow_runs_every_combination_with_its_python() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]
    listed = {
        row["combination"]: row["python"]
        for row in jobs["versions"]["strategy"]["matrix"]["include"]
    }
    matrix = _load("matrix")
    assert listed == {name: found.python for name, found in matrix.COMBINATIONS.items()}
    assert [path for path in matrix.TESTS if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_each_step_of_a_container_is_a_target(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    runs = re.findall(r"^RUN (.*)$", text, re.M)
    assert runs
    for command in runs:
        words = [word for word in command.split() if "=" not in word]
        assert words[0] == "make", command
        assert all(_is_target(word) for word in words[1:]), command
    # Versions stand in one file.
    assert re.findall(r"^FROM (?!\$\{BASE\}|base\b|build\b|runtime\b)", text, re.M) == []
    assert not re.search(r"\d+\.\d+", re.sub(r"^#.*$", "", text, flags=re.M))


def test_the_container_steps_know_every_distribution() -> None:
    text = (ROOT / "containers" / "versions.mk").read_text(encoding="utf-8")
    images = set(re.findall(r"^ROS_IMAGE_(\w+)=", text, re.M))
    assert images == set(re.findall(r"^ONNXRUNTIME_(\w+)=", text, re.M))
    assert images == {"humble", "jazzy", "lyrical"}


def test_the_compose_file_starts_what_is_there() -> None:
    compose = yaml.safe_load((ROOT / "containers" / "compose.yaml").read_text(encoding="utf-8"))
    assert set(compose["services"]) == {"camera", "bag", "node", "page"}
    for service in compose["services"].values():
        assert (service["network_mode"], service["ipc"]) == ("host", "host")
        assert service["user"].startswith("${USER_ID")
    check = compose["services"]["node"]["healthcheck"]["test"]
    assert check[-3:] == ["litetrack", "node", "health"]
    profile = compose["services"]["node"]["environment"]["FASTRTPS_DEFAULT_PROFILES_FILE"]
    assert (ROOT / "config" / profile.rpartition("/")[2].rstrip("}")).is_file()


def test_the_issue_form_asks_for_the_paste() -> None:
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/bug_report.yml").read_text())
    asked = [part for part in form["body"] if part.get("id") == "support"]
    assert "litetrack doctor --support" in asked[0]["attributes"]["label"]
    assert asked[0]["validations"]["required"] is True


def test_nothing_in_the_repository_is_large() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout of git")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    sizes = {str(path): path.stat().st_size for path in paths if path.is_file()}
    assert {name: size for name, size in sizes.items() if size > 20_000_000} == {}


def test_differences_of_boxes_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = _load("matrix")
    monkeypatch.setattr(matrix, "FOLDER", tmp_path)
    for name, shift in (("a", 0.0), ("b", 0.25), ("c", -0.125)):
        folder = tmp_path / name / "boxes"
        folder.mkdir(parents=True)
        (folder / "walk.txt").write_text(f"1,2,3,4\n{1 + shift},2,3,4\n")
    assert matrix.largest_differences() == {"walk.txt": 0.375}
