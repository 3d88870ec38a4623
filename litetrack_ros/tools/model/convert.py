"""``litetrack model convert``: the authors' checkpoints to this package's weights files."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.config import TrackerConfig, variant
from litetrack_ros.dependencies import require
from litetrack_ros.errors import WeightsError

_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    checkpoint: Path
    variant: str
    output: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="the .pth.tar file")
    parser.add_argument(
        "--variant",
        required=True,
        metavar="NAME",
        help="which variant it is (b9, b8, b6, b4): a checkpoint does not say how its layers split",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="a .safetensors file"
    )


def run(request: Request) -> int:
    """Read, check every key, write."""
    require("torch")
    require("safetensors")
    from litetrack_ros.model.authors_checkpoints import build_official, read_official
    from litetrack_ros.model.checkpoint import save_weights

    if request.output.suffix != _SUFFIX:
        raise WeightsError(
            f"{request.output} must end in {_SUFFIX}, by which weights files are found"
        )
    config = variant(request.variant)
    state = read_official(request.checkpoint)
    model = build_official(config, state, str(request.checkpoint))
    # The authors' tracker has no target states; the default configuration has them off too.
    save_weights(request.output, model, TrackerConfig(), {"source": request.checkpoint.name})
    print(f"{request.output}: {config.name}, {len(state)} tensors read from {request.checkpoint}")
    return 0
