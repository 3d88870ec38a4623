"""``litetrack model export``: a weights file as ONNX files, checked against PyTorch."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litetrack_ros.backends.onnx_files import OnnxPaths, model_name
from litetrack_ros.backends.registry import find_model
from litetrack_ros.datasets.sequences import AnnotatedSequence, find_sequences
from litetrack_ros.dependencies import require
from litetrack_ros.export.crops import crop_pairs
from litetrack_ros.report.tables import format_table, write_json
from litetrack_ros.tools.arguments import add_json_argument

if TYPE_CHECKING:
    from litetrack_ros.backends.onnx_backend import OnnxBackend
    from litetrack_ros.backends.torch_backend import TorchBackend
    from litetrack_ros.export.parity import Differences
    from litetrack_ros.model.checkpoint import LoadedWeights

EXIT_OUT_OF_LIMITS = 1
_CALIBRATION_CROPS = 8  # a sequence
# Precision -> figure of the check -> (limit, whether the figure must be at least that).
_LIMITS = {
    "fp32": {
        "score_map_max": (1e-4, False),
        "size_map_max": (1e-4, False),
        "offset_map_max": (1e-4, False),
        "box_px_max": (0.05, False),
    },
    "fp16": {"overlap_mean": (0.99, True), "box_px_p99": (0.5, False)},
    "int8": {"overlap_mean": (0.97, True)},
}


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    weights: str
    output: Path | None
    precision: str
    opset: int | None
    max_targets: int | None
    calibrate: tuple[Path, ...]
    check: tuple[Path, ...] | None
    crops: int
    json: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument("weights", metavar="WEIGHTS", help="a weights file or a model's name")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="where to (beside the weights)"
    )
    parser.add_argument(
        "--precision",
        choices=tuple(_LIMITS),
        default="fp32",
        help="fp16 for GPUs, int8 for CPUs (%(default)s)",
    )
    parser.add_argument("--opset", type=int, metavar="N", help="of ONNX's operators (17)")
    parser.add_argument(
        "--max-targets",
        type=int,
        metavar="N",
        help="largest number of targets in one call; 1 fixes all shapes (8)",
    )
    parser.add_argument(
        "--calibrate",
        nargs="+",
        type=Path,
        metavar="DIR",
        default=[],
        help="for int8: annotated sequences to find the scales on",
    )
    parser.add_argument(
        "--check",
        nargs="+",
        type=Path,
        metavar="DIR",
        help="compare with PyTorch on crops of annotated sequences, and in reduced precision "
        "track them too; exit status 1 where a limit is passed",
    )
    parser.add_argument(
        "--crops", type=int, default=8, metavar="N", help="crops a sequence to check (%(default)s)"
    )
    add_json_argument(parser)


def run(request: Request) -> int:
    """Export, list the files, check them if asked to."""
    for package in ("torch", "safetensors", "onnx", "onnxruntime"):
        require(package)
    from litetrack_ros.export.onnx_export import DEFAULT_MAX_TARGETS, DEFAULT_OPSET, export_onnx
    from litetrack_ros.model.checkpoint import load_weights

    path = find_model(request.weights)
    # Read before the export starts: a wrong folder should not cost minutes.
    sequences = find_sequences(request.check) if request.check else []
    weights = load_weights(path)
    calibration = (
        crop_pairs(find_sequences(request.calibrate), weights.model_config, _CALIBRATION_CROPS)
        if request.calibrate
        else []
    )
    paths = export_onnx(
        weights,
        path.parent if request.output is None else request.output,
        model_name(path),
        request.precision,
        DEFAULT_OPSET if request.opset is None else request.opset,
        DEFAULT_MAX_TARGETS if request.max_targets is None else request.max_targets,
        calibration,
    )
    for file in (paths.template, paths.search, paths.weights):
        print(f"{file}  {file.stat().st_size / 1e6:.2f} MB")
    return _check(request, weights, paths, sequences) if sequences else 0


def _check(
    request: Request,
    weights: LoadedWeights,
    paths: OnnxPaths,
    sequences: list[AnnotatedSequence],
) -> int:
    from litetrack_ros.backends.onnx_backend import OnnxBackend
    from litetrack_ros.backends.torch_backend import TorchBackend
    from litetrack_ros.export.parity import compare

    reference, backend = TorchBackend(weights), OnnxBackend(paths)
    pairs = crop_pairs(sequences, weights.model_config, request.crops)
    differences = compare(reference, backend, paths, pairs)
    limits = _LIMITS[request.precision]
    rows, passed = _judge(differences, limits)
    print(f"\n{request.precision} against PyTorch in fp32, provider {backend.info.provider}:")
    print(format_table(("figure", "value", "limit", ""), rows))
    figures: dict[str, Any] = {"precision": request.precision, "check": differences.figures()}
    if request.precision != "fp32":
        figures["closed_loop"] = _closed_loop(reference, backend, sequences)
    write_json(request.json, figures)
    return 0 if passed else EXIT_OUT_OF_LIMITS


def _judge(
    differences: Differences, limits: dict[str, tuple[float, bool]]
) -> tuple[list[list[str]], bool]:
    rows, passed = [], True
    for name, value in differences.figures().items():
        limit, verdict = "", ""
        if name in limits:
            bound, at_least = limits[name]
            limit = f"{'>=' if at_least else '<='} {bound:g}"
            kept = value >= bound if at_least else value <= bound
            passed &= kept
            verdict = "ok" if kept else "FAILED"
        rows.append([name, f"{value:.6g}", limit, verdict])
    return rows, passed


def _closed_loop(
    reference: TorchBackend, backend: OnnxBackend, sequences: list[AnnotatedSequence]
) -> dict[str, Any]:
    """Print and return AO in fp32 and in the reduced precision."""
    from litetrack_ros.evaluation.comparison import compare as compare_runs
    from litetrack_ros.evaluation.conventions import PLAIN
    from litetrack_ros.evaluation.executors import InPlace
    from litetrack_ros.evaluation.runner import plan, run_all
    from litetrack_ros.tracker.tracker import Tracker

    reduced = backend.info.precision
    runs = {
        reduced: run_all(plan(sequences), InPlace(lambda: Tracker(backend))),
        "fp32": run_all(plan(sequences), InPlace(lambda: Tracker(reference))),
    }
    comparison = compare_runs("check", PLAIN, sequences, runs)
    ao = {name: scores.figures[:, 0].tolist() for name, scores in comparison.scores.items()}
    rows = [
        [sequence.name, f"{full:.3f}", f"{less:.3f}", f"{less - full:+.3f}"]
        for sequence, full, less in zip(sequences, ao["fp32"], ao[reduced], strict=True)
    ]
    print(f"\nclosed loop, AO, convention {comparison.convention}:")
    print(format_table(("sequence", "fp32", reduced, "difference"), rows))
    [(_, _, difference)] = comparison.differences()
    mean, low, high = (value / 100 for value in difference[:3])  # a comparison's are per cent
    interval = [low, high] if difference.sequences > 1 else None
    shown = f"95 % interval {low:+.4f} to {high:+.4f}" if interval else "no interval from one"
    print(f"mean difference {mean:+.4f}, {shown}")
    return {
        "convention": comparison.convention,
        "sequences": [sequence.name for sequence in sequences],
        "ao_fp32": ao["fp32"],
        "ao": ao[reduced],
        "mean_difference": mean,
        "interval_95": interval,
    }
