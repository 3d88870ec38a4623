# make install   the environment in .venv/ (ROS_WHEELS=jazzy|kilted|none where no ROS 2 is sourced;
#                OPENCV=opencv-contrib for windows)
# make test      lint and every test (SLOW=0 leaves the slow ones out)
# make demo      a target tracked in a moving scene (SRC=video.mp4 for another source)
# Each does its own set-up and needs Python with venv, make, cmake and a C++ compiler.

PYTHON ?= python3
ROS_WHEELS ?=
OPENCV ?= opencv-contrib-headless
SLOW ?= 1

.PHONY: install test lint demo

install:
	@$(PYTHON) make/install.py --ros-wheels "$(ROS_WHEELS)" --opencv "$(OPENCV)"

test: lint
	.venv/bin/python -m pytest $(if $(filter 0,$(SLOW)),-m "not slow")

lint: install
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy

demo: install
	.venv/bin/litetrack demo $(if $(SRC),"$(SRC)")
