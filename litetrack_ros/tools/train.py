"""``litetrack train``: train a model by a recipe."""

import argparse
import logging
import shlex
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.dependencies import require
from litetrack_ros.errors import ConfigError
from litetrack_ros.training.provenance import Start, recipe_of
from litetrack_ros.training.recipe import read_recipe


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    recipe: Path
    data: tuple[str, ...]
    out: Path
    set: tuple[str, ...]
    init_from: Path | None
    extend: Path | None
    hash_contents: bool
    resume: bool
    device: str
    workers: int
    threads: int
    max_minutes: float | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "recipe",
        type=Path,
        help="a recipe, such as config/train_nano.yaml; or weights that a run made, to repeat it",
    )
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
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="values in place of the recipe's, such as steps=2000 pairs.absent=0.1",
    )
    parser.add_argument(
        "--extend",
        type=Path,
        metavar="RUN",
        help="start a new run from the last weights of a finished one, with a schedule of its own",
    )
    parser.add_argument(
        "--hash-contents",
        action="store_true",
        help="for the run's record, hash every byte of data of 2 GB and more too",
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

    from litetrack_ros.model.checkpoint import load_weights
    from litetrack_ros.training.batches import pair_sources
    from litetrack_ros.training.init_from import SAFETENSORS, initial_tensors
    from litetrack_ros.training.loop import RunOptions, train
    from litetrack_ros.training.processes import announced_processes
    from litetrack_ros.training.run_folder import LATEST_FILE, STATE_FILE
    from litetrack_ros.training.teacher import crops_to_make

    torch.set_num_threads(request.threads)
    if request.recipe.suffix == SAFETENSORS:
        recipe = recipe_of(load_weights(request.recipe).metadata, request.out, request.set)
    else:
        recipe = read_recipe(request.recipe, announced_processes(), request.set)
    sources = pair_sources(recipe, request.data, crops_to_make(recipe))
    initial = None
    if request.init_from is not None and request.extend is not None:
        raise ConfigError("--init-from and --extend both say what to start from: give one")
    if request.init_from is not None and not request.resume:
        found = initial_tensors(request.init_from, recipe.model_config())
        for line in found.report:
            logging.info("%s", line)
        initial = found.tensors
    options = RunOptions(
        request.device,
        request.workers,
        request.resume,
        request.max_minutes,
        initial,
        request.extend,
        _start(request, STATE_FILE),
    )
    done = train(recipe, sources.train, sources.validation, request.out, options)
    print(f"{done} of {recipe.steps} steps done; the model is {request.out / LATEST_FILE}")
    return 0


def _start(request: Request, state_file: str) -> Start:
    """How the run was started: as it was typed, and as somebody else can repeat it."""
    how = ["--device", request.device, "--threads", str(request.threads)]
    typed = ["litetrack", "train", str(request.recipe), "--data", *request.data]
    typed += ["--out", str(request.out), *how, "--workers", str(request.workers)]
    repeat = ["litetrack", "train", "WEIGHTS", "--data", *len(request.data) * ["DIR"]]
    repeat += ["--out", "RUN", *how]
    for option, path in (("--init-from", request.init_from), ("--extend", request.extend)):
        if path is not None:
            typed += [option, str(path)]
            repeat += [option, "FILE" if option == "--init-from" else "DIR"]
    typed += ["--set", *request.set] if request.set else []
    typed += ["--resume"] if request.resume else []
    extended = None if request.extend is None else request.extend / state_file
    return Start(
        shlex.join(typed),
        shlex.join(repeat),
        request.data,
        request.init_from,
        extended,
        request.hash_contents,
    )
