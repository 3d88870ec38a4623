"""Imports point one way, ROS stays in the node, and the ONNX path needs no torch."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

PACKAGE = "litetrack_ros"
SOURCE = Path(__file__).resolve().parents[1] / PACKAGE

# Part of the package -> the parts it may import. "" are the modules at the top: boxes, crops,
# configuration, errors. A new part fails here until somebody says where it stands.
BASE = frozenset({""})
TRACKING = BASE | {"model", "backends", "tracker"}
EVALUATING = TRACKING | {"media", "datasets", "report", "control", "evaluation"}
MAY_IMPORT: dict[str, frozenset[str]] = {
    "front door": TRACKING | {"media"},  # the package's own __init__
    "": BASE,
    "media": BASE | {"media"},
    "report": BASE | {"media", "report"},
    "model": BASE | {"model"},
    "backends": BASE | {"model", "backends"},
    "tracker": TRACKING,
    "control": TRACKING | {"control"},
    "datasets": BASE | {"media", "datasets"},
    "pairs": BASE | {"media", "datasets", "pairs"},
    "evaluation": EVALUATING,
    "export": EVALUATING | {"export"},
    "speed": EVALUATING | {"export", "speed"},
    "training": EVALUATING | {"pairs", "training"},
    "node": TRACKING | {"media", "control", "node", "msg", "srv"},
    "page": TRACKING | {"media", "control", "node", "msg", "srv", "page"},
    "replay": EVALUATING | {"node", "msg", "replay"},
    "tools": EVALUATING
    | {"pairs", "export", "speed", "training", "replay", "node", "page", "tools"},
}

# Everything that comes with ROS 2.
ROS = frozenset(
    {
        "action_msgs",
        "ament_index_python",
        "builtin_interfaces",
        "cv_bridge",
        "diagnostic_msgs",
        "diagnostic_updater",
        "foxglove_msgs",
        "geometry_msgs",
        "image_transport",
        "launch",
        "launch_ros",
        "lifecycle_msgs",
        "message_filters",
        "nav_msgs",
        "rcl_interfaces",
        "rclpy",
        "rosbag2_py",
        "rosgraph_msgs",
        "rosidl_runtime_py",
        "sensor_msgs",
        "std_msgs",
        "std_srvs",
        "tf2_ros",
        "vision_msgs",
        "visualization_msgs",
    }
)
KNOW_ROS = frozenset({"node", "page", "replay"})
BRIDGE = "litetrack_ros.page.bridge"
NEVER = frozenset({"torchvision"})  # its builds follow torch's too closely for a robot


class Import(NamedTuple):
    """One import statement: the module it stands in, its line, what it names, and whether late."""

    module: str
    line: int
    name: str
    late: bool  # inside a function: carried out when that is called

    @property
    def place(self) -> str:
        return f"{self.module}:{self.line} imports {self.name}"


def part_of(name: str) -> str:
    """``"litetrack_ros.tools.main"`` -> ``"tools"``; a module at the top -> ``""``.

    The package itself is ``"front door"``.
    """
    if name == PACKAGE:
        return "front door"
    words = name.split(".")
    path = SOURCE.joinpath(*words[1:2])
    return words[1] if len(words) > 1 and (path.is_dir() or words[1] in ("msg", "srv")) else ""


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        words = [PACKAGE, *path.relative_to(SOURCE).with_suffix("").parts]
        found[".".join(words[:-1] if words[-1] == "__init__" else words)] = path
    return found


def imports_of(module: str, path: Path) -> Iterator[Import]:
    """All import statements of a module, at any depth, relative ones made absolute."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]

    def visit(node: ast.AST, late: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, node.lineno, alias.name, late)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                origin = ".".join([*parents, *([origin] if origin else [])])
            # `from litetrack_ros import tracker` names the part in its list.
            for alias in node.names:
                name = f"{origin}.{alias.name}" if origin == PACKAGE else origin
                yield Import(module, node.lineno, name, late)
        inside = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        # Imports for annotations only are never carried out.
        is_guard = isinstance(node, ast.If) and isinstance(node.test, ast.Name)
        inside = inside or (is_guard and node.test.id == "TYPE_CHECKING")
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside)

    yield from visit(ast.parse(path.read_text(), str(path)), False)


ALL_IMPORTS = [entry for module, path in modules().items() for entry in imports_of(module, path)]
OWN = [entry for entry in ALL_IMPORTS if entry.name.split(".")[0] == PACKAGE]
FOREIGN = [entry for entry in ALL_IMPORTS if entry.name.split(".")[0] != PACKAGE]


def test_every_part_has_its_place_in_the_table():
    parts = {part_of(module) for module in modules()}
    assert parts <= MAY_IMPORT.keys()


def test_imports_point_one_way():
    wrong = [
        entry.place for entry in OWN if part_of(entry.name) not in MAY_IMPORT[part_of(entry.module)]
    ]
    assert wrong == []


def needs_ros() -> set[str]:
    """Modules whose import asks for ROS, by themselves or by what they import."""
    messages = f"{PACKAGE}.msg"
    found = {
        entry.module for entry in FOREIGN if not entry.late and entry.name.split(".")[0] in ROS
    }
    while (
        more := {
            entry.module
            for entry in OWN
            if not entry.late and (entry.name == messages or entry.name in found)
        }
        - found
    ):
        found |= more
    return found


def test_no_imports_run_in_a_circle():
    """Late imports, and those for annotations only, count too."""
    known = modules()
    graph: dict[str, set[str]] = {name: set() for name in known}
    for module, path in known.items():
        for node in ast.walk(ast.parse(path.read_text(), str(path))):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                graph[module] |= {name if name in known else node.module for name in names}
            elif isinstance(node, ast.Import):
                graph[module] |= {alias.name for alias in node.names}
    own = {module: {name for name in names if name in known} for module, names in graph.items()}
    order = list(graphlib.TopologicalSorter(own).static_order())  # CycleError names the circle
    assert set(order) == set(known)


def test_no_file_does_several_things():
    """A file that passes 400 lines does; few lines alone are no reason for a file of its own."""
    lengths = {name: len(path.read_text().splitlines()) for name, path in modules().items()}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_tools_import_what_knows_ros_late():
    """A verb's help works without ROS, so that its request may stand beside what carries it out."""
    needing = needs_ros()
    wrong = [
        entry.place
        for entry in OWN
        if part_of(entry.module) == "tools" and entry.name in needing and not entry.late
    ]
    assert wrong == []
    assert {part_of(name) for name in needing} == KNOW_ROS


def test_only_the_node_the_replay_and_the_page_know_ros():
    wrong = [
        entry.place
        for entry in FOREIGN
        if entry.name.split(".")[0] in ROS and part_of(entry.module) not in KNOW_ROS
    ]
    assert wrong == []


def test_of_the_page_only_the_bridge_knows_ros():
    """The same page is served for a video that is tracked without ROS."""
    assert {name for name in needs_ros() if part_of(name) == "page"} == {BRIDGE}
    pytest.importorskip("aiohttp")
    import_without(ROS | NEVER, [n for n in modules() if part_of(n) == "page" and n != BRIDGE])


def test_nothing_imports_what_is_never_imported():
    assert [entry.place for entry in FOREIGN if entry.name.split(".")[0] in NEVER] == []


def import_without(blocked: frozenset[str], names: list[str]) -> None:
    """Imports modules in a new Python in which ``blocked`` packages do not exist."""
    code = f"""
import importlib, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {sorted(blocked)!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}} (blocked)", name=name)

sys.meta_path.insert(0, Blocker())
failed = []
for name in {names!r}:
    try:
        importlib.import_module(name)
    except ImportError as error:
        failed.append(f"{{name}}: {{error}}")
sys.exit("\\n".join(failed) or 0)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_everything_else_imports_without_ros():
    pytest.importorskip("torch")
    import_without(ROS | NEVER, [name for name in modules() if part_of(name) not in KNOW_ROS])


# What runs a model from an ONNX file, from a video or a camera topic to boxes.
TORCH_FREE = ("", "backends", "tracker", "media", "control")
TORCH = "litetrack_ros.backends.torch_"


def test_the_onnx_path_imports_without_torch():
    free = [name for name in modules() if part_of(name) in TORCH_FREE]
    names = [name for name in free if not name.startswith(TORCH)]
    import_without(ROS | NEVER | {"torch", "safetensors"}, names)


@pytest.mark.ros
def test_the_node_imports_without_torch():
    names = [name for name in modules() if part_of(name) == "node"]
    optional = {
        "cv_bridge",
        "vision_msgs",
        "visualization_msgs",
        "nav_msgs",
        "tf2_ros",
        "launch",
        "launch_ros",
    }
    import_without(NEVER | optional | {"torch", "safetensors"}, names)


@pytest.mark.ros
def test_messages_import_beside_the_source_tree(root: Path):
    """The source tree's package hides the installed one: extend_path joins them."""
    code = (
        "import litetrack_ros, litetrack_ros.errors as errors, litetrack_ros.msg as msg\n"
        "print(litetrack_ros.__file__, errors.__file__, msg.__file__, sep='\\n')\n"
        "msg.TrackedBox.__class__.__import_type_support__()\n"
        "assert msg.TrackedBox.__class__._TYPE_SUPPORT is not None\n"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    package, module, messages = result.stdout.splitlines()
    assert Path(package) == root / PACKAGE / "__init__.py"
    assert Path(module) == root / PACKAGE / "errors.py"
    assert not Path(messages).is_relative_to(root / PACKAGE)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import rclpy.node", [("rclpy.node", False)]),
        ("def f():\n  import rclpy", [("rclpy", True)]),
        ("from . import errors", [("litetrack_ros.tools", False)]),
        ("from ..node import x", [("litetrack_ros.node", False)]),
        ("from litetrack_ros import node", [("litetrack_ros.node", False)]),
        ("from .. import node", [("litetrack_ros.node", False)]),
        ("if TYPE_CHECKING:\n  import rclpy", [("rclpy", True)]),
        ("try:\n  import torch\nexcept ImportError:\n  pass", [("torch", False)]),
    ],
)
def test_import_statements_are_read(tmp_path: Path, source: str, expected: list):
    path = tmp_path / "verb.py"
    path.write_text(source)
    found = [(entry.name, entry.late) for entry in imports_of("litetrack_ros.tools.verb", path)]
    assert found == expected


def test_every_listed_behaviour_names_a_file():
    listed = yaml.safe_load((SOURCE.parent / "test" / "data" / "behaviours.yaml").read_text())
    missing = [entry["file"] for entry in listed if not (SOURCE.parent / entry["file"]).is_file()]
    assert len(listed) >= 24
    assert missing == []
