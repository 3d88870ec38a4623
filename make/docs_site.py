"""Assembles what the documentation site is built from, for `make site`.

The Markdown files keep their places relative to each other, so that a link that works in the
repository works on the site. The reference is generated: parameters from the node's table, verbs
and options from the command's own parsers, messages from their files, launch arguments from the
launch files, topics and services from doc/components.md, which a test compares with the node.
"""

import argparse
import ast
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).absolute().parents[1]
SOURCE = ROOT / "build" / "site_source"
PAGES = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "CODE_OF_CONDUCT.md")
# Names of the front door, then what its results and errors are made of.
API_EXTRA = (
    "litetrack_ros.config.ModelConfig",
    "litetrack_ros.tracker.result.StageTiming",
    "litetrack_ros.backends.base",
    "litetrack_ros.errors",
)
# [text](target) and ![text](target), but not what is written as code.
_LINK = re.compile(r"\]\(([^)\s]+)\)")


class LaunchArgument(NamedTuple):
    """An argument of a launch file: its name, its default and what it is for."""

    name: str
    default: str
    description: str


def markdown_files() -> list[Path]:
    """Every page that people wrote, relative to the checkout."""
    found = [Path("README.md"), *(Path(name) for name in PAGES if (ROOT / name).is_file())]
    for folder in ("doc", "models"):
        found += sorted(path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.md"))
    return found


def links(text: str) -> Iterator[str]:
    """Targets of a page's links to other files, without those in blocks of code."""
    outside = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    for target in _LINK.findall(re.sub(r"`[^`\n]*`", "", outside)):
        if not re.match(r"[a-z]+:|#", target):
            yield target


def launch_arguments(path: Path) -> list[LaunchArgument]:
    """The arguments that a launch file declares, read without ROS.

    Args:
        path: a launch file in Python. A declaration in a comprehension stands for the names of
            the table or tuple at the top of the file that it loops over.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Dict | ast.Tuple | ast.List)
    }
    looped: dict[ast.Call, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ListComp | ast.GeneratorExp) and isinstance(node.elt, ast.Call):
            table = ast.unparse(node.generators[0].iter).removesuffix(".items()")
            looped[node.elt] = table
    found = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "DeclareLaunchArgument"):
            continue
        words = {keyword.arg: keyword.value for keyword in node.keywords}
        default = words.get("default_value")
        shown = str(default.value) if isinstance(default, ast.Constant) else "the package's own"
        if default is None:
            shown = "(must be given)"
        if node in looped:
            table = constants[looped[node]]
            about = table if isinstance(table, dict) else dict.fromkeys(table, "as of the tracker")
            found += [LaunchArgument(name, shown, text) for name, text in about.items()]
        else:
            name = ast.literal_eval(node.args[0])
            found.append(LaunchArgument(name, shown, ast.literal_eval(words["description"])))
    return found


def _cell(text: object) -> str:
    """A value as the content of a table's cell, its braces and pipes harmless."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def _code(text: object) -> str:
    return f"`{_cell(text)}`" if str(text) else ""


def parameters_page() -> str:
    """Every parameter of the node with a heading of its own, from the node's table."""
    from litetrack_ros.node.parameters import SPECS

    lines = [
        "# Parameters of the node\n",
        "Generated from the table that the node declares them from. Set them in a parameter file "
        "(`params_file:=FILE` of the launch file), with `-p NAME:=VALUE`, or, those that are "
        "*live*, with `ros2 param set /litetrack NAME VALUE` at any time.\n",
    ]
    for spec in SPECS:
        limits = "any"
        if spec.choices:
            limits = ", ".join(f"`{choice}`" for choice in spec.choices)
        elif spec.low is not None:
            limits = f"{spec.low:g} to {spec.high:g}"
        default = str(spec.default).lower() if isinstance(spec.default, bool) else spec.default
        lines += [
            f"## `{spec.name}`\n",
            f"{spec.description[0].upper()}{spec.description[1:]}.\n",
            "| type | default | values | live |\n| --- | --- | --- | --- |",
            f"| {type(spec.default).__name__} | {_code(default)} | {limits} | "
            f"{'yes' if spec.live else 'no: while the node is not configured'} |\n",
        ]
    return "\n".join(lines)


def topics_page() -> str:
    """Every topic and service, from the tables of doc/components.md."""
    text = (ROOT / "doc" / "components.md").read_text(encoding="utf-8")
    lines = [
        "# Topics and services\n",
        "From [the node's page](../doc/components.md), which a test compares with the graph of a "
        "running node. Names with `~` lie below the node, `/litetrack` by default.\n",
    ]
    for heading in ("Subscribed topics", "Published topics", "Topics for control", "Services"):
        section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
        table = [line for line in section.splitlines() if line.startswith("|")]
        lines += [f"## {heading}\n", "\n".join(table), ""]
    return "\n".join(lines)


def messages_page() -> str:
    """Every message and service type, as its file says it."""
    lines = ["# Messages and services\n", "Each field has its unit and meaning beside it.\n"]
    for path in [*sorted((ROOT / "msg").glob("*.msg")), *sorted((ROOT / "srv").glob("*.srv"))]:
        lines += [f"## `litetrack_ros/{path.parent.name}/{path.stem}`\n", "```text"]
        lines += [path.read_text(encoding="utf-8").strip(), "```\n"]
    return "\n".join(lines)


def launch_page() -> str:
    """Every launch file with its arguments."""
    lines = ["# Launch files\n"]
    for path in sorted((ROOT / "launch").glob("*.launch.py")):
        document = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        lines += [f"## `{path.name}`\n", f"{document}\n"]
        lines += ["| argument | default | meaning |", "| --- | --- | --- |"]
        lines += [
            f"| `{a.name}` | {_code(a.default)} | {_cell(a.description)} |"
            for a in launch_arguments(path)
        ]
        lines.append("")
    return "\n".join(lines)


def verb_parsers() -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Each verb of the command with its noun, its line of help and its filled parser."""
    from litetrack_ros.tools.main import VERBS, load_verb

    for noun, verbs in VERBS.items():
        for verb, about in verbs.items():
            command = " ".join(("litetrack", *([noun] if noun else []), verb))
            parser = argparse.ArgumentParser(prog=command, add_help=False)
            load_verb(noun, verb).add_arguments(parser)
            yield command, about, parser


def commands_page() -> str:
    """Every verb of the command with every argument, from its own parser."""
    lines = [
        "# The `litetrack` command\n",
        "Generated from the command's own parsers. Exit status: 0, 1 where a check or a limit "
        "failed, 2 for bad input, 130 after Ctrl-C.\n",
    ]
    for command, about, parser in verb_parsers():
        lines += [f"## `{command}`\n", f"{about[0].upper()}{about[1:]}.\n", "```text"]
        lines += [parser.format_usage().strip(), "```\n"]
        lines += ["| argument | meaning |", "| --- | --- |"]
        formatter = parser._get_formatter()
        for action in parser._actions:
            names = ", ".join(f"`{name}`" for name in action.option_strings)
            if not names:
                names = _code(formatter._metavar_formatter(action, action.dest)(1)[0])
            help_text = formatter._expand_help(action) if action.help else ""
            if action.choices is not None:
                help_text += f" (one of {', '.join(map(str, action.choices))})"
            lines.append(f"| {names} | {_cell(help_text)} |")
        lines.append("")
    return "\n".join(lines)


def python_page() -> str:
    """The names of the front door and what their results are made of; filled by mkdocstrings."""
    import litetrack_ros

    homes = litetrack_ros._HOMES
    lines = [
        "# Python\n",
        "`import litetrack_ros as lt` offers the names of the first list; the others are what "
        "these take and give.\n",
    ]
    for name in litetrack_ros.__all__:
        lines.append(f"::: litetrack_ros.{homes[name]}.{name}\n")
    lines += [f"::: {name}\n" for name in API_EXTRA]
    return "\n".join(lines)


def reference() -> dict[str, str]:
    """The generated pages by their file's name."""
    return {
        "parameters.md": parameters_page(),
        "topics.md": topics_page(),
        "messages.md": messages_page(),
        "launch.md": launch_page(),
        "commands.md": commands_page(),
        "python.md": python_page(),
    }


def assemble(target: Path) -> None:
    """Fills ``target`` with all pages and with the files that they link to.

    Raises:
        SystemExit: a link leads nowhere, or out of the checkout.
    """
    shutil.rmtree(target, ignore_errors=True)
    for page in markdown_files():
        text = (ROOT / page).read_text(encoding="utf-8")
        for link in links(text):
            path = link.partition("#")[0]
            linked = (ROOT / page.parent / path).resolve()
            if not linked.is_relative_to(ROOT) or not linked.exists():
                raise SystemExit(f"{page} links to {link}, which does not exist")
            if any(part.startswith(".") for part in linked.relative_to(ROOT).parts):
                raise SystemExit(f"{page} links to {link}, which MkDocs leaves out of the site")
            if linked.suffix != ".md" and linked.is_file():
                copy = target / linked.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(linked, copy)
        # README.md is the first page, and pages name it by its own name.
        text = re.sub(r"\]\(((?:\.\./)*)README\.md", r"](\1index.md", text)
        copy = target / ("index.md" if page == Path("README.md") else page)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text, encoding="utf-8")
    (target / "reference").mkdir(parents=True)
    for name, text in reference().items():
        (target / "reference" / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    assemble(SOURCE)
