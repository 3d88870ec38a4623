"""``litetrack doctor``: is everything there, does it work, and what to do about what does not."""

import argparse
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from litetrack_ros.config import DEFAULT_MODEL, ModelChoice
from litetrack_ros.dependencies import require
from litetrack_ros.errors import LiteTrackError
from litetrack_ros.report.tables import write_json
from litetrack_ros.tools.arguments import add_json_argument
from litetrack_ros.version import __version__

EXIT_FAULT = 1
OK, NOTE, FAULT = "ok", "note", "FAULT"

_SELF_TEST_FRAMES = 12  # enough: an untrained model is off from the second on
_MIN_OVERLAP = 0.5  # of the default model on the drawn scene; an untrained one has about 0.1
_MAX_BACKEND_DIFFERENCE_PX = 0.5
_MIN_SHARED_MEMORY_MB = 64  # a dozen frames of 1920x1080
_PROFILES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
_MIN_SOCKET_BUFFER = 8 << 20  # bytes; an image is thousands of UDP fragments


class Finding(NamedTuple):
    """What a check found.

    Attributes:
        subject: what was looked at.
        verdict: :data:`OK`, :data:`NOTE` or :data:`FAULT`.
        text: what was found, and for the latter two what to do about it.
    """

    subject: str
    verdict: str
    text: str


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    model: str
    device: str
    support: bool
    json: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument("--model", default=DEFAULT_MODEL, help="to test with (%(default)s)")
    parser.add_argument("--device", default="cpu", help="to test on (%(default)s)")
    parser.add_argument(
        "--support",
        action="store_true",
        help="print one paste for a bug report, with hashes, a ten-second benchmark, DDS settings",
    )
    add_json_argument(parser)


def run(request: Request) -> int:
    """Run every check; exit status 1 where there is a fault."""
    groups: dict[str, Callable[[], Iterator[Finding]]] = {
        "packages": check_packages,
        "models": lambda: check_model(request.model),
        "self-test": lambda: check_tracking(request.model, request.device),
        "ROS 2": check_ros,
    }
    if request.support:
        print("```text")
    print(f"litetrack {__version__}, Python {platform.python_version()}, {platform.platform()}")
    findings: dict[str, list[Finding]] = {}
    for title, check in groups.items():
        print(f"\n{title}")
        findings[title] = []
        for finding in check():
            print(f"  {finding.verdict:5}  {finding.subject}: {finding.text}", flush=True)
            findings[title].append(finding)
    faults = sum(f.verdict == FAULT for found in findings.values() for f in found)
    print(f"\n{faults or 'no'} fault{'' if faults == 1 else 's'}")
    support = list(_print_support(request)) if request.support else []
    figures = {title: [f._asdict() for f in found] for title, found in findings.items()}
    write_json(
        request.json,
        {
            "faults": faults,
            "findings": figures,
            **({"support": support} if request.support else {}),
        },
    )
    return EXIT_FAULT if faults else 0


def _print_support(request: Request) -> Iterator[str]:
    from litetrack_ros.speed.support import report

    print("\nfor support")
    for line in report(ModelChoice(request.model, device=request.device)):
        print(f"  {line}", flush=True)
        yield line
    print("```")


def check_packages() -> Iterator[Finding]:
    """Versions, and whether a GPU can be used by those that would."""
    for name, needed in (
        ("numpy", True),
        ("cv2", True),
        ("onnxruntime", False),
        ("torch", False),
        ("safetensors", False),
    ):
        try:
            module = require(name)
        except LiteTrackError as error:
            yield Finding(name, FAULT if needed else NOTE, str(error))
            continue
        yield Finding(name, OK, str(getattr(module, "__version__", "?")) + _gpu_remark(name))
    have = [name for name in ("onnxruntime", "torch") if _has(name)]
    if not have:
        yield Finding(
            "backends",
            FAULT,
            "nothing can run a model: install onnxruntime (pip install 'litetrack_ros[onnx]') "
            "or torch (pip install 'litetrack_ros[torch]')",
        )
    yield from _check_nvidia()


def _gpu_remark(name: str) -> str:
    if name == "onnxruntime":
        import onnxruntime

        return f", providers {', '.join(onnxruntime.get_available_providers())}"
    if name == "torch":
        import torch

        count = torch.cuda.device_count()
        return f", {count} CUDA device{'' if count == 1 else 's'}"
    return ""


def _check_nvidia() -> Iterator[Finding]:
    from litetrack_ros.backends.providers import GPU_PROVIDERS
    from litetrack_ros.machine import gpu_name

    name = gpu_name()
    if not name:
        return
    usable = []
    if _has("onnxruntime"):
        import onnxruntime

        usable += [p for p in onnxruntime.get_available_providers() if p in GPU_PROVIDERS]
    if _has("torch"):
        import torch

        usable += ["torch"] if torch.cuda.is_available() else []
    if usable:
        yield Finding("GPU", OK, f"{name}, for {', '.join(usable)}")
    else:
        yield Finding(
            "GPU",
            NOTE,
            f"{name} is not used: neither onnxruntime nor torch here is built for it; "
            "doc/deployment.md says which to install",
        )


def check_model(model: str) -> Iterator[Finding]:
    """Whether the model's files are there and sound."""
    from litetrack_ros.backends.onnx_files import (
        OnnxPaths,
        check_weights,
        find_onnx,
        is_graph,
        read_pair,
    )
    from litetrack_ros.backends.registry import find_model
    from litetrack_ros.manifest import file_sha256, is_verified

    try:
        path = find_model(model)
        size = f"{path.stat().st_size / 1e6:.1f} MB in {path.parent}"
        paths = OnnxPaths.beside(path, "fp32")
        if is_verified(paths.manifest, path, file_sha256(path)):
            yield Finding(path.name, OK, f"{size}, verified")
        else:
            yield Finding(path.name, NOTE, f"{size}, {_unverified(paths.manifest)}")
        if not paths.exist():
            yield Finding(
                "ONNX form", NOTE, f"none; for more speed run: litetrack model export {model}"
            )
            return
    except LiteTrackError as error:
        yield Finding(model, FAULT, str(error))
        return
    try:
        metadata, verified = read_pair(paths if is_graph(path) else find_onnx(path, "fp32"))
        verified = check_weights(paths, metadata, file_sha256(paths.weights)) and verified
        text = f"up to {metadata.max_targets} targets in one call"
        if verified:
            yield Finding("ONNX form", OK, f"{text}, verified")
        else:
            yield Finding("ONNX form", NOTE, f"{text}, {_unverified(paths.manifest)}")
    except LiteTrackError as error:
        yield Finding("ONNX form", FAULT, str(error))


def _unverified(manifest: Path) -> str:
    return (
        f"unverified: {manifest.name} beside it does not hold its hash; where you know it is "
        "sound, make one there with sha256sum"
    )


def check_tracking(model: str, device: str) -> Iterator[Finding]:
    """Track a scene whose true boxes are known with each backend there is."""
    import numpy as np

    from litetrack_ros.backends.registry import open_backend
    from litetrack_ros.geometry import overlap
    from litetrack_ros.media.scene import DrawnScene
    from litetrack_ros.tracker.following import follow
    from litetrack_ros.tracker.state import State
    from litetrack_ros.tracker.tracker import Tracker

    boxes = {}
    for name in (name for name in ("onnx", "torch") if _has(_RUNTIME[name])):
        try:
            backend = open_backend(ModelChoice(model, name, device))
        except LiteTrackError as error:
            yield Finding(name, NOTE, str(error))
            continue
        frames, truth = zip(*DrawnScene(frames=_SELF_TEST_FRAMES), strict=True)
        results = [step.result for step in follow(Tracker(backend), frames, truth[0])]
        found = np.stack([result.box_xywh for result in results])
        gave_up = any(result.state is State.IDLE for result in results)
        mean = 0.0 if gave_up else float(overlap(found, np.stack(truth))[1:].mean())
        median_ms = np.median([result.timing.total_ms for result in results[1:]])
        text = (
            f"provider {backend.info.provider}, {median_ms:.1f} ms a frame, "
            f"overlap with the drawn target {mean:.2f}"
        )
        if mean >= _MIN_OVERLAP:
            boxes[name] = found
            yield Finding(name, OK, text)
        else:
            yield Finding(name, FAULT, f"{text}: get the model again, then report this")
    if len(boxes) == 2:
        worst = float(np.abs(boxes["onnx"] - boxes["torch"]).max())
        verdict = OK if worst <= _MAX_BACKEND_DIFFERENCE_PX else FAULT
        advice = "" if verdict == OK else f"; export again: litetrack model export {model}"
        yield Finding("backends agree", verdict, f"boxes within {worst:.3f} px{advice}")
    elif not boxes:
        yield Finding(
            "tracking", FAULT, f"'{model}' was tracked by no backend on {device}: see above"
        )


_RUNTIME = {"onnx": "onnxruntime", "torch": "torch"}


def check_ros() -> Iterator[Finding]:
    """ROS, our messages, and the settings on which images get lost."""
    try:
        require("rclpy")
    except LiteTrackError as error:
        yield Finding("rclpy", NOTE, f"no node can run: {error}")
        return
    yield Finding("rclpy", OK, f"ROS 2 {os.environ.get('ROS_DISTRO', '(ROS_DISTRO is not set)')}")
    try:
        require("litetrack_ros.msg")
        yield Finding("messages", OK, "built")
    except LiteTrackError:
        yield Finding(
            "messages",
            FAULT,
            "not built or not sourced: build the package (colcon build, then source "
            "install/setup.bash; or make install in a checkout)",
        )
    yield from check_transport(os.environ)


def check_transport(environment: os._Environ[str] | dict[str, str]) -> Iterator[Finding]:
    """DDS: which one, how far it reaches, and whether images fit through it."""
    rmw = environment.get("RMW_IMPLEMENTATION", "")
    domain = environment.get("ROS_DOMAIN_ID", "0")
    reach = environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE") or (
        "LOCALHOST" if environment.get("ROS_LOCALHOST_ONLY") == "1" else "SUBNET"
    )
    yield Finding("DDS", OK, f"{rmw or 'the default'}, domain {domain}, range {reach}")
    for name in _PROFILES:
        path = environment.get(name)
        if path:
            there = Path(path).is_file()
            text = path if there else f"{path} does not exist: mend or unset the variable"
            yield Finding(name, OK if there else FAULT, text)
    if "cyclone" not in rmw and not any(environment.get(name) for name in _PROFILES):
        from litetrack_ros.node.dds import image_profile_path, profiles_variable

        yield Finding(
            "Fast DDS profile",
            NOTE,
            "none; its default shared memory is smaller than an image: export "
            f"{profiles_variable()}={image_profile_path()}",
        )
    if "cyclone" in rmw and not environment.get("CYCLONEDDS_URI"):
        yield Finding("CYCLONEDDS_URI", NOTE, "not set; large images may need bigger buffers")
    yield from _check_kernel(reach)


def _check_kernel(reach: str) -> Iterator[Finding]:
    shared = Path("/dev/shm")
    if shared.is_dir():
        free = shutil.disk_usage(shared).free / 1e6
        enough = free >= _MIN_SHARED_MEMORY_MB
        text = f"{free:.0f} MB free"
        advice = "; images go through it: in a container use --ipc=host or --shm-size=512m"
        yield Finding("shared memory", OK if enough else FAULT, text + ("" if enough else advice))
    try:
        limit = int(Path("/proc/sys/net/core/rmem_max").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if limit >= _MIN_SOCKET_BUFFER or reach == "LOCALHOST":
        yield Finding("socket buffer", OK, f"{limit} bytes")
    else:
        yield Finding(
            "socket buffer",
            NOTE,
            f"{limit} bytes; images from another machine may get lost: "
            f"sudo sysctl -w net.core.rmem_max={_MIN_SOCKET_BUFFER}",
        )


def _has(name: str) -> bool:
    try:
        require(name)
    except LiteTrackError:
        return False
    return True
