"""The documentation site: its reference is complete, and it builds without a warning."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from litetrack_ros.node.parameters import SPECS
from litetrack_ros.tools.main import VERBS


@pytest.fixture(scope="module")
def docs_site(root: Path) -> ModuleType:
    """make/docs_site.py as a module."""
    spec = importlib.util.spec_from_file_location("docs_site", root / "make" / "docs_site.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_site"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def assembled(docs_site: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the site is built from."""
    folder = tmp_path_factory.mktemp("site") / "source"
    docs_site.assemble(folder)
    return folder


def test_every_page_is_in_the_navigation_once(root: Path, assembled: Path) -> None:
    navigation = (root / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r"^ +- [^:\n]+: (\S+\.md)$", navigation.split("\nnav:\n")[1], re.M)
    pages = {path.relative_to(assembled).as_posix() for path in assembled.rglob("*.md")}
    assert sorted(listed) == sorted(pages)


def test_every_parameter_is_on_a_page(assembled: Path) -> None:
    text = (assembled / "reference" / "parameters.md").read_text(encoding="utf-8")
    assert re.findall(r"^## `(\w+)`$", text, re.M) == [spec.name for spec in SPECS]


def test_every_topic_and_service_is_on_a_page(root: Path, assembled: Path) -> None:
    text = (assembled / "reference" / "topics.md").read_text(encoding="utf-8")
    components = (root / "doc" / "components.md").read_text(encoding="utf-8")
    names = set(re.findall(r"^\| `(~?[/\w]+)` \| `\w+/(?:msg|srv)/", components, re.M))
    assert len(names) > 10
    assert all(f"| `{name}` |" in text for name in names)


def test_every_verb_and_option_is_on_a_page(docs_site: ModuleType, assembled: Path) -> None:
    text = (assembled / "reference" / "commands.md").read_text(encoding="utf-8")
    sections = {part.partition("`\n")[0]: part for part in text.split("\n## `")[1:]}
    assert len(sections) == sum(map(len, VERBS.values()))
    for command, _, parser in docs_site.verb_parsers():
        options = {name for action in parser._actions for name in action.option_strings}
        assert options <= set(re.findall(r"`(--?[\w-]+)`", sections[command])), command


def test_every_message_is_on_a_page(root: Path, assembled: Path) -> None:
    text = (assembled / "reference" / "messages.md").read_text(encoding="utf-8")
    for path in [*(root / "msg").iterdir(), *(root / "srv").iterdir()]:
        assert path.read_text(encoding="utf-8").strip() in text, path.name


def test_launch_arguments_are_those_of_the_files(docs_site: ModuleType, root: Path) -> None:
    names = {
        path.name: [argument.name for argument in docs_site.launch_arguments(path)]
        for path in (root / "launch").iterdir()
        if path.suffix == ".py"
    }
    assert names["demo.launch.py"] == ["frames", "output", "model", "backend", "device"]
    assert {"image", "page", "model", "image_transport"} <= set(names["tracker.launch.py"])
    declared = sum(
        path.read_text(encoding="utf-8").count("DeclareLaunchArgument(")
        for path in (root / "launch").glob("*.py")
    )
    assert sum(map(len, names.values())) >= declared


def test_a_dead_link_ends_the_assembly(
    docs_site: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "README.md").write_text("[gone](doc/gone.md)")
    monkeypatch.setattr(docs_site, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match=r"README.md links to doc/gone.md"):
        docs_site.assemble(tmp_path / "out")


def test_links_in_code_are_none(docs_site: ModuleType) -> None:
    text = "[a](b.md) `[c](d.md)`\n```\n[e](f.md)\n```\n![g](h.png) [i](https://j) [k](#l)"
    assert list(docs_site.links(text)) == ["b.md", "h.png"]


@pytest.mark.slow
def test_the_site_builds_without_a_warning(root: Path, tmp_path: Path, assembled: Path) -> None:
    mkdocs = shutil.which("mkdocs", path=str(Path(sys.executable).parent))
    if mkdocs is None:
        pytest.skip("mkdocs is not installed: make site installs it (the extra docs)")
    configuration = yaml.safe_load((root / "mkdocs.yml").read_text(encoding="utf-8"))
    configuration |= {"docs_dir": str(assembled), "site_dir": str(tmp_path / "built")}
    configuration["plugins"][1]["mkdocstrings"]["handlers"]["python"]["paths"] = [str(root)]
    changed = tmp_path / "mkdocs.yml"
    changed.write_text(yaml.safe_dump(configuration, sort_keys=False))
    command = [mkdocs, "build", "--strict", "--config-file", str(changed)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    parameters = (tmp_path / "built" / "reference" / "parameters.html").read_text()
    assert all(spec.name in parameters for spec in SPECS)
