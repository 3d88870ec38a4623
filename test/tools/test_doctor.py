"""``litetrack doctor``: sound parts pass, and each fault is found and has its way out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from litetrack_ros.config import DEFAULT_MODEL
from litetrack_ros.errors import LiteTrackError
from litetrack_ros.resources import model_path
from litetrack_ros.tools import doctor
from litetrack_ros.tools.doctor import FAULT, NOTE, OK
from litetrack_ros.tools.main import main


def verdicts(findings) -> dict[str, str]:
    return {finding.subject: finding.verdict for finding in findings}


def test_packages_are_found():
    found = verdicts(doctor.check_packages())
    assert {found[name] for name in ("numpy", "cv2", "onnxruntime", "torch")} == {OK}


def test_a_machine_without_a_backend_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch):
    for name in ("onnxruntime", "torch"):
        monkeypatch.setitem(sys.modules, name, None)
    findings = {f.subject: f for f in doctor.check_packages()}
    assert findings["torch"].verdict == NOTE
    assert findings["backends"].verdict == FAULT
    assert "pip install" in findings["backends"].text


def test_an_untrained_model_fails_the_self_test(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    figures = tmp_path / "figures.json"
    assert main(["doctor", "--model", str(tiny_model), "--json", str(figures)]) == 1
    output = capsys.readouterr().out
    assert "FAULT  torch: provider cpu" in output
    found = json.loads(figures.read_text())
    assert found["faults"] >= 1
    subjects = {entry["subject"] for entry in found["findings"]["models"]}
    assert subjects == {"tiny.safetensors", "ONNX form"}


def test_the_default_model_passes_the_self_test():
    try:
        model_path(DEFAULT_MODEL)
    except LiteTrackError as error:
        pytest.skip(str(error))
    findings = list(doctor.check_tracking(DEFAULT_MODEL, "cpu"))
    assert [f for f in findings if f.verdict == FAULT] == []
    assert any(f.verdict == OK for f in findings)


def test_a_model_of_other_weights_is_a_fault(tiny_model: Path, tmp_path: Path):
    from litetrack_ros.export.onnx_export import export_onnx
    from litetrack_ros.model.checkpoint import load_weights, save_weights

    weights = load_weights(tiny_model)
    path = tmp_path / "tiny.safetensors"
    save_weights(path, weights.model, weights.tracker_config)
    export_onnx(load_weights(path), tmp_path, "tiny")
    assert verdicts(doctor.check_model(str(path)))["ONNX form"] == OK
    save_weights(path, weights.model, weights.tracker_config, {"note": "trained on"})
    assert verdicts(doctor.check_model(str(path)))["ONNX form"] == FAULT
    (tmp_path / "tiny.weights.bin").write_bytes(b"")
    assert FAULT in verdicts(doctor.check_model(str(path))).values()


def test_a_model_that_is_not_there_is_a_fault():
    assert list(verdicts(doctor.check_model("absent")).values()) == [FAULT]


def test_dds_settings(tmp_path: Path):
    profile = tmp_path / "profile.xml"
    name = "FASTRTPS_DEFAULT_PROFILES_FILE"
    assert verdicts(doctor.check_transport({name: str(profile)}))[name] == FAULT
    profile.write_text("")
    assert verdicts(doctor.check_transport({name: str(profile)}))[name] == OK
    assert name not in verdicts(doctor.check_transport({}))
    hint = {f.subject: f for f in doctor.check_transport({})}["Fast DDS profile"]
    assert hint.verdict == NOTE
    assert Path(hint.text.rpartition("=")[2]).is_file()
    cyclone = {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp", "ROS_DOMAIN_ID": "7"}
    findings = {f.subject: f for f in doctor.check_transport(cyclone)}
    assert "domain 7, range SUBNET" in findings["DDS"].text
    assert findings["CYCLONEDDS_URI"].verdict == NOTE


@pytest.mark.ros
def test_ros_and_messages_are_found():
    found = verdicts(doctor.check_ros())
    assert (found["rclpy"], found["messages"]) == (OK, OK)
