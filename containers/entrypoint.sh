#!/bin/bash
# Runs a command with ROS 2, this package's messages and onnxruntime on their paths.
set -e
for setup in "/opt/ros/${ROS_DISTRO}/setup.bash" /opt/litetrack/ros/setup.bash; do
  # shellcheck disable=SC1090
  if [ -f "${setup}" ]; then source "${setup}"; fi
done
for packages in /opt/litetrack/python/lib/python3*/site-packages; do
  export PYTHONPATH="${PYTHONPATH}:${packages}"
done
export PATH="${PATH}:/opt/litetrack/ros/lib/litetrack_ros"
exec "$@"
