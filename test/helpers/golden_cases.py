"""The golden cases: commands of ``litetrack``, and what is read of what they leave.

Commands stand in :data:`CASES` alone: whoever renames a verb or an option edits them there. Words
in braces are places: those of :func:`golden_inputs.write_inputs`, ``{model}`` (a small trained
weights file, with its ONNX files beside it), ``{checkpoint}`` (one of the authors'), and ``{out}``,
a folder of the case's own. It is the current folder too, and holds nothing but ``recipe.yaml``
and ``model.yaml``, a small training's.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """Commands, run one after the other in an empty folder, and what is kept of them.

    Attributes:
        commands: without the program's name.
        outputs: a name for each figure or file, and how it is read (a function of
            ``golden_values``) and where: ``"json report.json"``.
        statuses: exit statuses allowed, of every command.
        marks: of pytest.
        tracker: a tracker of OpenCV's that it needs.
    """

    commands: tuple[str, ...]
    outputs: dict[str, str]
    statuses: tuple[int, ...] = (0,)
    marks: tuple[str, ...] = ()
    tracker: str = ""


_MODEL = "--model {model} --backend torch"
_ONNX = "--model {model} --backend onnx"
_SHIPPED = "--model litetrack_nano --backend torch"


def _compare(name: str) -> Case:
    trackers = f"near={{{name}_near}} far={{{name}_far}}"
    return Case(
        (
            f"compare {name} {{bench_{name}}} {trackers} --json {{out}}/c.json "
            "--html {out}/c.html",
        ),
        {"figures": "json c.json"},
    )


CASES: dict[str, Case] = {
    "track": Case(
        (
            f"track {{target}} {_SHIPPED} --save-txt {{out}}/boxes.txt --save {{out}}/o.mp4",
            f"track {{target}}/frames {_MODEL} --init-box 43 58 40 36 --save-txt {{out}}/other.txt",
        ),
        {"boxes": "rows boxes.txt", "other_boxes": "rows other.txt", "video": "video o.mp4"},
    ),
    "track_onnx": Case(
        (f"track {{target}} {_ONNX} --save-txt {{out}}/boxes.txt",), {"boxes": "rows boxes.txt"}
    ),
    "evaluate": Case(
        (
            f"evaluate {{sequences}} {_MODEL} --perturbed 3 --out {{out}}/boxes "
            "--json {out}/r.json",
        ),
        {
            "figures": "json r.json",
            "target": "rows boxes/target.txt",
            "leaving": "rows boxes/leaving.txt",
        },
    ),
    "evaluate_shipped": Case(
        (
            f"evaluate {{target}} {{leaving}} {_SHIPPED} --perturbed 2 --out {{out}}/boxes "
            "--json {out}/r.json",
        ),
        {"figures": "json r.json", "leaving": "rows boxes/leaving.txt"},
    ),
    "evaluate_kcf": Case(
        ("evaluate {target} --tracker kcf --out {out}/boxes --json {out}/r.json",),
        {"figures": "json r.json", "boxes": "rows boxes/target.txt"},
        tracker="kcf",
    ),
    "ope": Case(
        (f"evaluate {{bench_got10k_val}} --benchmark got10k_val --out {{out}}/results {_MODEL}",),
        {
            "files": "names results",
            "one": "rows results/GOT-10k_Val_000001.txt",
            "two": "rows results/GOT-10k_Val_000002.txt",
        },
    ),
    "ope_leaving": Case(
        (
            f"evaluate {{sequences}} --benchmark folder --out {{out}}/results {_ONNX}",
            "compare folder {sequences} ours={out}/results --json {out}/c.json",
        ),
        {"boxes": "rows results/leaving.txt", "figures": "json c.json"},
    ),
    "ope_kcf": Case(
        ("evaluate {bench_lasot} --benchmark lasot --out {out}/results --tracker kcf",),
        {"boxes": "rows results/airplane-1.txt"},
        tracker="kcf",
    ),
    **{f"compare_{name}": _compare(name) for name in ("got10k_val", "lasot", "otb100", "uav123")},
    **{f"compare_{name}": _compare(name) for name in ("nfs", "folder")},
    "submit": Case(
        (
            "submit got10k_val {bench_got10k_val} {got10k_val_near} {out}/got10k.zip",
            "submit trackingnet {bench_trackingnet} {results_trackingnet} {out}/trackingnet.zip",
        ),
        {"got10k": "archive got10k.zip", "trackingnet": "archive trackingnet.zip"},
    ),
    "models": Case(("model list --json {out}/m.json",), {"figures": "json m.json"}),
    "convert": Case(
        ("model convert {checkpoint} --variant b4 -o {out}/b4.safetensors",),
        {"weights": "weights b4.safetensors"},
    ),
    "export": Case(
        (
            "model export {model} -o {out}/fp32 --check {target} --json {out}/check.json",
            "model export {model} -o {out}/fp16 --precision fp16 --max-targets 1 --opset 18",
            "model export {model} -o {out}/int8 --precision int8 --calibrate {target}",
        ),
        {
            "check": "json check.json",
            "fp32": "graphs fp32/golden",
            "fp16": "graphs fp16/golden.fp16",
            "int8": "graphs int8/golden.int8",
        },
    ),
    "prune": Case(
        (
            "model prune --model {model} --fe 0 --ai 1 --out {out}/p.safetensors",
            "model prune --model {model} --report splits --data {target} --json {out}/s.json",
            "model prune --model {model} --report layers --data {target} --json {out}/l.json",
        ),
        {"weights": "weights p.safetensors", "splits": "json s.json", "layers": "json l.json"},
    ),
    "tune": Case(
        (
            "model tune {model} {sequences} --window-power 1 0.5 --size-smoothing 1 0.3 "
            "-o {out}/t.safetensors",
        ),
        {"weights": "weights t.safetensors"},
    ),
    "attention": Case(
        ("model attention {target} --model {model} --frame 6 -o {out}/a.png",),
        {"picture": "picture a.png"},
    ),
    "draw": Case(
        (
            f"track {{target}} {_ONNX} --save-txt {{out}}/b.txt",
            "draw {target} --boxes ours={out}/b.txt --groundtruth -o {out}/together.mp4",
            "draw {target} --boxes a={out}/b.txt b={out}/b.txt --side-by-side -o {out}/beside.mp4",
        ),
        {"together": "video together.mp4", "beside": "video beside.mp4"},
    ),
    "data": Case(
        (
            "data check {bench_got10k_train} --json {out}/g.json",
            "data check {bench_lasot} --set lasot_test --json {out}/l.json",
        ),
        {"got10k": "json g.json", "lasot": "json l.json"},
        statuses=(0, 1),
    ),
    "synth": Case(
        ("data pairs --data {pictures} --split all --seed 2 --first 3 --count 8 -o {out}/s.png",),
        {"picture": "picture s.png"},
    ),
    "objects": Case(("data objects --data {discs} -o {out}/masks",), {"masks": "pictures masks"}),
    "clips": Case(
        ("data clips {street} --height 180 --longest 9 -o {out}/clips",),
        {"clips": "pictures clips"},
    ),
    "label": Case(
        (
            "data label {target}/frames --init-box 40 60 46 34 --height 120 -o {out}/clip "
            f"{_SHIPPED}",
        ),
        {"clip": "pictures clip"},
    ),
    "dev_set": Case(
        ("data dev-set --data {pictures} --made 2 --seed 3 -o {out}/dev",),
        {
            "pictures": "pictures dev",
            "boxes": "rows dev/made_00_plain/groundtruth.txt",
            "clip_boxes": "rows dev/davis_goat/groundtruth.txt",
        },
    ),
    "train": Case(
        ("train recipe.yaml --data {pictures} --out {out}/run --workers 0",),
        {
            "training": "table run/training.csv",
            "validation": "table run/validation.csv",
            "weights": "weights run/latest.safetensors",
            "files": "names run",
        },
    ),
    "record": Case(
        (
            "bag record {target} -o {out}/bag --fps 10",
            "bag record {target} -o {out}/lite --storage sqlite3",
        ),
        {"bag": "bag bag", "lite": "bag lite"},
    ),
    "bag": Case(
        (
            "bag record {target} -o {out}/bag --fps 10",
            f"bag replay {{out}}/bag {_SHIPPED} --mode lockstep --save-txt {{out}}/boxes.txt "
            "--report {out}/report --write-boxes {out}/copy",
        ),
        {
            "boxes": "rows boxes.txt",
            "figures": "json report/report.json",
            "frames": "table report/frames.csv",
            "copy": "bag copy",
            "files": "names report",
        },
        marks=("ros",),
    ),
    "demo": Case(
        (f"demo --no-ros {_SHIPPED} --frames 25 -o {{out}}/d.mp4 --json {{out}}/d.json",),
        {"figures": "json d.json"},
    ),
    "doctor": Case(
        ("doctor --model {model} --json {out}/d.json",), {"names": "keys d.json"}, statuses=(0, 1)
    ),
    "benchmark": Case(
        (
            "model speed --model {model} --targets 1 2 --rounds 1 --size 160x120 "
            "--json {out}/b.json",
        ),
        {"names": "keys b.json"},
    ),
    "node_benchmark": Case(
        (f"node overhead {_MODEL} --images 20 --size 160x120 --json {{out}}/n.json",),
        {"names": "keys n.json"},
        marks=("ros", "slow"),
    ),
}
