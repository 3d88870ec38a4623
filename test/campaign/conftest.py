"""The campaign's tests use the fixtures of the node's."""

from __future__ import annotations

import importlib.util
from pathlib import Path

_path = Path(__file__).resolve().parents[1] / "node" / "conftest.py"
_spec = importlib.util.spec_from_file_location("node_fixtures", _path)
assert _spec is not None and _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
live_node, make_client, client = _module.live_node, _module.make_client, _module.client
