"""LiteTrack visual object tracking: a library, the ``litetrack`` command and a ROS 2 node."""

from pkgutil import extend_path

__version__ = "0.1.0"

# The generated messages (litetrack_ros.msg) lie in the folder of the ROS installation. Where this
# source tree is found first, extend_path adds that folder, so that both are one package.
__path__ = extend_path(__path__, __name__)
