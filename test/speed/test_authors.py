"""A checkout of another's code is measured, or its fault is named. The code here is made up."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from litetrack_ros.errors import BackendError
from litetrack_ros.speed.authors import measure_authors, variants_of

SETTINGS = """
cfg = {}
def update_config_from_file(path):
    cfg["path"] = path
"""
NETWORK = """
import torch
class Network(torch.nn.Module):
    def forward_z(self, template, template_bb=None):
        return template.mean(dim=(2, 3)) + template_bb.mean()
    def forward(self, features, search):
        return {"score_map": features.sum() + search.mean()}
def build_LiteTrack(cfg, training):
    print("much output")
    assert cfg["path"].endswith("B4_x.yaml") and not training
    return Network()
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("B4_x", "B9_x"):
        path = tmp_path / "experiments" / "litetrack" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    files = {
        "lib/__init__.py": "",
        "lib/config/litetrack/config.py": SETTINGS,
        "lib/models/__init__.py": "import something_that_nobody_has",
        "lib/models/litetrack/litetrack.py": NETWORK,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_checkout_is_measured(checkout: Path, capsys: pytest.CaptureFixture[str]):
    subject = measure_authors(checkout, "b4", "cpu")
    assert set(subject.measures) == {"template", "search 1"}
    for call in subject.measures.values():
        call()
    assert subject.labels == ("authors' b4", "torch", "cpu", "fp32")
    assert capsys.readouterr().out == ""
    assert str(checkout) not in sys.path
    assert not any(name.split(".")[0] == "lib" for name in sys.modules)


def test_variants_are_found(checkout: Path, tmp_path_factory: pytest.TempPathFactory):
    assert variants_of(checkout) == ["b4", "b9"]
    with pytest.raises(BackendError, match="no checkout"):
        variants_of(tmp_path_factory.mktemp("empty"))


def test_faults_are_named(checkout: Path):
    with pytest.raises(BackendError, match="b6"):
        measure_authors(checkout, "b6", "cpu")
    (checkout / "lib" / "models" / "litetrack" / "litetrack.py").write_text("import timm_of_old")
    with pytest.raises(BackendError, match=r"timm_of_old.*easydict"):
        measure_authors(checkout, "b4", "cpu")
    assert not any(name.split(".")[0] == "lib" for name in sys.modules)
