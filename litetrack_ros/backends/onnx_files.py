"""Exported files: their names, inputs, outputs and metadata, and reading them strictly.

A model NAME in full precision is NAME.template.onnx, NAME.search.onnx and NAME.weights.bin, which
holds the weights of both graphs; in another precision NAME.fp16.template.onnx and so on. Export and
backend share this module, so that it needs neither torch nor the onnx package.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.backends.onnx_protobuf import external_locations, metadata_props
from litetrack_ros.config import ModelConfig, TrackerConfig
from litetrack_ros.errors import BackendError, ConfigError, WeightsError
from litetrack_ros.manifest import SUFFIX, file_sha256, is_verified
from litetrack_ros.settings import from_json

FORMAT = "litetrack-onnx-1"
PRECISIONS = ("fp32", "fp16", "int8")

CROPS = "crops"  # uint8 RGB (targets, size, size, 3)
BOXES = "boxes_xyxy_norm"  # float32 (targets, 4); see takes_boxes
KEYS = "keys"  # (targets, layers, heads, template tokens, channels of a head)
VALUES = "values"  # as keys; absent where the interaction is joint
RESULT = "result"  # float32 (targets, 6): centre, size, score, response
SCORES = "scores"  # float32 (targets, cells): the score map, row by row

_SUFFIXES = {"template": ".template.onnx", "search": ".search.onnx"}


@dataclass(frozen=True)
class OnnxPaths:
    """Where the files of a model in one precision lie."""

    template: Path
    search: Path
    weights: Path
    manifest: Path

    @staticmethod
    def of(folder: Path, name: str, precision: str) -> OnnxPaths:
        """The paths for a model's name; whether they exist is another question."""
        base = name if precision == "fp32" else f"{name}.{precision}"
        return OnnxPaths(
            folder / f"{base}{_SUFFIXES['template']}",
            folder / f"{base}{_SUFFIXES['search']}",
            folder / f"{base}.weights.bin",
            folder / f"{name}{SUFFIX}",
        )

    @staticmethod
    def beside(path: Path, precision: str) -> OnnxPaths:
        """The paths for a model's safetensors file, or for either of its graphs."""
        return OnnxPaths.of(path.parent, model_name(path), precision)

    def exist(self) -> bool:
        """Whether both graphs are there."""
        return self.template.is_file() and self.search.is_file()


@dataclass(frozen=True)
class OnnxMetadata:
    """What an exported graph says of itself.

    Attributes:
        role: ``template`` or ``search``.
        model_config, tracker_config: as in the weights file it was exported from.
        precision: one of :data:`PRECISIONS`.
        max_targets: how many targets one call takes.
        source_sha256: of the safetensors file it was exported from.
        weights_sha256: of the file that holds its weights.
    """

    role: str
    model_config: ModelConfig
    tracker_config: TrackerConfig
    precision: str
    max_targets: int
    source_sha256: str
    weights_sha256: str


Shape = tuple[int | str, ...]


def input_shapes(role: str, config: ModelConfig, targets: int | str) -> dict[str, Shape]:
    """The inputs of a graph and their shapes.

    Args:
        role: ``template`` or ``search``.
        config: of the model.
        targets: how many at once; a name is any number.
    """
    if role == "template":
        size = config.template_size
        shapes: dict[str, Shape] = {CROPS: (targets, size, size, 3)}
        return shapes | {BOXES: (targets, 4)} if takes_boxes(config) else shapes
    size = config.search_size
    cached = {name: (targets, *dims) for name, dims in cache_dims(config).items()}
    return {CROPS: (targets, size, size, 3), **cached}


def takes_boxes(config: ModelConfig) -> bool:
    """Whether the template graph reads the target's box; a joint encoder has no token for it."""
    unread = ("none", "token") if config.interaction == "joint" else ("none",)
    return config.target_cue not in unread


def cache_dims(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """What the template graph returns and the search graph takes: shapes of one target's."""
    tokens = config.template_tokens
    if config.interaction == "joint":
        return {KEYS: (1, 1, tokens, config.embed_dim)}
    dims = (config.ai_layers, config.num_heads, tokens, config.embed_dim // config.num_heads)
    return {KEYS: dims, VALUES: dims}


def model_name(path: Path) -> str:
    """A model file's name without role, precision and suffix."""
    name = path.name
    for suffix in (*_SUFFIXES.values(), ".safetensors"):
        if name.endswith(suffix):
            name = name[: -len(suffix)]
            break
    for precision in PRECISIONS:
        name = name.removesuffix(f".{precision}")
    return name


def graph_precision(path: Path) -> str:
    """The precision in a graph's file name."""
    base = path.name.removesuffix(_SUFFIXES["template"]).removesuffix(_SUFFIXES["search"])
    precision = base.rpartition(".")[2]
    return precision if precision in PRECISIONS else "fp32"


def is_graph(path: Path) -> bool:
    """Whether a file's name is that of an exported graph."""
    return path.name.endswith(tuple(_SUFFIXES.values()))


def find_onnx(path: Path, precision: str) -> OnnxPaths:
    """The exported form of a model.

    Args:
        path: its weights file or one of its graphs.
        precision: one of :data:`PRECISIONS`; a graph that is named itself keeps its own.

    Raises:
        BackendError: no such precision.
        WeightsError: not exported, or exported from other weights than those beside it.
    """
    if is_graph(path):
        precision = graph_precision(path)
    if precision not in PRECISIONS:
        raise BackendError(
            f"the onnx backend has no precision '{precision}'; use {', '.join(PRECISIONS)}"
        )
    paths = OnnxPaths.beside(path, precision)
    if not paths.exist():
        raise WeightsError(
            f"{path} has no ONNX form in {precision} beside it ({paths.search.name}); run: "
            f"litetrack model export {path} --precision {precision}"
        )
    if is_graph(path):
        return paths
    sha256 = file_sha256(path)
    verified = is_verified(paths.manifest, path, sha256)
    is_verified(paths.manifest, paths.search, file_sha256(paths.search))
    if read_metadata(paths.search).source_sha256 != sha256:
        # Without its hash, these weights may be the ones at fault: an export would spread it.
        advice = (
            f"run: litetrack model export {path} --precision {precision}"
            if verified
            else f"nothing says that {path.name} is sound: get all of the model's files again"
        )
        raise WeightsError(
            f"{paths.search} is stale, exported from other weights than {path.name}; {advice}"
        )
    return paths


def read_pair(paths: OnnxPaths) -> tuple[OnnxMetadata, bool]:
    """Read and compare what both graphs say; :func:`check_weights` is for their weights.

    Returns:
        The search graph's metadata, and whether the manifest held the hashes of both graphs.

    Raises:
        DamagedFileError: a file is not the one that the manifest was written for.
        WeightsError: a file is missing, damaged or foreign, or they do not belong together.
    """
    for path in (paths.template, paths.search, paths.weights):
        if not path.is_file():
            raise WeightsError(f"{path} is missing; write it again with litetrack model export")
    verified = [
        is_verified(paths.manifest, path, file_sha256(path))
        for path in (paths.template, paths.search)
    ]
    template, search = read_metadata(paths.template), read_metadata(paths.search)
    for path, found, role in (
        (paths.template, template, "template"),
        (paths.search, search, "search"),
    ):
        if found.role != role:
            raise WeightsError(f"{path} holds a {found.role} graph; files were renamed or swapped")
    for key in ("model_config", "precision", "source_sha256", "weights_sha256"):
        if getattr(template, key) != getattr(search, key):
            raise WeightsError(
                f"{paths.template.name} and {paths.search.name} in {paths.search.parent} differ in "
                f"{key.replace('_', ' ')}: they are of different models "
                f"('{template.model_config.name}' and '{search.model_config.name}') or exports; "
                "export again"
            )
    for path in (paths.template, paths.search):
        try:
            others = external_locations(path.read_bytes()) - {paths.weights.name}
        except IndexError as error:
            raise WeightsError(f"{path} is damaged ({error}); export it again") from error
        if others:
            raise WeightsError(
                f"{path} takes weights from {ascii(min(others))[:80]}, which nobody has hashed; "
                f"all of them must lie in {paths.weights.name}: export it again"
            )
    return search, all(verified)


def check_weights(paths: OnnxPaths, metadata: OnnxMetadata, sha256: str) -> bool:
    """Compare the hash of the file of weights with the graphs' word and with the manifest.

    Args:
        paths: of the model.
        metadata: of its search graph.
        sha256: of the file of weights as it is.

    Returns:
        Whether the manifest held its hash.

    Raises:
        DamagedFileError: it is not the one that the manifest was written for.
        WeightsError: it is not the one that the graphs were written with.
    """
    verified = is_verified(paths.manifest, paths.weights, sha256)
    if sha256 != metadata.weights_sha256:
        raise WeightsError(
            f"{paths.weights} is damaged or belongs to another model than {paths.search.name}; "
            "get or export all three files together"
        )
    return verified


def read_metadata(path: Path) -> OnnxMetadata:
    """Read an exported graph's metadata.

    Raises:
        WeightsError: missing, truncated or foreign file.
    """
    try:
        content = path.read_bytes()
        metadata = dict(metadata_props(content))
    except OSError as error:
        raise WeightsError(f"cannot read the ONNX file {path}: {error.strerror}") from error
    except (IndexError, UnicodeDecodeError) as error:
        raise WeightsError(
            f"{path} is no ONNX file, or a truncated one; export it again"
        ) from error
    if metadata.get("format") != FORMAT:
        raise WeightsError(
            f"{path} is not a model that litetrack model export wrote (its metadata hold no "
            f"'{FORMAT}')"
        )
    try:
        return OnnxMetadata(
            role=metadata["role"],
            model_config=from_json(ModelConfig, metadata["model"], str(path)),
            tracker_config=from_json(TrackerConfig, metadata["tracker"], str(path)),
            precision=metadata["precision"],
            max_targets=int(metadata["max_targets"]),
            source_sha256=metadata["source_sha256"],
            weights_sha256=metadata["weights_sha256"],
        )
    except (KeyError, ValueError, ConfigError) as error:
        raise WeightsError(f"{path} has unusable metadata ({error}); export it again") from error
