"""``litetrack train``: train a model by a recipe."""

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.dependencies import require
from litetrack_ros.training.recipe import read_recipe


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    recipe: Path
    data: tuple[str, ...]
    out: Path
    init_from: Path | None
    resume: bool
    device: str
    workers: int
    threads: int
    max_minutes: float | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("recipe", type=Path, help="a recipe, such as config/train_nano.yaml")
    parser.add_argument(
        "--data",
        nargs="+",
        required=True,
        metavar="DIR",
        help="folders with photos/, cutouts/ and clips/ to make pairs from; or, for a recipe with "
        "'sampling', the folder that holds the data sets, or NAME=DIR for each",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the run's folder")
    parser.add_argument(
        "--init-from",
        type=Path,
        metavar="FILE",
        help="start a new run from a pretrained encoder (CAE, MAE, timm's ViT) or a trained "
        "LiteTrack with at least as many layers",
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes that make pairs (%(default)s)"
    )
    parser.add_argument(
        "--threads", type=int, default=1, help="CPU threads of the training itself (%(default)s)"
    )
    parser.add_argument(
        "--max-minutes",
        type=float,
        metavar="N",
        help="stop after N minutes, to be resumed; changes nothing else",
    )


def run(request: Request) -> int:
    """Train; ends with status 0 also when stopped, as the run can be resumed."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for package in ("torch", "tqdm", "safetensors"):
        require(package)
    import torch

    from litetrack_ros.training.batches import pair_sources
    from litetrack_ros.training.init_from import initial_tensors
    from litetrack_ros.training.loop import RunOptions, train
    from litetrack_ros.training.processes import announced_processes
    from litetrack_ros.training.run_folder import LATEST_FILE

    torch.set_num_threads(request.threads)
    recipe = read_recipe(request.recipe, announced_processes())
    sources = pair_sources(recipe, request.data)
    initial = None
    if request.init_from is not None and not request.resume:
        found = initial_tensors(request.init_from, recipe.model_config())
        for line in found.report:
            logging.info("%s", line)
        initial = found.tensors
    options = RunOptions(
        request.device, request.workers, request.resume, request.max_minutes, initial
    )
    done = train(recipe, sources.train, sources.validation, request.out, options)
    print(f"{done} of {recipe.steps} steps done; the model is {request.out / LATEST_FILE}")
    return 0
