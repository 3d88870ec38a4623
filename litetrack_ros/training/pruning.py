"""Trained models with fewer layers, or with their layers split otherwise (paper Sec. III-A)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from litetrack_ros.config import ModelConfig
from litetrack_ros.errors import ConfigError
from litetrack_ros.model.checkpoint import model_from_state
from litetrack_ros.model.litetrack import LiteTrack


def prune(model: LiteTrack, fe_layers: int, ai_layers: int, joint: bool = False) -> LiteTrack:
    """Keep the first layers of a model, in another split.

    Args:
        model: a trained model.
        fe_layers, ai_layers: of the new one; together at most the model's.
        joint: let template and search tokens go through every layer together instead, as in the
            one-stream form of Table IV; ``fe_layers`` must be 0 then.

    Raises:
        ConfigError: more layers than the model has, or a split that cannot be.
    """
    config = model.config
    depth = fe_layers + ai_layers
    if depth > config.depth:
        raise ConfigError(
            f"the model '{config.name}' has {config.depth} layers, so {depth} cannot be kept"
        )
    name = f"{config.name}_{'joint' if joint else f'fe{fe_layers}_ai'}{ai_layers}"
    pruned: ModelConfig = dataclasses.replace(
        config,
        name=name,
        interaction="joint" if joint else "asynchronous",
        fe_layers=fe_layers,
        ai_layers=ai_layers,
    )
    state = {
        key: value
        for key, value in model.state_dict().items()
        if not key.startswith("backbone.blocks.") or int(key.split(".")[2]) < depth
    }
    return model_from_state(pruned, state, config.name)


def pruned_forms(model: LiteTrack, least: int = 2) -> Iterator[LiteTrack]:
    """A model with its layers taken away one at a time, each with and without asynchronous stages.

    The interaction layers are kept as long as there are others (Fig. 6).

    Args:
        model: a trained model.
        least: smallest number of layers.
    """
    for depth in range(model.config.depth, least - 1, -1):
        ai_layers = min(model.config.ai_layers, depth)
        yield prune(model, depth - ai_layers, ai_layers)
        yield prune(model, 0, depth, joint=True)


def split_forms(model: LiteTrack) -> Iterator[LiteTrack]:
    """A model with every split of its layers into FE and AI layers (Table V)."""
    for ai_layers in range(1, model.config.depth + 1):
        yield prune(model, model.config.depth - ai_layers, ai_layers)
