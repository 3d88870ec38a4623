"""The model family in torch."""

from litetrack_ros.dependencies import require

require("torch")  # one clear sentence where torch is not installed
