"""``litetrack model prune``: a trained model with fewer layers, or a table of all such models."""

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litetrack_ros.backends.registry import find_model
from litetrack_ros.config import TrackerConfig
from litetrack_ros.datasets.sequences import find_sequences
from litetrack_ros.dependencies import require
from litetrack_ros.errors import ConfigError
from litetrack_ros.evaluation.conventions import PLAIN
from litetrack_ros.report.tables import format_table, write_json
from litetrack_ros.tools.arguments import Progress, add_json_argument, add_model_argument

if TYPE_CHECKING:
    from litetrack_ros.model.checkpoint import LoadedWeights

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
    require("torch")
    require("safetensors")
    from litetrack_ros.model.checkpoint import load_weights, save_weights
    from litetrack_ros.training.derived import prune

    loaded = load_weights(find_model(request.model))
    if request.report:
        return _report(request, loaded)
    if request.fe is None or request.ai is None or request.out is None:
        raise ConfigError("give --fe, --ai and --out for a pruned model, or --report for a table")
    pruned = prune(loaded.model, request.fe, request.ai)
    config = TrackerConfig(size_smoothing=loaded.tracker_config.size_smoothing)
    save_weights(request.out, pruned, config, {"pruned_from": loaded.sha256})
    print(f"{request.out}: {pruned.config.name}")
    print("the state machine is off, as its scores are others: see litetrack model tune, calibrate")
    return 0


def _report(request: Request, loaded: "LoadedWeights") -> int:
    """Overlap and speed of every form over the sequences, each with thresholds of its own."""
    from litetrack_ros.training import derived

    if not request.data:
        raise ConfigError("--report needs --data with sequences to track")
    sequences = find_sequences(request.data)
    forms = derived.pruned_forms if request.report == "layers" else derived.split_forms
    rows: list[dict[str, Any]] = []
    for model in forms(loaded.model):
        form, config = dataclasses.replace(loaded, model=model), model.config
        with Progress(2 * sum(len(s) for s in sequences), config.name) as progress:
            form = derived.with_own_thresholds(form, sequences, request.device, progress.step)
            found = derived.track_all(form, sequences, request.device, progress.step)
        ao, sr50 = found.scores[config.name].over_sequences.tolist()[:2]
        rows.append(
            {
                "model": config.name,
                "interaction": config.interaction,
                "fe": config.fe_layers,
                "ai": config.ai_layers,
                "lost_threshold": form.tracker_config.lost_threshold,
                "ao": ao,
                "sr50": sr50,
                "fps": found.fps[config.name],
            }
        )
    shown = [
        [
            *(str(row[name]) for name in ("model", "fe", "ai")),
            *(f"{row[name]:.3f}" for name in ("lost_threshold", "ao", "sr50")),
            f"{row['fps']:.1f}",
        ]
        for row in rows
    ]
    print(f"mean over sequences, convention {PLAIN}:")
    print(format_table(("model", "FE", "AI", "LOST below", "AO", "SR50", "fps"), shown))
    figures = {"model_sha256": loaded.sha256, "convention": PLAIN, "rows": rows}
    write_json(request.json, figures)
    return 0
