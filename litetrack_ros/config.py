"""Every setting of the model, of what runs it and of the tracker, with its default.

``ModelConfig`` describes a network and is fixed once its weights exist; ``TrackerConfig`` says how
a tracker uses the network. Both travel in the metadata of a weights file as JSON, and a variant's
YAML in ``config/models/`` holds the keys in which it differs from the defaults.
"""

import math
import typing
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from litetrack_ros.resources import config_names, config_path
from litetrack_ros.settings import check_setting, from_mapping, read_yaml

if TYPE_CHECKING:
    pass

Interaction = Literal["asynchronous", "joint"]
Stem = Literal["patch16", "efficientnet_lite0"]
TargetCue = Literal["token", "inside", "none"]
Decode = Literal["official", "exact"]


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a LiteTrack network (paper Sec. III, Table I).

    Attributes:
        name: the variant's name, as in ``config/models/<name>.yaml``.
        interaction: ``asynchronous`` (the paper) or ``joint`` (template and search tokens through
            every layer together, the baseline of Table IV and Fig. 6; nothing can be cached).
        stem: 16x16 patch embedding, or EfficientNet-Lite0 up to stride 16 and a projection.
        embed_dim: channels of a token.
        num_heads: attention heads; divides ``embed_dim``.
        fe_layers: feature-extraction layers, search tokens alone.
        ai_layers: asynchronous-interaction layers (or, for ``joint``, all layers).
        mlp_ratio: hidden channels of a layer's MLP over ``embed_dim``.
        layer_scale_init: initial value of the learned residual scales.
        head_channels: channels of the centre head's first convolution, halved in each of the next.
        target_cue: how the template branch learns where in the template the target is: a token
            made of the box, an embedding added inside the box, or nothing.
        templates: 1 (the paper), or 2: the first template of a target and a recent one, whose
            place the first takes until there is one.
        template_size, search_size: side of the crops, px; multiples of the stride 16.
        template_factor, search_factor: side of the crop over the square root of the box's area.
        decode: ``official`` repeats the authors' coordinate conventions (half-pixel template
            centre, map back around the unrounded centre); ``exact`` uses the crop's true origin.
        window_power: exponent of the Hann window that multiplies the score map; 1 is the paper's.
        average_boxes: the box is the mean of those around the score map's peak, as
            :func:`litetrack_ros.model.head.averaged_boxes` makes it, not the peak's alone, which
            is the paper's.
    """

    name: str = "custom"
    interaction: Interaction = "asynchronous"
    stem: Stem = "patch16"
    embed_dim: int = 768
    num_heads: int = 12
    fe_layers: int = 2
    ai_layers: int = 2
    mlp_ratio: float = 4.0
    layer_scale_init: float = 0.1
    head_channels: int = 256
    target_cue: TargetCue = "token"
    templates: int = 1
    template_size: int = 128
    search_size: int = 256
    template_factor: float = 2.0
    search_factor: float = 4.0
    decode: Decode = "official"
    window_power: float = 1.0
    average_boxes: bool = False

    stride = 16  # of every stem; not a field, because the head and the weights depend on it

    def __post_init__(self) -> None:
        _check_choices(self)
        for key in ("embed_dim", "num_heads", "ai_layers", "template_size", "search_size"):
            check_setting(self, key, getattr(self, key) >= 1, "at least 1")
        check_setting(self, "fe_layers", self.fe_layers >= 0, "at least 0")
        check_setting(
            self, "num_heads", self.embed_dim % self.num_heads == 0, "a divisor of embed_dim"
        )
        for key in ("template_size", "search_size"):
            check_setting(self, key, getattr(self, key) % self.stride == 0, "a multiple of 16")
        check_setting(self, "head_channels", self.head_channels >= 8, "at least 8")
        check_setting(self, "head_channels", self.head_channels % 8 == 0, "a multiple of 8")
        for key in ("mlp_ratio", "template_factor", "search_factor"):
            check_setting(self, key, getattr(self, key) > 0, "positive")
        check_setting(self, "window_power", self.window_power >= 0, "at least 0")
        check_setting(self, "templates", self.templates in (1, 2), "1 or 2")
        if self.interaction == "joint":
            check_setting(self, "fe_layers", self.fe_layers == 0, "0 where interaction is joint")
            check_setting(self, "templates", self.templates == 1, "1 where interaction is joint")

    @property
    def depth(self) -> int:
        """Number of encoder layers."""
        return self.fe_layers + self.ai_layers

    @property
    def search_grid(self) -> int:
        """Cells along a side of the score map."""
        return self.search_size // self.stride

    @property
    def template_grid(self) -> int:
        """Tokens along a side of the template."""
        return self.template_size // self.stride

    @property
    def template_tokens(self) -> int:
        """Tokens of all templates of a target together."""
        return self.templates * self.template_grid**2


@dataclass(frozen=True)
class Logistic:
    """A logistic regression: the probability is that of ``features @ weights + bias``."""

    weights: tuple[float, ...]
    bias: float


CANDIDATE_FEATURES, HELD_FEATURES = 13, 4  # how many tracker/confidence.py computes


@dataclass(frozen=True)
class Calibration:
    """How probabilities are read from a network's answer; fitted by ``litetrack model
    calibrate``.

    Attributes:
        candidate: over the features of :func:`litetrack_ros.tracker.confidence.candidate_features`.
        held: over those of :func:`litetrack_ros.tracker.confidence.held_features`.
    """

    candidate: Logistic
    held: Logistic

    def __post_init__(self) -> None:
        for key, count in (("candidate", CANDIDATE_FEATURES), ("held", HELD_FEATURES)):
            logistic = getattr(self, key)
            numbers = (*logistic.weights, logistic.bias)
            holds = len(logistic.weights) == count and all(map(math.isfinite, numbers))
            check_setting(self, key, holds, f"{count} finite weights and a bias")


@dataclass(frozen=True)
class TrackerConfig:
    """How a tracker turns a model's answers into boxes and states; counts are frames.

    The scores of the thresholds are probabilities where there is a calibration, else raw scores.

    Attributes:
        lost_threshold: score of the candidate below which a frame counts as a miss; 0 turns the
            state machine off (the target is TRACKING for ever), as the authors' tracker does.
        lost_after_frames: misses in a row until the target is LOST.
        found_threshold: score of the candidate that counts as a hit while the target is LOST.
        found_after_frames: hits in a row until a LOST target is TRACKING again.
        search_growth: the search factor is multiplied by this in every LOST frame ...
        max_search_scale: ... up to this multiple of the model's own.
        search_crops: further regions searched in each frame while a target is LOST, anywhere in the
            picture, all LOST targets together; 0 looks only where it was last seen.
        found_likeness: how much what is found must look like the first template (at most 1) where
            further regions are searched; less for a target that changed while it was tracked.
        idle_after_frames: LOST frames until the target is given up (IDLE); 0 is never.
        size_smoothing: weight of the newly predicted width and height, (0, 1]; 1 is no smoothing.
        recent_score: score from which a TRACKING frame is certain enough for a recent template, for
            models that have a second one ...
        recent_after_frames: ... certain frames in a row until it is taken; 0 keeps to the first
            template ...
        recent_every_frames: ... and frames of a target between two of its own, at least.
        clip_margin_px: the box stays this far inside the image and at least this large.
        follows_camera: whether a box moves with the picture as a whole before its surroundings are
            searched, for cameras that move; the authors' tracker does without.
        calibration: makes probabilities of the network's answers; None where it was not fitted.

    Examples:
        >>> import dataclasses
        >>> import litetrack_ros as lt
        >>> backend = lt.open_backend()
        >>> config = dataclasses.replace(backend.tracker_config, lost_after_frames=2)
        >>> lt.Tracker(backend, config)  # doctest: +ELLIPSIS
        <litetrack_ros.tracker.tracker.Tracker object at 0x...>
    """

    lost_threshold: float = 0.0
    lost_after_frames: int = 5
    found_threshold: float = 0.0
    found_after_frames: int = 1
    search_growth: float = 1.05
    max_search_scale: float = 2.0
    search_crops: int = 0
    found_likeness: float = 0.8
    idle_after_frames: int = 0
    size_smoothing: float = 1.0
    recent_score: float = 0.9
    recent_after_frames: int = 5
    recent_every_frames: int = 30
    clip_margin_px: int = 10
    follows_camera: bool = False
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        for key in ("lost_threshold", "found_threshold", "recent_score"):
            check_setting(self, key, 0 <= getattr(self, key) <= 1, "from 0 to 1")
        for key in ("lost_after_frames", "found_after_frames", "recent_every_frames"):
            check_setting(self, key, getattr(self, key) >= 1, "at least 1")
        for key in ("search_growth", "max_search_scale"):
            check_setting(self, key, getattr(self, key) >= 1, "at least 1")
        for key in ("idle_after_frames", "recent_after_frames", "search_crops"):
            check_setting(self, key, getattr(self, key) >= 0, "at least 0")
        check_setting(self, "found_likeness", 0 <= self.found_likeness <= 1, "from 0 to 1")
        check_setting(self, "size_smoothing", 0 < self.size_smoothing <= 1, "above 0 and at most 1")
        check_setting(self, "clip_margin_px", self.clip_margin_px >= 1, "at least 1")


PROVENANCE_KEY = "provenance"  # of a weights file's metadata: what made it


DEFAULT_MODEL = "litetrack_nano"
BACKENDS = ("auto", "torch", "onnx")
_VARIANTS = "models"  # the folder of the variants in config/


@dataclass(frozen=True)
class ModelChoice:
    """Which model, and what runs it where.

    Attributes:
        model: a shipped model's name, or the path of a weights file or of an exported graph.
        backend: one of :data:`BACKENDS`; ``auto`` is onnx where the model has been exported in
            this precision and onnxruntime is installed with a provider for the device, else torch.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``auto`` (the best there is); with onnx
            ``tensorrt`` and ``openvino`` too.
        precision: ``fp32``, ``fp16``, ``bf16`` (torch) or ``int8`` (onnx).
        allow_fallback: go on with the CPU where the device cannot be had, or fails later.
        threads: CPU threads of one call; 0 is the backend's own choice, one a core.

    Examples:
        >>> import litetrack_ros as lt
        >>> lt.ModelChoice(device="auto", threads=1)  # doctest: +NORMALIZE_WHITESPACE
        ModelChoice(model='litetrack_nano', backend='auto', device='auto', precision='fp32',
                    allow_fallback=False, threads=1)
    """

    model: str = DEFAULT_MODEL
    backend: str = "auto"
    device: str = "cpu"
    precision: str = "fp32"
    allow_fallback: bool = False
    threads: int = 0


DEFAULT_CHOICE = ModelChoice()


def variant_names() -> list[str]:
    """Names of the variants that ship as ``config/models/<name>.yaml``, sorted."""
    paths = [PurePosixPath(name) for name in config_names()]
    return sorted(path.stem for path in paths if path.parent.name == _VARIANTS)


def variant(name: str) -> ModelConfig:
    """The configuration of a shipped variant, such as ``b4``.

    Raises:
        ConfigError: no such variant (the message lists them), or a faulty file.
    """
    path = config_path(f"{_VARIANTS}/{name}")
    return from_mapping(ModelConfig, read_yaml(path), str(path))


def _check_choices(config: ModelConfig) -> None:
    for key, wanted in typing.get_type_hints(type(config)).items():
        choices = typing.get_args(wanted)
        if choices:
            check_setting(
                config, key, getattr(config, key) in choices, "one of " + ", ".join(choices)
            )
