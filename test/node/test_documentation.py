"""doc/components.md and config/tracker.yaml say what the code says."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import yaml

from litetrack_ros.config import TrackerConfig
from litetrack_ros.errors import ConfigError
from litetrack_ros.node.conversion import ENCODINGS
from litetrack_ros.node.events import EventKind
from litetrack_ros.node.parameters import (
    BY_NAME,
    SPECS,
    Spec,
    unknown_parameters,
)
from litetrack_ros.node.requests import Outcome
from litetrack_ros.node.settings import model_choice, tracker_config


def _row(spec: Spec) -> list[str]:
    default = str(spec.default).lower() if isinstance(spec.default, bool) else str(spec.default)
    limits = ", ".join(spec.choices)
    if spec.low is not None:
        limits = f"{spec.low:g} to {spec.high:g}"
    live = "yes" if spec.live else "no"
    kind = type(spec.default).__name__
    return [f"`{spec.name}`", kind, f"`{default}`", limits, live, spec.description]


def _tables(root: Path, heading: str) -> list[list[str]]:
    """The rows of a section's table."""
    text = (root / "doc" / "components.md").read_text(encoding="utf-8")
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_document_lists_every_parameter(root: Path) -> None:
    assert _tables(root, "Parameters") == [_row(spec) for spec in SPECS]


def test_the_parameter_file_holds_every_default_with_a_comment(root: Path) -> None:
    text = (root / "config" / "tracker.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)["/**"]["ros__parameters"]
    assert values == {spec.name: spec.default for spec in SPECS}
    assert [type(v) for v in values.values()] == [type(BY_NAME[name].default) for name in values]
    lines = [line.strip() for line in text.splitlines()]
    for name in values:
        position = next(i for i, line in enumerate(lines) if line.startswith(f"{name}:"))
        assert lines[position - 1].startswith("#"), name


def test_the_document_lists_every_encoding(root: Path) -> None:
    text = (root / "doc" / "components.md").read_text(encoding="utf-8")
    listed = text.split("Encodings: ")[1].split(". Others")[0]
    assert sorted(re.split(r",\s+", listed)) == sorted(ENCODINGS)


def _resolve(name: str, space: str) -> str:
    if name.startswith("~"):
        return f"{space}/litetrack{name[1:]}"
    return name if name.startswith("/") else f"{space}/{name}"


def test_the_document_lists_every_event(root: Path) -> None:
    rows = [(row[0].strip("`"), int(row[1])) for row in _tables(root, "Events")]
    assert rows == [(kind.name, kind.value) for kind in EventKind]
    text = (root / "msg" / "TargetEvent.msg").read_text(encoding="utf-8")
    assert [(n, int(v)) for n, v in re.findall(r"^uint8 ([A-Z_]+)=(\d+)", text, re.M)] == rows


def test_the_document_names_every_end_of_a_request(root: Path) -> None:
    text = (root / "doc" / "components.md").read_text(encoding="utf-8")
    section = text.split("## A request for a target\n")[1].split("\n## ")[0]
    assert re.findall(r"^- \*\*(\w+)\*\*", section, re.M) == [o.value for o in Outcome]


@pytest.mark.ros
@pytest.mark.parametrize(
    ("heading", "method"),
    [
        ("Subscribed topics", "get_subscriber_names_and_types_by_node"),
        ("Published topics", "get_publisher_names_and_types_by_node"),
        ("Services", "get_service_names_and_types_by_node"),
    ],
)
def test_the_document_lists_every_topic_and_service(
    root: Path, live_node, heading: str, method: str
) -> None:
    # A namespace of its own: the graph may still hold a node of the same name from another test.
    space = f"/{heading.split()[0].lower()}"
    node = live_node(ros_args=["-r", f"__ns:={space}"])
    assert node.transition("configure")
    assert node.transition("activate")
    listed = {
        _resolve(row[0].strip("`"), space): row[1].strip("`")
        for row in _tables(root, heading)
        if "lifecycle" not in row[0] and not row[1].startswith(("`vision_", "`foxglove_"))
    }
    ros_own = re.compile(r"/(rosout|parameter_events|clock)$|parameter|type_desc|transition|state")
    deadline_s = time.monotonic() + 30.0  # the graph takes a moment to know the node itself
    found: dict[str, str] = {}
    while found != listed and time.monotonic() < deadline_s:
        time.sleep(0.05)
        found = {
            name: types[0]
            for name, types in getattr(node.node, method)("litetrack", space)
            if not ros_own.search(name)
        }
    assert found == listed


def test_negative_thresholds_are_the_models_own() -> None:
    own = TrackerConfig(lost_threshold=0.3, found_threshold=0.5, search_growth=1.1)
    defaults = {spec.name: spec.default for spec in SPECS}
    assert tracker_config(defaults, own) == own
    given = tracker_config({**defaults, "lost_threshold": 0.0, "lost_after_frames": 2}, own)
    assert (given.lost_threshold, given.lost_after_frames, given.found_threshold) == (0.0, 2, 0.5)
    with pytest.raises(ConfigError, match="search_growth"):
        tracker_config({**defaults, "search_growth": 0.5}, own)


def test_unknown_names_are_told_with_the_nearest() -> None:
    assert unknown_parameters(["model", "use_sim_time", "qos_overrides./image.depth"]) == []
    assert unknown_parameters(["modle", "xyz"]) == [
        "there is no parameter modle; the nearest name is model",
        "there is no parameter xyz; the nearest name is max_targets",
    ]
    assert unknown_parameters(["ring_frames"]) == [
        "parameter ring_frames has no effect any more: set ring_s"
    ]


def test_the_arguments_of_the_backend_are_parameters() -> None:
    defaults = {spec.name: spec.default for spec in SPECS}
    assert model_choice(defaults).backend == "auto"
    for spec in SPECS:
        spec.check(spec.default)
