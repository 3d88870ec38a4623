"""OpenCV for the rest of the package: ``from litetrack_ros.opencv import cv2``."""

from litetrack_ros.dependencies import require

require("cv2")  # one clear sentence where no flavour of OpenCV is installed

import cv2 as cv2  # noqa: E402  (after the check; "as" makes it a public name)
