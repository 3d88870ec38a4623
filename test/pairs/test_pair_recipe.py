"""Numbers of the pairs have names: a field of the recipe, or a constant."""

import ast
from pathlib import Path

import pytest

from litetrack_ros import pairs

FILES = sorted(Path(pairs.__file__).parent.glob("*.py"))
PLAIN = {0.0, 0.5, 1.0, 2.0, 255.0}  # arithmetic; whole numbers below ten count and index


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_functions_hold_no_unnamed_number(path: Path) -> None:
    functions = [
        node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)
    ]
    found = [
        f"line {number.lineno}: {number.value}"
        for function in functions
        for number in ast.walk(function)
        if isinstance(number, ast.Constant)
        and type(number.value) in (int, float)
        and number.value not in PLAIN
        and (type(number.value) is float or number.value >= 10)
    ]
    assert not found
