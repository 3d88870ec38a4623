"""LiteTrack visual object tracking: a library, the ``litetrack`` command and a ROS 2 node.

What a user of the library needs stands here; each name's docstring has an example that runs.

Examples:
    >>> import litetrack_ros as lt
    >>> from litetrack_ros.media.scene import DrawnScene
    >>> (first, init_box), *later = DrawnScene(frames=3)
    >>> tracker = lt.Tracker(lt.open_backend())
    >>> result = tracker.init(first, init_box)
    >>> for image, true_box in later:
    ...     result = tracker.update(image)
    >>> result.state.name, bool(abs(result.box_xywh - true_box).max() < 10)
    ('TRACKING', True)
"""

import importlib
from pkgutil import extend_path
from typing import TYPE_CHECKING, Any

from litetrack_ros.version import __version__ as __version__

if TYPE_CHECKING:
    from litetrack_ros.backends.registry import open_backend
    from litetrack_ros.config import ModelChoice, TrackerConfig
    from litetrack_ros.errors import LiteTrackError
    from litetrack_ros.media.sources import open_source
    from litetrack_ros.tracker.following import follow
    from litetrack_ros.tracker.result import TrackResult
    from litetrack_ros.tracker.state import State
    from litetrack_ros.tracker.tracker import MultiTracker, Tracker

__all__ = [
    "LiteTrackError",
    "ModelChoice",
    "MultiTracker",
    "State",
    "TrackResult",
    "Tracker",
    "TrackerConfig",
    "follow",
    "open_backend",
    "open_source",
]

# The generated messages (litetrack_ros.msg) lie in the folder of the ROS installation. Where this
# source tree is found first, extend_path adds that folder, so that both are one package.
__path__ = extend_path(__path__, __name__)

# Where each name comes from when it is first asked for: importing the package imports no OpenCV,
# torch or onnxruntime, which the command's help and the messages do without.
_HOMES = {
    "LiteTrackError": "errors",
    "ModelChoice": "config",
    "MultiTracker": "tracker.tracker",
    "State": "tracker.state",
    "TrackResult": "tracker.result",
    "Tracker": "tracker.tracker",
    "TrackerConfig": "config",
    "follow": "tracker.following",
    "open_backend": "backends.registry",
    "open_source": "media.sources",
}

if not TYPE_CHECKING:  # a type checker would take any name from it

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value  # the next time it is found without this function
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
