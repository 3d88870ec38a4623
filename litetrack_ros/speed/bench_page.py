"""The bench's results as one HTML page."""

from typing import Any

from litetrack_ros.report.html_page import Section, Table, render
from litetrack_ros.speed.bench import Results
from litetrack_ros.speed.bench_way import LARGE_STEP, TARGETS

_STAGES = ("crop", "model", "decode")
_NONE = "None: see what was not measured."
_KEPT = ("template", "upload the image")


def page(found: Results) -> str:
    """The results as one HTML page."""
    rows = found.rows
    steps = [f"step {count}" for count in TARGETS]
    titles = [f"{count}: {p}" for count in TARGETS for p in ("median", "p95", "p99")]
    speed_rows = [
        [name, *(_cell(row, step, p) for step in steps for p in ("p50", "p95", "p99"))]
        for name, row in rows.items()
    ]
    parts = [LARGE_STEP, *_KEPT]
    for count in TARGETS:
        parts += [f"step {count}: {stage}" for stage in _STAGES]
        parts += [f"search {count}", f"crop here {count}", f"upload {count} crops"]
        parts += [f"upload the image and crop there {count}", f"download {count} answers"]
    part_rows = [
        [part, *(_pair(row, part) for row in rows.values())]
        for part in parts
        if any(part in row["times_ms"] for row in rows.values())
    ]
    names = list({name: None for row in rows.values() for name in row["ao"]})
    right = [
        [
            name,
            f"{row['teacher_forced']['mean']:.4f}",
            f"{row['teacher_forced']['least']:.4f}",
            f"{100 * row['state_differs']:.1f} %" if row["ao"] else "",
            *(_ao(row, one) for one in names),
        ]
        for name, row in rows.items()
    ]
    memory = [
        [
            name,
            row["provider"],
            row["device_name"],
            f"{row['load_and_warm_up_s']:.1f}",
            f"{row['peak_memory_mb']:.0f}",
            f"{row['graph_memory_mb']:.0f}",
            *(_number(row[key]) for key in ("device_memory_mb", "device_memory_grown_mb")),
            str(row["calls"]),
        ]
        for name, row in rows.items()
    ]
    about = [[key, str(value)] for key, value in {**found.machine, **found.settings}.items()]
    theirs = [
        [name, _pair(row, "search 1"), *(_ratio(one, row) for one in _large(rows).values())]
        for name, row in found.authors.items()
    ]
    said = [list(pair) for pair in found.faults.items()]
    said += [[key, f"{value:.0f}"] for key, value in found.training.items()]
    return render(
        "LiteTrack on this machine",
        [
            Section("Whole steps, ms, by number of targets", "640x480", table=Table(
                ["way", *titles], speed_rows)),
            Section("Parts, ms: median / p99", "Crop, model and decode are stages of the whole "
                    "step; the others are measured by themselves, each waited for.",
                    table=Table(["part", *rows], part_rows)),
            Section("The authors' network: search ms, and ours over it",
                    "" if theirs else _NONE, table=Table(
                ["theirs", "median / p99", *_large(rows)], theirs) if theirs else None),
            Section("The same boxes as the CPU in fp32?", "Overlap in the same crops, and mean "
                    "overlap with the truth in closed loop (in brackets less the CPU's).",
                    table=Table(["way", "mean", "least", "state differs", *names], right)),
            Section("Start and memory", table=Table(
                ["way", "provider", "device", "load and warm-up s", "process MB", "graphs MB",
                 "device MB", "grown MB", "over calls"], memory)),
            Section("Faults, and training", "" if said else _NONE,
                    table=Table([], said) if said else None),
            Section("Not measured here", "What, and why.", table=Table(
                [], [list(pair) for pair in found.absent.items()])),
            Section("The machine", table=Table([], about)),
        ],
    )  # fmt: skip


def _large(rows: dict[str, Any]) -> dict[str, Any]:
    """The rows of the size that is measured of the authors', too."""
    return {name: row for name, row in rows.items() if row["is_random"]}


def _ratio(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    times = (row["times_ms"]["search 1"]["p50"] for row in (ours, theirs))
    return f"{next(times) / next(times):.2f}"


def _cell(row: dict[str, Any], measure: str, percentile: str) -> str:
    return f"{row['times_ms'][measure][percentile]:.2f}"


def _pair(row: dict[str, Any], measure: str) -> str:
    if measure not in row["times_ms"]:
        return ""
    return f"{_cell(row, measure, 'p50')} / {_cell(row, measure, 'p99')}"


def _ao(row: dict[str, Any], name: str) -> str:
    if name not in row["ao"]:
        return ""
    ao = row["ao"][name]
    return f"{ao:.3f} ({ao - row['ao_reference'][name]:+.3f})"


def _number(value: float | None) -> str:
    return "none seen" if value is None else f"{value:.1f}"
