"""Weights files of our own: safetensors with both configurations in the metadata."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from litetrack_ros.config import ModelConfig, TrackerConfig
from litetrack_ros.errors import ConfigError, WeightsError
from litetrack_ros.files import replacing
from litetrack_ros.manifest import SUFFIX, file_sha256, is_verified, recording
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.settings import from_json, to_json

FORMAT = "litetrack-1"


@dataclass(frozen=True)
class LoadedWeights:
    """A model read from a weights file.

    Attributes:
        model: the trained form, in eval mode, float32, on the CPU.
        tracker_config: the tracker settings that were chosen for these weights.
        sha256: of the file, hexadecimal.
        metadata: all of the file's metadata, as text.
        is_verified: whether a manifest beside the file held its hash.
    """

    model: LiteTrack
    tracker_config: TrackerConfig
    sha256: str
    metadata: dict[str, str]
    is_verified: bool = False

    @property
    def model_config(self) -> ModelConfig:
        """The configuration the model was built from."""
        return self.model.config


def save_weights(
    path: Path,
    model: LiteTrack,
    tracker_config: TrackerConfig,
    extra: Mapping[str, str] | None = None,
) -> None:
    """Write a model, its configurations and its manifest; the file appears whole or not at all.

    Args:
        path: the safetensors file to write.
        model: the trained form.
        tracker_config: the tracker settings to use with these weights.
        extra: further metadata, such as the training command.

    Raises:
        WeightsError: the file cannot be written.
    """
    metadata = {
        **(extra or {}),
        "format": FORMAT,
        "model": to_json(model.config),
        "tracker": to_json(tracker_config),
    }
    tensors = {name: t.detach().cpu().contiguous() for name, t in kept_state(model).items()}
    try:
        with recording(path.with_suffix(SUFFIX), path), replacing(path) as temporary:
            # Not save_file, whose files only their owner may read.
            temporary.write_bytes(_in_order(save(tensors, metadata=metadata)))
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot write the weights file {path}: {error}") from error


def _in_order(content: bytes) -> bytes:
    """A safetensors file with its metadata sorted, which the library writes in a random order."""
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[start:]


def load_weights(path: Path) -> LoadedWeights:
    """Read a weights file strictly.

    Raises:
        WeightsError: missing, damaged, truncated or foreign file, or keys or shapes other than
            the configuration's.
    """
    try:
        sha256 = file_sha256(path)
        verified = is_verified(path.with_suffix(SUFFIX), path, sha256)
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        hint = "convert the authors' .pth.tar files first" if "pth" in path.name else "get it again"
        raise WeightsError(f"cannot read the weights file {path} ({error}); {hint}") from error
    if metadata.get("format") != FORMAT:
        raise WeightsError(f"{path} is a safetensors file, but not one of this package's models")
    try:
        model_config = from_json(ModelConfig, metadata["model"], str(path))
        tracker_config = from_json(TrackerConfig, metadata["tracker"], str(path))
    except (KeyError, ConfigError) as error:
        raise WeightsError(
            f"{path} has no usable configuration in its metadata: {error}"
        ) from error
    model = model_from_state(model_config, state, str(path))
    return LoadedWeights(model, tracker_config, sha256, metadata, verified)


def kept_state(model: LiteTrack) -> dict[str, Tensor]:
    """The state dict without batch norm's step counters, which inference never reads."""
    return {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}


def model_from_state(config: ModelConfig, state: Mapping[str, Tensor], origin: str) -> LiteTrack:
    """Build a model in eval mode from its tensors, without a random initialisation first.

    Raises:
        WeightsError: as :func:`load_state`.
    """
    with torch.device("meta"):
        model = LiteTrack(config)
    model.to_empty(device="cpu")
    for name, buffer in model.named_buffers():
        if name.endswith("num_batches_tracked"):
            buffer.zero_()
    load_state(model, state, origin)
    return model.eval()


def load_state(model: LiteTrack, state: Mapping[str, Tensor], origin: str) -> None:
    """Copy tensors into a model, all of them or none.

    Args:
        model: the model to fill.
        state: tensors by key; batch norm's step counters may be absent.
        origin: what the tensors were read from, for messages.

    Raises:
        WeightsError: names the missing, unexpected or misshapen keys and the variant.
    """
    wanted = kept_state(model)
    given = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    faults = [f"missing {key}" for key in wanted if key not in given]
    faults += [f"unexpected {key}" for key in given if key not in wanted]
    faults += [
        f"{key} has shape {tuple(given[key].shape)} instead of {tuple(tensor.shape)}"
        for key, tensor in wanted.items()
        if key in given and given[key].shape != tensor.shape
    ]
    if faults:
        shown = "; ".join(faults[:4]) + (f"; and {len(faults) - 4} more" if faults[4:] else "")
        raise WeightsError(
            f"{origin} does not fit the model '{model.config.name}': {shown}; "
            "choose the variant the weights were made for"
        )
    with torch.no_grad():
        for key, tensor in wanted.items():
            tensor.copy_(given[key])
