# The steps of the containers. Each RUN of containers/Dockerfile* is one of these targets, and each
# runs outside a container too: in a checkout on Ubuntu with a ROS 2 in /opt/ros, or with another
# ROS that is sourced. Those that install packages of the system need to be root.

include containers/versions.mk

ROS_DISTRO ?= jazzy
# Where the built package and its Python go; the image's stages copy this folder.
PREFIX ?= build/container
ONNXRUNTIME ?= $(ONNXRUNTIME_$(ROS_DISTRO))
PIP_INDEX ?= https://pypi.org/simple
COLCON ?= colcon
COLCON_ARGUMENTS ?=
WORKSPACE_PYTHON ?= python3
# What rosdep is not to install: PyTorch is for tools and tests alone.
SKIP_KEYS := python3-torch
APT := apt-get install --yes --no-install-recommends
SOURCED := if [ -f /opt/ros/$(ROS_DISTRO)/setup.sh ]; then . /opt/ros/$(ROS_DISTRO)/setup.sh; fi;

.PHONY: system-packages build-packages camera-packages ros-source workspace runtime-python
.PHONY: runtime-python-jetson
.PHONY: ros-test image sources-image

# What the package runs with.
system-packages:
	apt-get update
	$(APT) python3-venv python3-rosdep
	[ -f /etc/ros/rosdep/sources.list.d/20-default.list ] || rosdep init
	rosdep update --rosdistro $(ROS_DISTRO)
	rosdep install --rosdistro $(ROS_DISTRO) --from-paths . --ignore-src --default-yes \
	    --dependency-types=exec --skip-keys "$(SKIP_KEYS)"
	rm -rf /var/lib/apt/lists/*

# What building it needs besides.
build-packages:
	apt-get update
	$(APT) build-essential cmake python3-colcon-common-extensions
	rosdep install --rosdistro $(ROS_DISTRO) --from-paths . --ignore-src --default-yes \
	    --dependency-types=buildtool --dependency-types=build --skip-keys "$(SKIP_KEYS)"
	rm -rf /var/lib/apt/lists/*

# A driver for cameras that Linux knows by itself, and the player of bags.
camera-packages:
	apt-get update
	$(APT) ros-$(ROS_DISTRO)-v4l2-camera ros-$(ROS_DISTRO)-rosbag2
	rm -rf /var/lib/apt/lists/*

# ROS's package source on a system that came without it (Jetson's image).
ros-source:
	apt-get update
	$(APT) ca-certificates curl
	curl --fail --location --silent --output /tmp/ros-apt-source.deb "https://github.com/ros-infrastructure/ros-apt-source/releases/download/$(ROS_APT_SOURCE)/ros2-apt-source_$(ROS_APT_SOURCE).$$(. /etc/os-release && echo $$VERSION_CODENAME)_all.deb"
	apt-get install --yes /tmp/ros-apt-source.deb
	rm -rf /tmp/ros-apt-source.deb /var/lib/apt/lists/*

# The package and its messages, in $(PREFIX)/ros.
workspace:
	$(SOURCED) $(COLCON) --log-base $(PREFIX)-build/log build --base-paths . \
	    --build-base $(PREFIX)-build --install-base $(PREFIX)/ros --merge-install \
	    --cmake-args -DBUILD_TESTING=OFF $(COLCON_ARGUMENTS)

# onnxruntime beside the system's Python packages, in $(PREFIX)/python.
runtime-python:
	$(WORKSPACE_PYTHON) -m venv --system-site-packages $(PREFIX)/python
	$(PREFIX)/python/bin/python -m pip install --quiet --no-input --no-cache-dir \
	    --index-url $(PIP_INDEX) "$(ONNXRUNTIME)"

# The same with NVIDIA's build, which has TensorRT and CUDA.
runtime-python-jetson:
	$(MAKE) runtime-python ONNXRUNTIME="$(JETSON_ONNXRUNTIME)" PIP_INDEX="$(JETSON_INDEX)"

# The tests with the ROS of a container or of this machine.
ros-test:
	$(SOURCED) $(MAKE) test SLOW=$(SLOW)

image:
	docker build --file containers/Dockerfile$(if $(filter jetson,$(ROS_DISTRO)),.jetson) \
	    --build-arg BASE=$(if $(filter jetson,$(ROS_DISTRO)),$(JETSON_IMAGE),$(ROS_IMAGE_$(ROS_DISTRO))) \
	    --tag litetrack_ros:$(ROS_DISTRO) .

# What compose.yaml plays to the node.
sources-image:
	docker build --file containers/Dockerfile --target sources \
	    --build-arg BASE=$(ROS_IMAGE_$(ROS_DISTRO)) --tag litetrack_ros_sources:$(ROS_DISTRO) .
