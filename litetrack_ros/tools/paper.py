"""``litetrack paper``: a table or figure of the paper, with one's own finished runs beside it."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from litetrack_ros.config import PROVENANCE_KEY, variant
from litetrack_ros.datasets.benchmarks import BENCHMARKS, read_benchmark
from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.dependencies import require
from litetrack_ros.errors import ConfigError
from litetrack_ros.evaluation.paper_tables import (
    Finished,
    check_row,
    model_of,
    our_cell,
    paper_table,
    recipe_of,
    speed_rows,
    table_rows,
    weights_of,
)
from litetrack_ros.evaluation.results import read_run
from litetrack_ros.files import make_folder, write_text
from litetrack_ros.images import Uint8Image, to_bgr8
from litetrack_ros.media import drawing
from litetrack_ros.media.writers import write_image
from litetrack_ros.opencv import cv2
from litetrack_ros.report.plots import Point, write_lines, write_points
from litetrack_ros.report.tables import format_table, write_tables
from litetrack_ros.tools.arguments import add_model_argument

TABLES = ("table1", "table2", "table3", "table4", "table5")
FIGURES = ("figure1", "figure3", "figure6", "figure7")
_LAYERS = 12  # of the encoder before pruning
_FIGURE_3_LAYERS = (2, 6, 8)
# Figure 7's colours: ours blue, HCAT yellow, E.T.Track red; what comes after them has any.
_FIGURE_7_BGR = ((255, 120, 0), (0, 220, 220), (40, 40, 230), (200, 80, 200), (200, 200, 0))
_FRAMES, _WIDTH_PX = 4, 360


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    what: str
    run: tuple[str, ...]
    results: tuple[str, ...]
    data: tuple[str, ...]
    speed: tuple[Path, ...]
    src: str | None
    frame: int
    model: str
    sequences: tuple[str, ...]
    out: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument("what", choices=[*TABLES, *FIGURES], help="which of the paper's")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="write it here")
    parser.add_argument(
        "--run",
        nargs="+",
        default=[],
        metavar="RECIPE=DIR",
        help="finished training runs by their recipes in config/train/, such as b9_got10k=runs/b9",
    )
    parser.add_argument(
        "--results",
        nargs="+",
        default=[],
        metavar="RECIPE:BENCHMARK=DIR",
        help="what `evaluate --out` wrote with a run's weights; figure7: NAME=DIR, ours first",
    )
    parser.add_argument(
        "--data", nargs="+", default=[], metavar="BENCHMARK=DIR", help="the benchmarks' folders"
    )
    parser.add_argument(
        "--speed",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="of `model speed --json`, set apart from the paper's machines",
    )
    parser.add_argument("--src", help="figure3: a sequence, a video or a folder of images")
    parser.add_argument("--frame", type=int, default=10, help="figure3: which frame (%(default)s)")
    add_model_argument(parser)
    parser.add_argument(
        "--sequences", nargs="+", default=[], metavar="NAME", help="figure7: of UAV123 (the first)"
    )


def run(request: Request) -> int:
    """Write the table or figure, and print what it says."""
    make_folder(request.out)
    path = request.out / request.what
    if request.what == "figure3":
        return _figure_3(request, path.with_suffix(".png"))
    if request.what == "figure7":
        return _figure_7(request, path.with_suffix(".png"))
    finished = _finished(request)
    if request.what in TABLES:
        written = _table(request, finished, path)
    elif request.what == "figure1":
        written = _figure_1(path)
    else:
        written = _figure_6(finished, path)
    print(*written, sep="\n")
    return 0


def _finished(request: Request) -> Finished:
    runs = {check_row(name): Path(place) for name, place in map(_named, request.run)}
    results = {}
    for key, place in map(_named, request.results):
        recipe, colon, benchmark = key.partition(":")
        if not colon:
            raise ConfigError(f"--results takes RECIPE:BENCHMARK=DIR, not '{key}={place}'")
        results[check_row(recipe), benchmark] = Path(place)
    data = {name: Path(place) for name, place in map(_named, request.data)}
    for name in data:
        if name not in BENCHMARKS:
            raise ConfigError(f"there is no benchmark '{name}': {', '.join(BENCHMARKS)}")
    return Finished(runs, results, data)


def _named(text: str) -> tuple[str, str]:
    name, equals, place = text.partition("=")
    if not equals or not name or not place:
        raise ConfigError(f"'{text}' is not of the form NAME=DIR")
    return name, place


def _table(request: Request, finished: Finished, path: Path) -> list[Path]:
    """Print and write a table, and the measured speeds apart from it."""
    print(paper_table(request.what).about)
    if request.what == "table1":
        header, rows, notes = _table_1()
    else:
        header, rows, notes = table_rows(request.what, finished)
    text = "\n".join([format_table(header, rows), *notes])
    print(text)
    written = write_tables(path, header, rows)
    write_text(path.with_suffix(".txt"), f"{paper_table(request.what).about}\n\n{text}\n")
    written.append(path.with_suffix(".txt"))
    if request.speed:
        speeds = speed_rows(request.speed)
        print("\nmeasured on other machines than the paper's, so not to be set beside them:")
        print(format_table(*speeds))
        written += write_tables(path.with_name(f"{path.name}_speed"), *speeds)
    return written


def _table_1() -> tuple[list[str], list[list[str]], list[str]]:
    """Table I beside what this package's variants count."""
    require("torch")
    from litetrack_ros.model.complexity import DEPARTURES, count_as_table_one

    table = paper_table("table1")
    rows = []
    for name, cells in table.rows.items():
        rows.append([name, *cells])
        config = variant(name.removeprefix("LiteTrack-").lower())
        parameters, macs = count_as_table_one(config)
        ours = {
            "FE": str(config.fe_layers),
            "AI": str(config.ai_layers),
            "MACs": f"{macs / 1e9:.2f}",
            "Params": f"{parameters / 1e6:.2f}",
        }
        rows.append([f"{name}, ours", *(ours.get(column, "-") for column in table.columns)])
    notes = [f"{name}: {what}" for name, what in DEPARTURES.items()]
    return ["", *table.columns], rows, ["ours: counted as the paper's tool counts", *notes]


def _figure_1(path: Path) -> list[Path]:
    """The paper's trackers: AO on GOT-10k over frames a second on an RTX 2080 Ti."""
    table = paper_table("table2")
    points = {}
    for number, name in enumerate(table.rows):
        ao, fps = (table.cell(name, column) for column in ("got10k_test:AO", "fps:2080Ti"))
        if ao is not None and fps is not None:
            group = "not real-time" if number >= table.real_time else "real-time on the Orin NX"
            points[name] = Point(fps, ao, "LiteTrack" if name.startswith("LiteT") else group)
    note = (
        "The paper's figures. None of ours: speeds of another machine have no place on this axis "
        "(litetrack paper table2 --speed)."
    )
    return write_points(path, points, "frames a second, RTX 2080 Ti", "AO on GOT-10k, %", note)


def _figure_6(finished: Finished, path: Path) -> list[Path]:
    """AO over the number of pruned layers: the paper's rows, and ours that were trained."""
    ao = "got10k_test:AO"
    two, four = paper_table("table2"), paper_table("table4")
    kept = {f"LiteTrack-B{layers}": layers for layers in (9, 8, 6, 4)}
    joint = {name: _LAYERS - 3 * k for k, name in enumerate(list(four.rows)[1:3])}
    lines, missing = {}, []
    for label, table_name, table, rows in (
        ("asynchronous", "table2", two, kept),
        ("joint (OSTrack with CAE's weights)", "table4", four, joint),
    ):
        theirs = [(_LAYERS - layers, table.cell(name, ao)) for name, layers in rows.items()]
        lines[f"{label}, paper"] = _line([(x, y) for x, y in theirs if y is not None])
        ours, departs = [], ""
        for name, layers in rows.items():
            found = our_cell(recipe_of(table_name, name, "got10k_test"), ao, finished)
            if found.value is None:
                missing.append(recipe_of(table_name, name, "got10k_test"))
                print(f"{name}: not run: {found.note}")
            else:
                ours.append((_LAYERS - layers, found.value))
                if found.note:
                    print(f"{name}: {found.note}")
                    departs = " (not as the recipe says)"
        if ours:
            lines[f"{label}, ours{departs}"] = _line(ours)
    note = f"Ours, each row trained; not run: {', '.join(missing)}" if missing else ""
    x_label = f"layers pruned of {_LAYERS}"
    return write_lines(path, lines, x_label, "AO on GOT-10k, %", marked=True, note=note)


def _line(points: Sequence[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    xy = np.array(sorted(points), dtype=np.float64)
    return xy[:, 0], xy[:, 1]


def _figure_3(request: Request, path: Path) -> int:
    """Attention of layers 2, 6 and 8, with what the weights are written into the picture."""
    require("torch")
    require("safetensors")
    from litetrack_ros.backends.registry import find_model
    from litetrack_ros.model.checkpoint import load_weights
    from litetrack_ros.tools.model import attention

    if request.src is None:
        raise ConfigError("figure3 needs --src with a sequence")
    weights = load_weights(find_model(request.model))
    known = range(1, weights.model_config.depth + 1)
    layers = tuple(layer for layer in _FIGURE_3_LAYERS if layer in known)
    drawn = attention.Request(request.src, request.model, None, request.frame, layers or None, path)
    attention.run(drawn)
    stamp(path, weight_mark(weights.metadata, weights.model_config.name))
    left_out = [str(layer) for layer in _FIGURE_3_LAYERS if layer not in known]
    if left_out:
        print(f"not drawn: {', '.join(left_out)}: this model has {len(known)} layers")
    print(path)
    return 0


def weight_mark(metadata: dict[str, str], name: str) -> str:
    """What a reader of a picture must know of the weights behind it."""
    if "pruned_from" in metadata:
        return f"{name}: pruned and not trained again"
    if PROVENANCE_KEY in metadata:
        return f"{name}: trained, {metadata.get('steps', '?')} steps"
    if "recipe" in metadata:
        return f"{name}: trained, without a record of what made it"
    return f"{name}: nothing says that these weights were trained"


def stamp(path: Path, text: str) -> None:
    """Write a line below a picture."""
    image = np.asarray(cv2.imread(str(path)), dtype=np.uint8)
    line = np.full((36, image.shape[1], 3), 255, np.uint8)
    cv2.putText(line, text, (8, 25), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 1, cv2.LINE_AA)
    write_image(path, np.concatenate([image, line]))


def _figure_7(request: Request, path: Path) -> int:
    """Boxes of ours and of others on frames of UAV123."""
    named = [(name, Path(place)) for name, place in map(_named, request.results)]
    data = dict(map(_named, request.data))
    if not named or "uav123" not in data:
        raise ConfigError(
            "figure7 needs --data uav123=DIR and --results NAME=DIR ..., ours first: not run: "
            "litetrack evaluate DIR --benchmark uav123 --model RUN/best.safetensors --out OUT"
        )
    found = {one.name: one for one in read_benchmark("uav123", Path(data["uav123"]))}
    chosen = request.sequences or tuple(found)[:1]
    for name in chosen:
        if name not in found:
            raise ConfigError(f"UAV123 has no sequence '{name}' in {data['uav123']}")
    panels = [panel for name in chosen for panel in _panels(found[name], named)]
    write_image(path, drawing.tile(panels, _FRAMES))
    stamp(path, f"green: ground truth. {_mark_of(*named[0], request.run)}")
    print(path)
    return 0


def _mark_of(name: str, results: Path, runs: Sequence[str]) -> str:
    """What a reader must know of the weights behind results: of a given run, or of none."""
    sha256 = model_of(results)
    for recipe, place in map(_named, runs):
        metadata = weights_of(Path(place)).get(sha256)
        if metadata is not None:
            return f"{name}: {weight_mark(metadata, recipe)}"
    return f"{name}: no record of a training (--run RECIPE=DIR) with weights {sha256[:8] or '?'}"


def _panels(sequence: AnnotatedSequence, named: list[tuple[str, Path]]) -> list[Uint8Image]:
    """Some frames of a sequence with everybody's boxes, as wide as each other."""
    boxes = {name: read_run(folder, sequence.name).boxes_xywh for name, folder in named}
    wanted = set(np.linspace(0, len(sequence) - 1, _FRAMES + 1).round().astype(int)[1:].tolist())
    panels = []
    for number, frame in enumerate(sequence.frames()):
        if number not in wanted:
            continue
        image = to_bgr8(frame.image).copy()
        drawing.draw_box(image, sequence.boxes_xywh[number], drawing.GREEN)
        for k, name in enumerate(boxes):
            color = _FIGURE_7_BGR[k % len(_FIGURE_7_BGR)]
            drawing.draw_box(image, boxes[name][number], color)
        entries = [
            drawing.LegendEntry(name, _FIGURE_7_BGR[k % len(_FIGURE_7_BGR)])
            for k, name in enumerate(boxes)
        ]
        drawing.draw_legend(image, entries)
        height = round(_WIDTH_PX * image.shape[0] / image.shape[1])
        small = cv2.resize(image, (_WIDTH_PX, height), interpolation=cv2.INTER_AREA)
        panels.append(np.asarray(small, dtype=np.uint8))
    return panels
