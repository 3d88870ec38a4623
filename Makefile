# make install   the environment in .venv/ (ROS_WHEELS=jazzy|kilted|none where no ROS 2 is sourced;
#                OPENCV=opencv-contrib for windows; LOCKED=1: the versions of requirements.lock)
# make test      lint and every test (SLOW=0 leaves the slow ones out)
# make campaign  half an hour against the tracker (test/campaign; MINUTES=n, SEED=n); writes
#                campaign.json. make campaign TIER=full reaches every goal, in hours
# make soak      HOURS=n of running; writes soak.json
# make lock      requirements.lock anew (needs uv); make audit: its known vulnerabilities
# make demo      a target tracked in a moving scene (SRC=video.mp4 for another source)
# Each does its own set-up and needs Python with venv, make, cmake and a C++ compiler.

PYTHON ?= python3
ROS_WHEELS ?=
OPENCV ?= opencv-contrib-headless
SLOW ?= 1
LOCKED ?=
TIER ?= campaign

.PHONY: install test lint demo campaign soak lock audit

install:
	@$(PYTHON) make/install.py --ros-wheels "$(ROS_WHEELS)" --opencv "$(OPENCV)" --locked "$(LOCKED)"

test: lint
	.venv/bin/python -m pytest $(if $(filter 0,$(SLOW)),-m "not slow")

lint: install
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy

demo: install
	.venv/bin/litetrack demo $(if $(SRC),"$(SRC)")

campaign: install
	.venv/bin/python test/campaign/campaign.py --tier $(TIER) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) --table

soak: install
	.venv/bin/python test/campaign/soak.py --hours $(HOURS) --table

lock:
	$(PYTHON) make/lock.py

audit:
	$(PYTHON) make/audit.py
