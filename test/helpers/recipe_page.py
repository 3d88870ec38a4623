"""The page of all keys of a recipe, from the docstrings: ``python test/helpers/recipe_page.py``."""

import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

from litetrack_ros.pairs.pair_recipe import PairSampling, SourceShares
from litetrack_ros.training.recipe import Recipe

PAGE = Path(__file__).parents[2] / "doc" / "recipe.md"
HEAD = """# Every key of a training recipe

`litetrack train` reads a YAML file; a key that it does not name has the default below. `base: FILE`
takes over another recipe's keys, `epochs` and `epoch_pairs` may stand in place of `steps`. Parts
are nested:

```yaml
model: nano
steps: 7000
pairs:
  absent: 0.2
  look:
    motion_px: [2.0, 15.0]
    later: {cut: 0.0}
```

A share is a part, from 0 to 1. Two numbers in brackets are a range, from the first to the second. A
spread is the standard deviation of a normal distribution around 0, and "the most of it" where that
is cut off; a log is the natural logarithm.
"""


def recipe_page() -> str:
    """The page's text."""
    return "\n".join([HEAD, *_sections(Recipe, "")])


def _sections(kind: type[Any], path: str) -> list[str]:
    """A table of the plain keys, then a section for each part."""
    what = re.split(r"\n\s*\n", inspect.getdoc(kind) or "", maxsplit=1)[0]
    lines = [f"## `{path}`\n", f"{_markdown(what)}\n"] if path else []
    lines += ["| key | default | what it is |", "| --- | --- | --- |"]
    parts = _parts(kind)
    for names, meaning in _attributes(kind):
        plain = [name for name in names if name not in parts]
        if plain:
            keys = ", ".join(f"`{name}`" for name in plain)
            defaults = ", ".join(_default(kind, name) for name in plain)
            lines.append(f"| {keys} | {defaults} | {_markdown(meaning)} |")
    lines.append("")
    for name, part in parts.items():
        lines += _sections(part, f"{path}.{name}".lstrip("."))
    return lines


def _attributes(kind: type[Any]) -> list[tuple[list[str], str]]:
    """Names and meaning of each entry of a docstring's list of attributes."""
    listed = (inspect.getdoc(kind) or "").split("Attributes:\n", 1)[1]
    entries = re.findall(r"^    (\w[\w, ]*): (.*(?:\n {8}.*)*)", listed, re.MULTILINE)
    return [(names.split(", "), " ".join(meaning.split())) for names, meaning in entries]


def _parts(kind: type[Any]) -> dict[str, type[Any]]:
    optional = {"sampling": PairSampling, "sources": SourceShares}
    parts: dict[str, type[Any]] = optional if kind is Recipe else {}
    for field in dataclasses.fields(kind):
        if isinstance(field.default_factory, type):
            parts[field.name] = field.default_factory
    return parts


def _default(kind: type[Any], name: str) -> str:
    [field] = [field for field in dataclasses.fields(kind) if field.name == name]
    if field.default is dataclasses.MISSING:
        return "(needed)"
    value = field.default
    return f"`{list(value) if isinstance(value, tuple) else value!r}`"


def _markdown(text: str) -> str:
    """Sphinx's marks as Markdown's."""
    text = re.sub(r":\w+:`~?([\w.]+)`", lambda found: f"`{found[1].rsplit('.', 1)[-1]}`", text)
    return " ".join(text.replace("``", "`").split())


if __name__ == "__main__":
    PAGE.write_text(recipe_page(), encoding="utf-8")
