"""``litetrack model list``: the variants with their true sizes, and the paper's figures."""

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litetrack_ros.config import ModelConfig, variant, variant_names
from litetrack_ros.dependencies import require
from litetrack_ros.report.tables import format_table, write_json
from litetrack_ros.tools.arguments import add_json_argument

if TYPE_CHECKING:
    from litetrack_ros.model.complexity import Complexity

_HEADER = (
    "variant",
    "stem",
    "FE + AI",
    "parameters, M",
    "search, G",
    "template, G",
    "| authors' graph: search, G",
    "template, G",
)
_LEGEND = """\
G: billions of multiply-accumulates (matrix products, convolutions, attention) for one target;
search: every frame; template: once per target. Left: keys and values of the template are cached
in each interaction layer, as here. Right: the authors' graph, which projects the template again
in each interaction layer of every frame. The parameters of the authors' variants include two
tensors of their checkpoints that nothing reads (0.152 M)."""

_PAPER_HEADER = (
    "variant",
    "Table I: parameters, M",
    "MACs, G",
    "| counted its way: parameters, M",
    "MACs, G",
    "",
)
_PAPER_LEGEND = """\
The paper's Table I is what the tool thop counts in a search-only call: qkv (a functional call),
attention products and bare parameters are left out, norms are counted."""


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    json: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    add_json_argument(parser)


def run(request: Request) -> int:
    """Count every variant, print both tables."""
    require("torch")
    from litetrack_ros.model.complexity import DEPARTURES, PAPER_TABLE_I, count, count_as_table_one

    rows, paper_rows = [], []
    figures: list[dict[str, Any]] = []
    for name in variant_names():
        config = variant(name)
        counts = count(config)
        rows.append(_row(config, counts))
        entry = {
            "name": name,
            "stem": config.stem,
            "interaction": config.interaction,
            "fe_layers": config.fe_layers,
            "ai_layers": config.ai_layers,
            **dataclasses.asdict(counts),
        }
        if name in PAPER_TABLE_I:
            parameters_m, macs_g = PAPER_TABLE_I[name]
            parameters, macs = count_as_table_one(config)
            departure = DEPARTURES.get(name, "")
            paper_rows.append(
                [
                    name,
                    f"{parameters_m:.2f}",
                    f"{macs_g:.2f}",
                    _millions(parameters, 2),
                    _billions(macs),
                    departure,
                ]
            )
            entry["paper_table_1"] = {
                "parameters_m": parameters_m,
                "macs_g": macs_g,
                "parameters_counted_its_way": parameters,
                "macs_counted_its_way": macs,
                "departure": departure,
            }
        figures.append(entry)
    print(format_table(_HEADER, rows), _LEGEND, sep="\n")
    print()
    print(format_table(_PAPER_HEADER, paper_rows), _PAPER_LEGEND, sep="\n")
    write_json(request.json, {"variants": figures})
    return 0


def _row(config: ModelConfig, counts: "Complexity") -> list[str]:
    layers = f"{config.fe_layers} + {config.ai_layers}"
    if config.interaction == "joint":
        layers = f"{config.ai_layers} joint"
    return [
        config.name,
        config.stem,
        layers,
        _millions(counts.parameters, 3),
        _billions(counts.search_macs),
        _billions(counts.template_macs + counts.cache_macs),
        _billions(counts.uncached_search_macs),
        _billions(counts.template_macs),
    ]


def _millions(number: int, decimals: int) -> str:
    return f"{number / 1e6:.{decimals}f}"


def _billions(number: int) -> str:
    return f"{number / 1e9:.2f}"
