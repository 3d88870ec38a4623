"""The dialogue with VOT's own TraX client, on a made sequence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from reference_model import reference_scene

from litetrack_ros.config import ModelConfig, TrackerConfig
from litetrack_ros.model.checkpoint import save_weights
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.opencv import cv2
from litetrack_ros.tracker.following import follow
from litetrack_ros.tracker.tracker import Tracker

BOXES = ((300.0, 200.0, 60.0, 48.0), (302.0, 203.0, 55.0, 50.0))


@pytest.mark.slow
def test_the_toolkits_client_is_answered(tmp_path: Path) -> None:
    trax = pytest.importorskip("trax", reason="vot-trax is not installed")
    from trax.client import Client

    from litetrack_ros.backends.registry import open_backend
    from litetrack_ros.config import ModelChoice

    torch.manual_seed(0)
    config = ModelConfig(
        name="m", embed_dim=32, num_heads=2, fe_layers=1, ai_layers=1, head_channels=16
    )
    model = tmp_path / "m.safetensors"
    save_weights(model, LiteTrack(config).eval(), TrackerConfig())
    frames = [tmp_path / f"{k}.png" for k in range(4)]
    for k, path in enumerate(frames):
        cv2.imwrite(str(path), reference_scene(k))

    command = [sys.executable, "-m", "litetrack_ros.tools.main", "vot", "--model", str(model)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    streams = (process.stdin.fileno(), process.stdout.fileno())
    client = Client(stream=streams, timeout=60, log=lambda text: None)
    answers = []
    for box in BOXES:  # a tracker is started again after a failure
        region = trax.Rectangle.create(*box)
        images = [{"color": trax.FileImage.create(str(path))} for path in frames]
        client.initialize(images[0], [(region, {})], {})
        answers.append([client.frame(image, objects=[])[0][0][0].bounds() for image in images[1:]])
    client.quit()
    assert process.wait(30) == 0

    backend = open_backend(ModelChoice(str(model), backend="torch", device="cpu", precision="fp32"))
    for box, answered in zip(BOXES, answers, strict=True):
        images = [cv2.imread(str(path)) for path in frames]
        _, *wanted = [step.result.box_xywh for step in follow(Tracker(backend), images, box)]
        np.testing.assert_allclose(answered, wanted, atol=0.01)
