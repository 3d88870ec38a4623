"""The saved layouts of Foxglove and rviz show topics and fields that the node has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

# Of the types in Lichtblick's sources, which go on from Foxglove's last open ones: what a panel's
# configuration has to have, and what it may have besides, of which only what is used is here.
PANELS = {
    "Image": ({"imageMode"}, set()),
    "Plot": (
        {
            *("paths", "showLegend", "legendDisplay", "showPlotValuesInLegend", "showXAxisLabels"),
            *("showYAxisLabels", "isSynced", "xAxisVal", "sidebarDimension"),
        },
        set(),
    ),
    "RawMessages": (
        {"topicPath", "diffEnabled", "diffMethod", "diffTopicPath", "showFullMessageForDiff"},
        set(),
    ),
    "DiagnosticSummary": (
        {"minLevel", "pinnedIds", "topicToRender", "hardwareIdFilter"},
        {"sortByLevel"},
    ),
}
IMAGE_MODE = {"imageTopic", "calibrationTopic", "annotations", "synchronize"}
TYPES = {"timing": "FrameTiming", "tracked_boxes": "TrackedBoxArray", "boxes": "TrackedBox"}


def _topics(root: Path) -> set[str]:
    text = (root / "doc" / "components.md").read_text(encoding="utf-8")
    names = re.findall(r"^\| `([~/][/\w]+)` \| `\w+/msg/", text, re.M)
    return {name.replace("~/", "/litetrack/") for name in names} | {"/image"}


def _fields(root: Path, kind: str) -> set[str]:
    text = (root / "msg" / f"{kind}.msg").read_text(encoding="utf-8")
    return set(re.findall(r"^[\w/\[\]<>=]+ ([a-z]\w*)", text, re.M))


def _leaves(layout: object) -> Iterator[str]:
    if isinstance(layout, str):
        yield layout
    elif isinstance(layout, dict):
        yield from _leaves(layout["first"])
        yield from _leaves(layout["second"])


def test_the_foxglove_layout_shows_what_there_is(root: Path) -> None:
    text = (root / "config" / "viewers" / "foxglove_layout.json").read_text(encoding="utf-8")
    saved = json.loads(text)
    assert sorted(_leaves(saved["layout"])) == sorted(saved["configById"])
    shown = re.findall(r'"(/[a-z_]+(?:/[a-z_]+)*)(?:\.([\w.:\[\]]+))?"', text)
    assert len(shown) > 6
    for topic, path in shown:
        assert topic in _topics(root), topic
        kind = TYPES.get(topic.rpartition("/")[2], "")
        for field in re.sub(r"\[[^]]*\]", "", path).split(".") if path else ():
            assert field in _fields(root, kind), f"{topic}.{path}"
            kind = TYPES.get(field, kind)


def test_the_foxglove_layout_has_the_form_of_the_open_sources(root: Path) -> None:
    saved = json.loads((root / "config" / "viewers" / "foxglove_layout.json").read_text())
    assert set(saved) == {"configById", "globalVariables", "userNodes", "playbackConfig", "layout"}
    for name, panel in saved["configById"].items():
        required, optional = PANELS[name.partition("!")[0]]
        assert required <= set(panel) <= required | optional | {"foxglovePanelTitle"}, name
        image_mode = panel.get("imageMode", {})
        assert set(image_mode) <= IMAGE_MODE
        assert all(
            set(shown) == {"visible"} for shown in image_mode.get("annotations", {}).values()
        )
        for path in panel.get("paths", ()):
            assert set(path) == {"value", "enabled", "timestampMethod"}
            assert path["timestampMethod"] in ("receiveTime", "headerStamp")


def test_the_rviz_configuration_shows_what_there_is(root: Path) -> None:
    saved = yaml.safe_load((root / "config" / "viewers" / "litetrack.rviz").read_text())
    displays = saved["Visualization Manager"]["Displays"]
    assert {display["Topic"]["Value"] for display in displays} <= _topics(root)
