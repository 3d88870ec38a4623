"""``litetrack prune``: a trained model with fewer layers, or a table of all such models."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litetrack_ros.tools.arguments import Progress, add_model_argument
from litetrack_ros.tools.tables import add_json_argument, format_table, write_json

if TYPE_CHECKING:
    from litetrack_ros.model.litetrack import LiteTrack

HELP = "keep a trained model's first layers, or report overlap and speed of all ways to do so"
FORMS = {"layers": "one layer less at a time (Fig. 6)", "splits": "all FE/AI splits (Table V)"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_model_argument(parser)
    parser.add_argument("--fe", type=int, metavar="N", help="FE layers to keep")
    parser.add_argument("--ai", type=int, metavar="N", help="AI layers to keep")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write that model here")
    parser.add_argument(
        "--report",
        choices=list(FORMS),
        help="; ".join(f"{name}: {what}" for name, what in FORMS.items())
        + "; the models are not trained again",
    )
    parser.add_argument(
        "--data", type=Path, nargs="+", metavar="DIR", help="sequences for the report"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Write one pruned model, or print the table."""
    from litetrack_ros.backends.registry import find_model
    from litetrack_ros.errors import ConfigError
    from litetrack_ros.model.checkpoint import load_weights, save_weights
    from litetrack_ros.training.pruning import prune

    loaded = load_weights(find_model(args.model))
    if args.report:
        if not args.data:
            raise ConfigError("--report needs --data with sequences to track")
        rows = [_measure(form, loaded, args) for form in _forms(loaded.model, args.report)]
        shown = [
            [
                r["model"],
                str(r["fe"]),
                str(r["ai"]),
                f"{r['ao']:.3f}",
                f"{r['sr50']:.3f}",
                f"{r['fps']:.1f}",
            ]
            for r in rows
        ]
        print(format_table(("model", "FE", "AI", "AO", "SR50", "fps"), shown))
        write_json(args.json, {"model_sha256": loaded.sha256, "rows": rows})
        return 0
    if args.fe is None or args.ai is None or args.out is None:
        raise ConfigError("give --fe, --ai and --out for a pruned model, or --report for a table")
    pruned = prune(loaded.model, args.fe, args.ai)
    save_weights(args.out, pruned, loaded.tracker_config, {"pruned_from": loaded.sha256})
    print(f"{args.out}: {pruned.config.name}")
    return 0


def _forms(model: LiteTrack, report: str) -> Iterator[LiteTrack]:
    from litetrack_ros.training.pruning import pruned_forms, split_forms

    return pruned_forms(model) if report == "layers" else split_forms(model)


def _measure(model: LiteTrack, loaded: Any, args: argparse.Namespace) -> dict[str, Any]:
    """Overlap and speed of a model over the sequences."""
    import dataclasses

    from litetrack_ros.backends.torch_backend import TorchBackend
    from litetrack_ros.datasets.sequences import find_sequences
    from litetrack_ros.evaluation.report import Report
    from litetrack_ros.evaluation.runner import LiteTrackSequenceTracker, run_sequence

    backend = TorchBackend(dataclasses.replace(loaded, model=model), args.device)
    sequences = find_sequences(args.data)
    with Progress(sum(len(s) for s in sequences), model.config.name) as progress:
        runs = [
            run_sequence(s, lambda: LiteTrackSequenceTracker(backend), progress.step)
            for s in sequences
        ]
    report = Report(runs)
    return {
        "model": model.config.name,
        "interaction": model.config.interaction,
        "fe": model.config.fe_layers,
        "ai": model.config.ai_layers,
        "ao": report.over_sequences.ao,
        "sr50": report.over_sequences.sr50,
        "fps": report.fps,
    }
