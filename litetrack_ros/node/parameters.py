"""The node's parameters: one table with type, default, range and meaning.

Defaults live here and nowhere else; config/tracker.yaml and doc/components.md are tested against
this table. Declaring them takes a node (:mod:`litetrack_ros.node.declaration`), the table no ROS.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from litetrack_ros.config import BACKENDS, DEFAULT_CHOICE
from litetrack_ros.errors import ConfigError, shown
from litetrack_ros.image_headers import FORMATS
from litetrack_ros.node.conversion import DEFAULT_LIMITS

Value = bool | int | float | str


@dataclass(frozen=True)
class Spec:
    """A parameter.

    Attributes:
        name: as in YAML.
        default: its type is the parameter's type.
        description: one sentence, with the unit.
        low, high: range of a number, both included.
        choices: the words allowed, empty for any.
        live: may change while the node is configured.
    """

    name: str
    default: Value
    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False

    def check(self, value: Value) -> None:
        """Raise ConfigError, with a sentence, for a value out of range."""
        if self.choices and value not in self.choices:
            raise ConfigError(
                f"parameter {self.name} is '{shown(str(value))}', but must be one of "
                f"{', '.join(self.choices)}"
            )
        if self.low is not None and self.high is not None:
            assert not isinstance(value, str)  # only numbers have a range
            if not self.low <= value <= self.high:
                raise ConfigError(
                    f"parameter {self.name} is {value}, but must be from {self.low:g} to "
                    f"{self.high:g}"
                )


_MODELS_OWN = "negative: the value stored with the model"

SPECS: tuple[Spec, ...] = (
    Spec("autostart", True, "configure and activate at start; without it, wait for transitions"),
    Spec("model", DEFAULT_CHOICE.model, "name of a shipped model, or path of a weights file"),
    Spec(
        "backend",
        DEFAULT_CHOICE.backend,
        "what runs the model; auto is onnx where the model was exported, else torch",
        choices=BACKENDS,
    ),
    Spec(
        "device",
        DEFAULT_CHOICE.device,
        "where the model runs: cpu, cuda, cuda:N or auto; with onnx tensorrt and openvino too",
    ),
    Spec(
        "precision", DEFAULT_CHOICE.precision, "arithmetic of the model: fp32, fp16, bf16 or int8"
    ),
    Spec(
        "allow_fallback",
        DEFAULT_CHOICE.allow_fallback,
        "run on the CPU where the device cannot be had or fails, rather than refuse or end",
    ),
    Spec(
        "threads",
        DEFAULT_CHOICE.threads,
        "CPU threads of a model call; 0 is the backend's own choice",
        0,
        1024,
    ),
    Spec("image_transport", "raw", "form of the images", choices=("raw", "compressed")),
    Spec(
        "compressed_formats",
        ",".join(DEFAULT_LIMITS.formats),
        f"formats of compressed images that are decoded, with commas, out of {', '.join(FORMATS)}",
    ),
    Spec(
        "max_image_pixels",
        DEFAULT_LIMITS.max_pixels,
        "largest image that is taken, width times height",
        1,
        1_000_000_000,
    ),
    Spec("max_targets", 1, "targets to follow; with 1 a new target replaces the old", 1, 64),
    Spec("ring_s", 3.0, "recent images kept for selections, s", 0.0, 60.0),
    Spec(
        "ring_mb",
        128,
        "recent images kept for selections, megabytes at most; old ones are reduced to fit",
        1,
        16384,
    ),
    Spec("publish_detections", False, "also publish vision_msgs/Detection2DArray"),
    Spec("default_class", "object", "class_id of the targets in ~/detections"),
    Spec("bearing", False, "publish ~/bearings; needs camera_info beside the images"),
    Spec("rectified", False, "the images are rectified: camera_info's P counts, and no distortion"),
    Spec(
        "predict_ms",
        -1.0,
        "publish ~/predicted_boxes: -1 never, 0 for when it goes out, else so far ahead, ms",
        -1.0,
        1000.0,
    ),
    Spec(
        "predict_rate_hz",
        0.0,
        "predictions a second; 0 is one with each image's boxes, Hz",
        0.0,
        1000.0,
    ),
    Spec(
        "predict_max_ms",
        500.0,
        "how long after it was last TRACKING a target is predicted, ms",
        0.0,
        10000.0,
    ),
    Spec(
        "turning",
        "off",
        "what tells the camera's own turning: off, imu (topic imu) or odometry (topic odometry)",
        choices=("off", "imu", "odometry"),
    ),
    Spec(
        "turning_rotation",
        "",
        "quaternion x,y,z,w from that sensor's frame to the optical one; empty: from tf2",
    ),
    Spec(
        "turning_offset_ms",
        0.0,
        "added to that sensor's stamps to be on the images' clock, ms",
        -1000.0,
        1000.0,
    ),
    Spec("range_from_depth", False, "publish ~/ranges from the aligned depth images on depth"),
    Spec(
        "target_height_m",
        0.0,
        "without depth, publish ~/ranges of targets of this height, m; 0 is never",
        0.0,
        1000.0,
    ),
    Spec(
        "target_frame",
        "",
        "frame of positions, boxes and markers in space, by tf2; empty: the camera's",
    ),
    Spec("publish_tf", False, "also publish each target's place as the frame target_ID by tf2"),
    Spec(
        "catch_up_max_ms",
        200.0,
        "time to bring a track from the image of its init box to the newest image, ms",
        0.0,
        10000.0,
        live=True,
    ),
    Spec(
        "init_stamp_tolerance_ms",
        50.0,
        "how far an init box's stamp may be from the nearest image's if none is equal, ms",
        0.0,
        10000.0,
        live=True,
    ),
    Spec(
        "init_wait_ms",
        1000.0,
        "how long an init box may wait for an image with its stamp, ms",
        0.0,
        60000.0,
        live=True,
    ),
    Spec(
        "no_image_timeout_s",
        3.0,
        "warn after this long without an image, s",
        0.1,
        3600.0,
        live=True,
    ),
    Spec(
        "stale_stamp_ms",
        1000.0,
        "warn of image stamps that are older than this, or this far in the future, ms",
        1.0,
        1e7,
        live=True,
    ),
    Spec(
        "lost_timeout_s",
        30.0,
        "how long a target may be LOST until it is given up, s; 0 is for ever",
        0.0,
        86400.0,
        live=True,
    ),
    Spec(
        "model_call_max_s",
        5.0,
        "report a model call that takes longer, s",
        0.001,
        3600.0,
        live=True,
    ),
    Spec(
        "stuck_call_s",
        60.0,
        "end the process, with status 3, when a model call has not returned for so long, s; "
        "0 is never",
        0.0,
        86400.0,
        live=True,
    ),
    Spec(
        "reselect",
        False,
        "follow a LOST target again where one of the `detections` looks as it did at first",
        live=True,
    ),
    Spec("debug_image", True, "publish ~/debug_image while somebody listens", live=True),
    Spec(
        "preview_size_px",
        640,
        "longest side of the pictures on ~/preview/compressed, px",
        16,
        8192,
        live=True,
    ),
    Spec(
        "preview_rate_hz",
        15.0,
        "pictures a second on ~/preview/compressed at most, Hz; 0 is none",
        0.0,
        1000.0,
        live=True,
    ),
    Spec("preview_quality", 70, "JPEG quality of ~/preview/compressed", 1, 100, live=True),
    Spec(
        "lost_threshold",
        -1.0,
        f"score of the candidate below which an image counts as a miss; 0 is never; {_MODELS_OWN}",
        -1.0,
        1.0,
        live=True,
    ),
    Spec(
        "lost_after_frames",
        -1,
        f"misses in a row until a target is LOST; {_MODELS_OWN}",
        -1,
        10000,
        live=True,
    ),
    Spec(
        "found_threshold",
        -1.0,
        f"score of the candidate that counts as a hit while LOST; {_MODELS_OWN}",
        -1.0,
        1.0,
        live=True,
    ),
    Spec(
        "found_after_frames",
        -1,
        f"hits in a row until a LOST target is TRACKING again; {_MODELS_OWN}",
        -1,
        10000,
        live=True,
    ),
    Spec(
        "idle_after_frames",
        -1,
        f"LOST images until a target is given up; 0 is never; {_MODELS_OWN}",
        -1,
        1000000,
        live=True,
    ),
    Spec(
        "search_growth",
        -1.0,
        f"growth of the search region per LOST image, factor from 1; {_MODELS_OWN}",
        -1.0,
        2.0,
        live=True,
    ),
    Spec(
        "max_search_scale",
        -1.0,
        f"limit of that growth, factor from 1; {_MODELS_OWN}",
        -1.0,
        10.0,
        live=True,
    ),
    Spec(
        "search_crops",
        -1,
        f"regions searched elsewhere in an image while targets are LOST; 0 is none; {_MODELS_OWN}",
        -1,
        100,
        live=True,
    ),
    Spec(
        "size_smoothing",
        -1.0,
        f"weight of the newly predicted size, above 0 to 1; 1 is no smoothing; {_MODELS_OWN}",
        -1.0,
        1.0,
        live=True,
    ),
)
BY_NAME: dict[str, Spec] = {spec.name: spec for spec in SPECS}

# Names of the release before, and what to set instead.
RENAMED = {"ring_frames": "ring_s"}

# Parameters of ROS itself that may stand beside ours in a YAML file.
_ROS_OWN = ("use_sim_time", "start_type_description_service", "qos_overrides.")


def unknown_parameters(names: Iterable[str]) -> list[str]:
    """A sentence for each name that is no parameter of this node, with the nearest one."""
    warnings = []
    for name in names:
        if name in BY_NAME or name.startswith(_ROS_OWN):
            continue
        if name in RENAMED:
            warnings.append(f"parameter {name} has no effect any more: set {RENAMED[name]}")
            continue
        near = difflib.get_close_matches(name, BY_NAME, n=1, cutoff=0.0)
        warnings.append(f"there is no parameter {name}; the nearest name is {near[0]}")
    return warnings
