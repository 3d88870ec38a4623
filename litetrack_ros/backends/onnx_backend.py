"""Runs an exported model with onnxruntime, on a CPU or a GPU, without PyTorch."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from litetrack_ros.backends.base import BackendInfo, Crops, Predictions, TemplateFeatures
from litetrack_ros.backends.onnx_files import (
    BOXES,
    CROPS,
    KEYS,
    RESULT,
    SCORES,
    VALUES,
    OnnxMetadata,
    OnnxPaths,
    check_weights,
    input_shapes,
    read_pair,
    takes_boxes,
)
from litetrack_ros.backends.providers import (
    CPU,
    GPU_PROVIDERS,
    TENSORRT,
    Plan,
    cache_folder,
    plan_providers,
    provider_options,
    tensorrt_version,
)
from litetrack_ros.crop import CropRegion, extract_crops
from litetrack_ros.dependencies import require
from litetrack_ros.errors import BackendError, WeightsError
from litetrack_ros.images import ColorOrder, Image, Uint8Image
from litetrack_ros.machine import core_count, cpu_name, gpu_name
from litetrack_ros.manifest import file_sha256

ort = require("onnxruntime")

_log = logging.getLogger(__name__)

Answer = list[npt.NDArray[np.float32]]  # a call's results (targets, 6) and scores (targets, cells)


class OnnxBackend:
    """An exported model's two graphs in onnxruntime; ready to track when built.

    Building it runs both graphs once: TensorRT compiles its engines there (minutes, the first time
    on a machine; they are kept in the user's cache folder), never inside the first frame.

    Args:
        paths: the model's files.
        device: ``auto``, ``cpu``, ``cuda``, ``tensorrt`` or ``openvino``; ``cuda`` prefers
            TensorRT where it is built in; ``cuda`` and ``tensorrt`` take ``:N``.
        threads: CPU threads of one call; 0 is one a core.
        allow_fallback: go on with another provider than those asked for.

    Raises:
        WeightsError: damaged or foreign files, or files that do not belong together.
        BackendError: the device cannot be had.
    """

    def __init__(
        self,
        paths: OnnxPaths,
        device: str = "cpu",
        threads: int = 0,
        allow_fallback: bool = False,
    ) -> None:
        metadata, graphs_verified = read_pair(paths)
        self.model_config = metadata.model_config
        self.tracker_config = metadata.tracker_config
        self.max_targets = metadata.max_targets
        plan = plan_providers(device, ort.get_available_providers(), allow_fallback)
        hardware = gpu_name(plan.device_id) if plan.uses_gpu else cpu_name()
        graphs = "".join(file_sha256(path) for path in (paths.template, paths.search))
        version = f"{ort.__version__} {tensorrt_version() if TENSORRT in plan.wanted else ''}"
        cache = cache_folder(metadata.weights_sha256, graphs, version, hardware)
        if TENSORRT in plan.wanted:
            _announce_engine_build(cache)
        loader = _SessionLoader(plan, threads, metadata, cache)
        # Hashed while onnxruntime is at work, and before anything runs: on another core it costs
        # no time. Where it is the weights' fault that they cannot be loaded, that is what is said.
        with ThreadPoolExecutor(1, "litetrack_hash") as pool:
            sha256 = pool.submit(file_sha256, paths.weights)
            try:
                self._template = loader.load(paths.template, "template")
                self._search = loader.load(paths.search, "search")
            finally:
                weights_verified = check_weights(paths, metadata, sha256.result())
        provider = plan.check(self._search.get_providers(), allow_fallback)
        self._runner: _DeviceSearch | _HostSearch
        if provider in GPU_PROVIDERS:
            self._runner = _DeviceSearch(self._search, plan.device_id, self.max_targets)
        else:
            # With other providers than onnxruntime's own, threads are their affair.
            workers = (threads or core_count()) if provider == CPU else 1
            single = _SessionLoader(plan, 1, metadata, cache)
            self._runner = _HostSearch(
                self._search, lambda: single.load(paths.search, "search"), workers
            )
        self.info = BackendInfo(
            backend="onnx",
            provider=provider,
            device_name=hardware if provider in plan.wanted else cpu_name(),
            precision=metadata.precision,
            model_name=metadata.model_config.name,
            model_sha256=metadata.source_sha256,
            is_verified=graphs_verified and weights_verified,
        )
        self._warm_up()

    def encode_template(
        self, crops: Uint8Image, boxes_xyxy_norm: npt.NDArray[np.float32]
    ) -> TemplateFeatures:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        boxes = np.asarray(boxes_xyxy_norm, dtype=np.float32)
        chunks = []
        for rows in _chunks(len(crops), self.max_targets):
            feed: dict[str, Any] = {CROPS: np.ascontiguousarray(crops[rows])}
            if takes_boxes(self.model_config):
                feed[BOXES] = boxes[rows]
            keys, *values = self._template.run(None, feed)
            chunks.append(TemplateFeatures(keys, values[0] if values else None))
        return self.stack(chunks)

    def with_recent(self, first: TemplateFeatures, recent: TemplateFeatures) -> TemplateFeatures:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        tokens = self.model_config.template_grid**2
        halves = [
            (ours[..., :tokens, :], theirs[..., tokens:, :])
            for ours, theirs in zip(first, recent, strict=True)
        ]
        return TemplateFeatures(*(np.concatenate(both, axis=-2) for both in halves))

    def stack(self, templates: Sequence[TemplateFeatures]) -> TemplateFeatures:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        if len(templates) == 1:
            return templates[0]
        keys = np.concatenate([t.keys for t in templates])
        if templates[0].values is None:
            return TemplateFeatures(keys, None)
        return TemplateFeatures(keys, np.concatenate([t.values for t in templates]))

    def token_keys(self, template: TemplateFeatures) -> npt.NDArray[np.float32]:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        keys = np.asarray(template.keys, dtype=np.float32).transpose(0, 3, 1, 2, 4)
        return keys.reshape(*keys.shape[:2], -1)

    def cut(self, image: Image, regions: Sequence[CropRegion], color_order: ColorOrder) -> Crops:
        """See :class:`litetrack_ros.backends.base.Backend`; always here."""
        return extract_crops(image, regions, color_order)

    def search(self, crops: Crops, templates: TemplateFeatures) -> Predictions:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        parts = self._runner.run(crops, templates)
        return Predictions.of(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def _warm_up(self) -> None:
        model = self.model_config
        template = self.encode_template(
            np.zeros((1, model.template_size, model.template_size, 3), dtype=np.uint8),
            np.array([[0.25, 0.25, 0.75, 0.75]], dtype=np.float32),
        )
        self.search(np.zeros((1, model.search_size, model.search_size, 3), np.uint8), template)


class _SessionLoader:
    """Opens graphs with one set of options."""

    def __init__(self, plan: Plan, threads: int, metadata: OnnxMetadata, cache: Path) -> None:
        self._plan, self._threads, self._metadata, self._cache = plan, threads, metadata, cache

    def load(self, path: Path, role: str) -> Any:
        """An ``InferenceSession``.

        Raises:
            WeightsError: onnxruntime cannot read the graph.
            BackendError: it cannot run it on the providers.
        """
        session_options = ort.SessionOptions()
        session_options.intra_op_num_threads = self._threads
        session_options.inter_op_num_threads = 1  # the graph is a chain
        session_options.log_severity_level = 3  # errors; warnings about every shape are not ours
        # Threads that spin for the next operator would keep a core busy after every call.
        session_options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = provider_options(
            self._plan,
            self._metadata.precision,
            self._cache,
            input_shapes(role, self._metadata.model_config, "targets"),
            self._metadata.max_targets,
        )
        try:
            return ort.InferenceSession(str(path), session_options, providers=providers)
        except _GRAPH_ERRORS as error:
            raise WeightsError(f"onnxruntime refuses {path}: {_first_line(error)}") from error
        except _RUNTIME_ERRORS as error:
            raise BackendError(
                f"onnxruntime cannot run {path.name} on device '{self._plan.device}': "
                f"{_first_line(error)}"
            ) from error


class _HostSearch:
    """The search step on a CPU: each target by itself, several at a time.

    A batch would fall out of the caches and cost more than its targets one by one; and a thread
    with a target of its own needs not wait for the others after every operator.
    """

    def __init__(self, session: Any, open_single: Callable[[], Any], workers: int) -> None:
        self._session = session
        self._open_single, self._workers = open_single, workers
        self._single: Any = None  # a session of one thread, opened for the second target
        self._pool: ThreadPoolExecutor | None = None

    def run(self, crops: Uint8Image, templates: TemplateFeatures) -> list[Answer]:
        """The answer for each target."""
        feeds = [_search_feed(crops, templates, rows) for rows in _chunks(len(crops), 1)]
        if len(feeds) == 1 or self._workers == 1:
            return [self._session.run(_OUTPUTS, feed) for feed in feeds]
        if self._pool is None:
            self._single = self._open_single()
            self._pool = ThreadPoolExecutor(self._workers, "litetrack_search")
        return list(self._pool.map(lambda feed: self._single.run(_OUTPUTS, feed), feeds))


class _DeviceSearch:
    """The search step on a GPU, with its inputs bound there; templates are copied once."""

    def __init__(self, session: Any, device_id: int, max_targets: int) -> None:
        self._session, self._device_id, self._max_targets = session, device_id, max_targets
        self._bound: dict[int, _Binding] = {}  # by number of targets

    def run(self, crops: Uint8Image, templates: TemplateFeatures) -> list[Answer]:
        """The answers for the targets, a call's together."""
        parts = []
        for rows in _chunks(len(crops), self._max_targets):
            targets = rows.stop - rows.start
            if targets not in self._bound:
                device = ("cuda", self._device_id)
                self._bound[targets] = _Binding(self._session, targets, device)
            parts.append(self._bound[targets].run(crops, templates, rows))
        return parts


class _Binding:
    """Inputs and outputs at fixed places on the device, for one number of targets."""

    def __init__(self, session: Any, targets: int, device: tuple[str, int]) -> None:
        self._session = session
        self._source: tuple[Any, int] | None = None
        self._binding = session.io_binding()
        self._values = {}
        for node in session.get_inputs():
            shape = [targets if isinstance(d, str) else d for d in node.shape]
            blank = np.zeros(shape, dtype=_NUMPY_TYPES[node.type])
            value = ort.OrtValue.ortvalue_from_numpy(blank, *device)
            self._values[node.name] = value
            self._binding.bind_ortvalue_input(node.name, value)
        self._results = []
        for node in session.get_outputs():
            shape = [targets if isinstance(d, str) else d for d in node.shape]
            blank = np.zeros(shape, dtype=_NUMPY_TYPES[node.type])
            value = ort.OrtValue.ortvalue_from_numpy(blank, *device)
            self._results.append(value)
            self._binding.bind_ortvalue_output(node.name, value)

    def run(self, crops: Uint8Image, templates: TemplateFeatures, rows: slice) -> Answer:
        """Copy the crops in, the templates too if they are other ones than last time, and run."""
        feed = _search_feed(crops, templates, rows)
        # The array itself is remembered, not its id, which another array may take over.
        source = (templates.keys, rows.start)
        known = self._source is not None and self._source[0] is source[0]
        if not (known and self._source is not None and self._source[1] == source[1]):
            for name in feed.keys() - {CROPS}:
                self._values[name].update_inplace(feed[name])
            self._source = source
        self._values[CROPS].update_inplace(feed[CROPS])
        self._session.run_with_iobinding(self._binding)
        return [value.numpy() for value in self._results]


_OUTPUTS = [RESULT, SCORES]  # in the order of the graph's
_NUMPY_TYPES = {
    "tensor(uint8)": np.uint8,
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
}
_STATE = ort.capi.onnxruntime_pybind11_state
_GRAPH_ERRORS = (_STATE.InvalidProtobuf, _STATE.InvalidGraph, _STATE.NoSuchFile, _STATE.NoModel)
_RUNTIME_ERRORS = (
    _STATE.EPFail,
    _STATE.EngineError,
    _STATE.Fail,
    _STATE.InvalidArgument,
    _STATE.NotImplemented,
    _STATE.RuntimeException,
)


def _chunks(targets: int, most: int) -> list[slice]:
    return [slice(first, min(first + most, targets)) for first in range(0, targets, most)]


def _search_feed(crops: Uint8Image, templates: TemplateFeatures, rows: slice) -> dict[str, Any]:
    feed = {CROPS: np.ascontiguousarray(crops[rows]), KEYS: templates.keys[rows]}
    if templates.values is not None:
        feed[VALUES] = templates.values[rows]
    return feed


def _announce_engine_build(cache: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    if not any(cache.glob("*.engine")):
        _log.warning(
            "TensorRT builds its engines now, which takes minutes the first time on a machine; "
            "they are kept in %s",
            cache,
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
