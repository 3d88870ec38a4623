# make install   the environment in .venv/ (ROS_WHEELS=jazzy|kilted|none where no ROS 2 is sourced;
#                OPENCV=opencv-contrib for windows; LOCKED=1: the versions of requirements.lock)
# make test      lint and every test (SLOW=0 leaves the slow ones out)
# make campaign  half an hour against the tracker (test/campaign; MINUTES=n, SEED=n); writes
#                campaign.json. make campaign TIER=full reaches every goal, in hours
# make soak      HOURS=n of running; writes soak.json
# make lock      requirements.lock anew (needs uv); make audit: its known vulnerabilities
# make demo      a target tracked in a moving scene (SRC=video.mp4 for another source)
# make site      the documentation in build/site/, without a warning
# make matrix    the core's tests over versions from oldest to newest (COMBINATION=, SEQUENCES=)
# make dist      wheel and sdist, checked
# make image     a container (ROS_DISTRO=humble|jazzy|lyrical|jetson); its steps: make/container.mk
# Each does its own set-up and needs Python with venv, make, cmake and a C++ compiler.

PYTHON ?= python3
ROS_WHEELS ?=
OPENCV ?= opencv-contrib-headless
SLOW ?= 1
LOCKED ?=
TIER ?= campaign

.PHONY: install test lint demo campaign soak lock audit site matrix dist lint-files pictures changelog publish

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

# From the environment's own metadata, so that only what is missing is installed.
site: install
	.venv/bin/python -m pip install --quiet --no-input "litetrack_ros[docs]"
	.venv/bin/python make/docs_site.py
	NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build --strict --quiet

# The animated pictures of the README.
pictures: install
	.venv/bin/python make/animate.py

# The Python that starts it needs no packages.
matrix:
	$(PYTHON) make/matrix.py $(if $(COMBINATION),--combination $(COMBINATION)) \
	    $(if $(SEQUENCES),--sequences $(SEQUENCES))

# Containers, workflows, the citation and the package's manifest against their own rules.
lint-files: install
	.venv/bin/python -m pip install --quiet --no-input "litetrack_ros[release]"
	.venv/bin/python make/lint_files.py

dist: install
	.venv/bin/python -m pip install --quiet --no-input "litetrack_ros[release]"
	rm -rf dist
	.venv/bin/python -m build --outdir dist .
	.venv/bin/python -m twine check --strict dist/*
	test -z "$$(find dist -type f -size +15M)"  # MiB: the models are nearly all of it

# In the form that bloom reads, of the released versions.
changelog:
	$(PYTHON) make/release.py changelog

# On a tag's checkout, with the tag's name as the version.
publish: dist
	.venv/bin/python make/release.py "$(TAG)"
	gh release create "$(TAG)" dist/* --verify-tag --notes-file build/release_notes.md

include make/container.mk
campaign: install
	.venv/bin/python test/campaign/campaign.py --tier $(TIER) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) --table

soak: install
	.venv/bin/python test/campaign/soak.py --hours $(HOURS) --table

lock:
	$(PYTHON) make/lock.py

audit:
	$(PYTHON) make/audit.py
