"""`litetrack model list`: the table is the reference's, to the printed digits."""

import contextlib
import io
import json

import pytest

from litetrack_ros.tools.main import main

pytest.importorskip("torch")

# From a count of the authors' graph: FE + AI, parameters (M); MACs (G) of the search with keys and
# values cached, of the authors' search, of the authors' template.
REFERENCE = {
    "b9": ("6 + 3", "71.264", "19.10", "19.55", "4.24"),
    "b8": ("5 + 3", "64.176", "17.18", "17.64", "3.77"),
    "b6": ("3 + 3", "49.998", "13.36", "13.81", "2.84"),
    "b4": ("2 + 2", "35.821", "9.51", "9.81", "1.90"),
}
PAPER = {
    "b9": ("54.92", "14.17"),
    "b8": ("49.60", "12.77"),
    "b6": ("38.97", "10.09"),
    "b4": ("26.18", "6.78"),
}


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict]:
    """What is printed, and the JSON."""
    path = tmp_path_factory.mktemp("models") / "models.json"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["model", "list", "--json", str(path)]) == 0
    return printed.getvalue(), json.loads(path.read_text())


@pytest.mark.parametrize("name", REFERENCE)
def test_printed_row(output: tuple[str, dict], name: str):
    layers, parameters, cached, authors, template = REFERENCE[name]
    true, paper = [line for line in output[0].splitlines() if line.startswith(name)]
    assert true.startswith(f"{name} ") and f"  {layers}  " in true
    cells = true.split()
    assert cells[5:7] == [parameters, cached]
    assert cells[8:] == [authors, template]
    assert tuple(paper.split()[1:3]) == PAPER[name]


def test_json_holds_every_shipped_variant(output: tuple[str, dict]):
    from litetrack_ros.config import variant_names

    variants = {entry["name"]: entry for entry in output[1]["variants"]}
    assert list(variants) == variant_names()
    b9 = variants["b9"]
    assert b9["search_macs"] < b9["uncached_search_macs"]
    assert "paper_table_1" in b9 and "paper_table_1" not in variants["nano"]
