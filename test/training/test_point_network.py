"""Training what finds boxes from points, on a few drawn photos."""

import json
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from litetrack_ros.datasets.photos import read_photos
from litetrack_ros.errors import DatasetError, WeightsError
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.resources import model_path
from litetrack_ros.tools.main import main
from litetrack_ros.tracker.point_boxes import CROP_PX, HYPOTHESES
from litetrack_ros.training.point_network import (
    PointHead,
    overlap_around_point,
    point_loss,
    stem_graph,
)
from litetrack_ros.training.point_squares import is_for_validation, squares


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    """Thirty drawn photos with one object each; some are held out, some watch the training."""
    images, annotations = [], []
    for k in range(30):
        scene = DrawnScene(width=160, height=120, frames=1, seed=k)
        name = f"coco_{k:04d}.png"
        cv2.imwrite(str(tmp_path / name), scene.frame(0))
        images.append({"id": k, "file_name": name})
        x, y, w, h = scene.box_xywh(0).tolist()
        outline = [x, y, x + w, y, x + w, y + h, x, y + h]
        item = {"image_id": k, "bbox": [x, y, w, h], "iscrowd": 0, "segmentation": [outline]}
        annotations.append(item)
    content = {"images": images, "annotations": annotations}
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    return tmp_path


def test_squares_hold_the_object_where_they_say(photo_folder: Path) -> None:
    examples = list(islice(squares(read_photos(photo_folder), seed=1), 60))
    assert any(not one.on_object for one in examples)
    for one in examples:
        assert one.picture_bgr.shape == (CROP_PX, CROP_PX, 3)
        assert (one.reach >= 0).all() and (one.on_object or not one.reach.any())
    again = list(islice(squares(read_photos(photo_folder), seed=1), 60))
    assert all((a.picture_bgr == b.picture_bgr).all() for a, b in zip(examples, again, strict=True))


def test_held_out_photos_are_never_trained_on(photo_folder: Path) -> None:
    held_out = [photo for photo in read_photos(photo_folder) if photo.is_held_out]
    assert held_out
    with pytest.raises(DatasetError, match="no photo to train on"):
        next(squares(held_out, seed=0))
    assert any(is_for_validation(photo) for photo in read_photos(photo_folder))


def test_the_loss_falls_as_the_box_fits() -> None:
    reach = torch.tensor([[0.2, 0.1, 0.3, 0.2]])
    fitting = torch.log(torch.expm1(reach)).repeat(1, HYPOTHESES).view(1, HYPOTHESES, 4)
    sure = torch.full((1, HYPOTHESES, 1), 5.0)
    on_object = torch.tensor([True])
    right = point_loss(torch.cat([fitting, sure], -1).view(1, -1), reach, on_object)
    wrong = point_loss(torch.cat([fitting + 1, sure], -1).view(1, -1), reach, on_object)
    missed = point_loss(torch.cat([fitting, -sure], -1).view(1, -1), reach, on_object)
    assert right < wrong and right < missed
    assert overlap_around_point(reach, reach).item() == pytest.approx(1.0, abs=1e-4)
    assert overlap_around_point(reach, 2 * reach).item() == pytest.approx(0.25, abs=1e-4)


def test_the_command_writes_a_network_that_opencv_runs(photo_folder: Path) -> None:
    output = photo_folder / "out.onnx"
    arguments = ["--train", str(output), "--examples", "48", "--epochs", "1"]
    assert main(["model", "points", str(photo_folder), *arguments]) == 0
    assert output.stat().st_size < 4_000_000
    net = cv2.dnn.readNetFromONNX(str(output))
    net.setInput(np.zeros((3, 3, CROP_PX, CROP_PX), np.float32))
    answer = net.forward()
    assert answer.shape == (3, HYPOTHESES * 5) and np.isfinite(answer).all()


def test_the_shipped_network_is_the_shipped_stem_with_a_head() -> None:
    assert sum(p.numel() for p in PointHead().parameters()) < 300_000
    image = np.random.default_rng(0).uniform(-127, 128, (1, 3, CROP_PX, CROP_PX))
    answers = []
    for name in ("point_boxes.onnx", "litetrack_nano.template.onnx"):
        stem = stem_graph(model_path(name)).SerializeToString()
        net = cv2.dnn.readNetFromONNX(np.frombuffer(stem, np.uint8))
        net.setInput(image.astype(np.float32))
        answers.append(net.forward())
    assert np.abs(answers[0] - answers[1]).max() < 0.01 * np.abs(answers[1]).max()


def test_a_graph_without_the_stem_is_refused(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", [value], [answer])
    onnx.save(helper.make_model(graph), str(tmp_path / "relu.onnx"))
    with pytest.raises(WeightsError, match="no EfficientNet stem"):
        stem_graph(tmp_path / "relu.onnx")
