"""The paper's tables, and beside its rows those of one's own finished runs.

A cell of ours has a number only where the weights that gave it say which run made them; else it
says ``not run`` and the command. What of a run is not as its recipe says, such as fewer steps, is
starred and told below the table. Speeds name their machine and stand apart from the paper's.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from litetrack_ros.config import PROVENANCE_KEY
from litetrack_ros.datasets.benchmarks import BENCHMARKS, read_benchmark
from litetrack_ros.errors import ConfigError, DatasetError, WeightsError
from litetrack_ros.evaluation.comparison import compare_results
from litetrack_ros.evaluation.results import ABOUT_FILE
from litetrack_ros.manifest import file_sha256
from litetrack_ros.resources import config_path
from litetrack_ros.settings import read_yaml

SERVER_FILE = "server.json"  # a server's answer, or VOT's, beside the results it is of
NOT_RUN = "not run"
_WEIGHTS = ("best.safetensors", "latest.safetensors")
_VARIANTS = ("B9", "B8", "B6", "B4")
# The recipe of each row of ours, by the row's name in the table; in Tables II and III GOT-10k has
# another recipe than the rest.
RECIPES: dict[str, dict[str, str]] = {
    "table2": {f"LiteTrack-{v}": v.lower() for v in _VARIANTS},
    "table3": {f"LiteTrack-{v}": v.lower() for v in _VARIANTS},
    "table4": {
        "1 OSTrack (w/o CE)": "table4_row1",
        "2 strong baseline (1 + CAE pretrained)": "table4_row2",
        "3 2 + last 3 layers pruned": "table4_row3",
        "4 3 + asynchronous feature extraction": "b9_got10k",
    },
    "table5": {
        "6 FE + 2 AI": "table5_fe6_ai2",
        "5 FE + 3 AI": "b8_got10k",
        "0 FE + 8 AI": "table5_fe0_ai8",
        "4 FE + 2 AI": "table5_fe4_ai2",
        "3 FE + 3 AI": "b6_got10k",
        "3 FE + 1 AI": "table5_fe3_ai1",
        "2 FE + 2 AI": "b4_got10k",
    },
}
# Rows that begin with pretrained weights, which their record must name; no two with the same.
PRETRAINED = {"table4_row1": "MAE's", "table4_row2": "CAE's", "table4_row3": "CAE's"}
_COMPARED = ("model", "fe_layers", "ai_layers", "steps")


class PaperTable(NamedTuple):
    """A table of the paper.

    Attributes:
        about: its name and what it shows.
        columns: ``BENCHMARK:FIGURE``, ``fps:MACHINE`` or a plain name.
        rows: the cells by the rows' names, "-" where the paper has none.
        real_time: how many of the first rows are of real-time trackers, where the table parts them.
    """

    about: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]
    real_time: int

    def cell(self, row: str, column: str) -> float | None:
        """A number of the table, None where the paper has none."""
        text = self.rows[row][self.columns.index(column)]
        return None if text == "-" else float(text)


@dataclass(frozen=True)
class Finished:
    """What a person has run.

    Attributes:
        runs: folders of training runs, by their recipes' names.
        results: folders of result files, by recipe and benchmark.
        data: the benchmarks' folders.
    """

    runs: Mapping[str, Path] = field(default_factory=dict)
    results: Mapping[tuple[str, str], Path] = field(default_factory=dict)
    data: Mapping[str, Path] = field(default_factory=dict)


class Ours(NamedTuple):
    """A number of ours, or why there is none, and what must be said of it."""

    value: float | None
    note: str = ""


def paper_table(name: str) -> PaperTable:
    """A table of the paper, ``table1`` to ``table5``."""
    found = read_yaml(config_path("datasets/paper_results"))[name]
    rows = {str(row): tuple(str(cells).split()) for row, cells in found["rows"].items()}
    columns = tuple(str(found["columns"]).split())
    return PaperTable(found["about"], columns, rows, int(found.get("real_time", 0)))


def recipe_of(table: str, row: str, benchmark: str) -> str:
    """Name of the recipe in ``config/train/`` behind a row's figures on a benchmark."""
    name = RECIPES[table][row]
    if table in ("table2", "table3"):
        return f"{name}_got10k" if benchmark == "got10k_test" else f"{name}_all"
    return name


def our_cell(recipe: str, column: str, finished: Finished) -> Ours:
    """What a run of a recipe reached.

    Args:
        recipe: its name in ``config/train/``.
        column: ``BENCHMARK:FIGURE``.
        finished: what there is.

    Raises:
        DatasetError: results or a benchmark cannot be read, or do not fit.
        WeightsError: a run's weights cannot be read.
    """
    benchmark, _, figure = column.partition(":")
    run, results = finished.runs.get(recipe), finished.results.get((recipe, benchmark))
    if run is None:
        begin = PRETRAINED.get(recipe, "CAE's")
        command = f"litetrack train config/train/{recipe}.yaml --data DATA --out RUN"
        return Ours(None, f"{command} --init-from FILE ({begin} weights)")
    metadata = weights_of(run)
    record = json.loads(metadata[max(metadata)].get(PROVENANCE_KEY, "null")) if metadata else None
    if record is None:
        return Ours(None, f"{recipe}: the weights in {run.name} do not say what made them")
    fault = _pretraining_fault(recipe, record, finished)
    if fault:
        return Ours(None, f"{recipe}: {fault}")
    if results is None:
        return Ours(None, _evaluation_command(recipe, benchmark))
    sha256 = model_of(results)
    if sha256 not in metadata:
        return Ours(None, f"{recipe}: {results.name} is of other weights than the run's")
    value = _figure(benchmark, figure, results, finished.data)
    if value is None:
        return Ours(None, _evaluation_command(recipe, benchmark))
    return Ours(value, _departures(recipe, metadata[sha256]))


def _evaluation_command(recipe: str, benchmark: str) -> str:
    if benchmark == "vot2021":
        return f"vot evaluate with litetrack vot; its EAO into {SERVER_FILE} beside the results"
    made = f"litetrack evaluate DATA --benchmark {benchmark} --model RUN/best.safetensors --out OUT"
    if not BENCHMARKS[benchmark].convention:
        return f"{made}; litetrack submit {benchmark} ...; the answer into OUT/{SERVER_FILE}"
    return f"{made} ({recipe})"


def model_of(results: Path) -> str:
    """Hash of the model that made results; empty where they do not say."""
    try:
        about = json.loads((results / ABOUT_FILE).read_text(encoding="utf-8"))
        return str(about.get("model_sha256", ""))
    except (OSError, ValueError):
        return ""


def _figure(benchmark: str, figure: str, results: Path, data: Mapping[str, Path]) -> float | None:
    """A figure of results, per cent: a server's answer, or scored here."""
    answer = results / SERVER_FILE
    if answer.is_file():
        values = json.loads(answer.read_text(encoding="utf-8"))
        return float(values[figure]) if figure in values else None
    if benchmark not in data or not BENCHMARKS[benchmark].convention:
        return None
    columns, values = _scored(benchmark, data[benchmark], results)
    return values[columns.index(figure)]


@cache
def _scored(benchmark: str, data: Path, results: Path) -> tuple[tuple[str, ...], tuple[float, ...]]:
    found = compare_results(benchmark, read_benchmark(benchmark, data), {"ours": results})
    return found.columns, found.figures["ours"]


@cache
def weights_of(run: Path) -> dict[str, dict[str, str]]:
    """Metadata of a run's weights by their hash.

    Raises:
        WeightsError: there are none, or they cannot be read.
    """
    found = {}
    for name in _WEIGHTS:
        if (run / name).is_file():
            found[file_sha256(run / name)] = _metadata(run / name)
    if not found:
        raise WeightsError(f"{run} holds no weights of a run ({' or '.join(_WEIGHTS)})")
    return found


def _metadata(weights: Path) -> dict[str, str]:
    """A safetensors file's metadata, without what reads its tensors."""
    try:
        with weights.open("rb") as stream:
            header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        return dict(header.get("__metadata__", {}))
    except (OSError, ValueError, MemoryError) as error:
        raise WeightsError(f"cannot read the weights file {weights} ({error})") from error


def _pretraining_fault(recipe: str, record: Mapping[str, Any], finished: Finished) -> str:
    """Why a row of Table IV does not begin as the table says; empty where it does."""
    if recipe not in PRETRAINED:
        return ""
    initial = record.get("initial_sha256")
    if initial is None:
        return f"it began without {PRETRAINED[recipe]} weights (--init-from)"
    for other, run in finished.runs.items():
        if PRETRAINED.get(other, PRETRAINED[recipe]) == PRETRAINED[recipe]:
            continue
        records = (json.loads(m.get(PROVENANCE_KEY, "{}")) for m in weights_of(run).values())
        if initial in {one.get("initial_sha256") for one in records}:
            return f"it began with the same weights as {other}, not with {PRETRAINED[recipe]}"
    return ""


def _departures(recipe: str, metadata: Mapping[str, str]) -> str:
    """In what a run is not as its recipe says; empty where it is."""
    made = json.loads(metadata.get("recipe", "{}"))
    wanted = _planned(f"train/{recipe}")
    parts = []
    for key in _COMPARED:
        if key in wanted and made.get(key) != wanted[key]:
            parts.append(f"{key} {made.get(key)}, by the recipe {wanted[key]}")
    sets = [(one.get("sampling") or {}).get("train") for one in (made, wanted)]
    if sets[0] != sets[1]:
        parts.append(f"trained on {sets[0] or 'synthetic pairs'}, not {sets[1]}")
    planned, done = made.get("steps"), metadata.get("steps", "")
    if str(planned) != done:
        parts.append(f"{done} of {planned} steps")
    return f"{recipe}: {', '.join(parts)}" if parts else ""


def _planned(name: str) -> dict[str, Any]:
    """A shipped recipe's values, with those of the recipes below it."""
    values = read_yaml(config_path(name))
    base = values.pop("base", None)
    merged = {**(_planned(f"train/{Path(base).stem}") if base else {}), **values}
    if "epochs" in merged and "epoch_pairs" in merged:
        per_epoch = merged["epoch_pairs"] // merged["batch_size"]
        merged["steps"] = merged["epochs"] * per_epoch
    return merged


def table_rows(name: str, finished: Finished) -> tuple[list[str], list[list[str]], list[str]]:
    """A table with the paper's rows and ours: titles, rows, and notes below it.

    Args:
        name: ``table2`` to ``table5``.
        finished: what there is of ours.

    Raises:
        DatasetError, WeightsError: as :func:`our_cell`.
    """
    table = paper_table(name)
    rows: list[list[str]] = []
    notes: list[str] = []
    for row, cells in table.rows.items():
        rows.append([row, *cells])
        if row not in RECIPES.get(name, {}):
            continue
        ours = []
        for column in table.columns:
            benchmark = column.partition(":")[0]
            if benchmark == "fps":
                ours.append("see below")
                continue
            found = our_cell(recipe_of(name, row, benchmark), column, finished)
            digits = 3 if column.endswith(":EAO") else 1
            text = NOT_RUN if found.value is None else f"{found.value:.{digits}f}"
            if found.note and found.note not in notes:
                notes.append(found.note)
            ours.append(text + (f" [{notes.index(found.note) + 1}]" if found.note else ""))
        rows.append([f"{row}, ours", *ours])
    return ["", *table.columns], rows, [f"[{k}] {note}" for k, note in enumerate(notes, start=1)]


def speed_rows(files: Sequence[Path]) -> tuple[list[str], list[list[str]]]:
    """Measured speeds, each with its machine: no row of the paper's machines stands among them.

    Args:
        files: of ``litetrack model speed --json``.

    Raises:
        ConfigError: a file is not of that kind.
    """
    rows = []
    for path in files:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            machine = str(found["machine"]["gpu"] or found["machine"]["cpu"])
            for subject in found["subjects"]:
                name = " ".join(str(subject[key]) for key in ("model", "backend", "precision"))
                step_ms = subject["measures_ms"]["step 1"]["p50"]
                rows.append([name, machine, f"{1000 / step_ms:.1f}"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path} is not of litetrack model speed --json: {error}") from error
    return ["measured here", "machine", "fps"], rows


def check_row(table_recipe: str) -> str:
    """A recipe's name as the tables use it.

    Raises:
        DatasetError: no table has it.
    """
    known = {
        recipe_of(table, row, benchmark)
        for table, rows in RECIPES.items()
        for row in rows
        for benchmark in ("got10k_test", "lasot")
    }
    if table_recipe not in known:
        raise DatasetError(f"no table has the recipe '{table_recipe}': {', '.join(sorted(known))}")
    return table_recipe
