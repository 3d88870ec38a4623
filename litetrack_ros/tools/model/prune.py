"""``litetrack model prune``: a trained model with fewer layers, or a table of all such models."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litetrack_ros.report.tables import format_table, write_json
from litetrack_ros.tools.arguments import Progress, add_json_argument, add_model_argument

if TYPE_CHECKING:
    from litetrack_ros.datasets.sequences import AnnotatedSequence
    from litetrack_ros.model.litetrack import LiteTrack

FORMS = {"layers": "one layer less at a time (Fig. 6)", "splits": "all FE/AI splits (Table V)"}


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    model: str
    fe: int | None
    ai: int | None
    out: Path | None
    report: str | None
    data: tuple[Path, ...] | None
    device: str
    json: Path | None


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


def run(request: Request) -> int:
    """Write one pruned model, or print the table."""
    from litetrack_ros.backends.registry import find_model
    from litetrack_ros.datasets.sequences import find_sequences
    from litetrack_ros.errors import ConfigError
    from litetrack_ros.model.checkpoint import load_weights, save_weights
    from litetrack_ros.training.pruning import prune

    loaded = load_weights(find_model(request.model))
    if request.report:
        if not request.data:
            raise ConfigError("--report needs --data with sequences to track")
        sequences = find_sequences(request.data)
        rows = [
            _measure(form, loaded, sequences, request.device)
            for form in _forms(loaded.model, request.report)
        ]
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
        write_json(request.json, {"model_sha256": loaded.sha256, "rows": rows})
        return 0
    if request.fe is None or request.ai is None or request.out is None:
        raise ConfigError("give --fe, --ai and --out for a pruned model, or --report for a table")
    pruned = prune(loaded.model, request.fe, request.ai)
    save_weights(request.out, pruned, loaded.tracker_config, {"pruned_from": loaded.sha256})
    print(f"{request.out}: {pruned.config.name}")
    return 0


def _forms(model: LiteTrack, report: str) -> Iterator[LiteTrack]:
    from litetrack_ros.training.pruning import pruned_forms, split_forms

    return pruned_forms(model) if report == "layers" else split_forms(model)


def _measure(
    model: LiteTrack, loaded: Any, sequences: list[AnnotatedSequence], device: str
) -> dict[str, Any]:
    """Overlap and speed of a model over the sequences."""
    import dataclasses

    from litetrack_ros.backends.torch_backend import TorchBackend
    from litetrack_ros.evaluation.report import Report
    from litetrack_ros.evaluation.runner import LiteTrackSequenceTracker, run_sequence

    backend = TorchBackend(dataclasses.replace(loaded, model=model), device)
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
