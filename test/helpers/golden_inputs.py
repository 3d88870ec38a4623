"""What the golden cases are run on: pictures, sequences, benchmarks and checkpoints, all made here.

Everything comes from NumPy's seeded generators and OpenCV's drawing, and nothing from the package,
so that a change of the package cannot change its own inputs.
"""

from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np
from published_layouts import boxes, jpeg, lines, write_got10k, write_lasot, write_trackingnet
from training_pictures import textured, write_pictures

COUNT = 12


def write_inputs(root: Path) -> dict[str, str]:
    """Make everything below a folder.

    Returns:
        Places by the names that stand in braces in the cases' commands.
    """
    places = {
        "pictures": write_pictures(root / "pictures"),
        "target": _write_target(root / "sequences" / "target"),
        "leaving": _write_leaving(root / "sequences" / "leaving"),
        "sequences": root / "sequences",
        "large": _write_large(root / "large" / "clip"),
        "street": _write_street(root / "street"),
        "discs": _write_discs(root / "discs"),
        **_write_benchmarks(root / "benchmarks"),
    }
    return {name: str(path) for name, path in places.items()}


def _write_frames(folder: Path, frames: list[np.ndarray], truth: list[str]) -> Path:
    (folder / "frames").mkdir(parents=True)
    for k, frame in enumerate(frames):
        assert cv2.imwrite(str(folder / f"frames/{k:04d}.png"), frame)
    (folder / "groundtruth.txt").write_text("\n".join(truth) + "\n")
    return folder


def _write_target(folder: Path) -> Path:
    """A textured ellipse on a curved way over a textured ground; absent in frame 9."""
    rng = np.random.default_rng(1)
    ground, patch = textured(rng, 240, 180), 255 - textured(rng, 46, 34) // 2
    mask = cv2.ellipse(np.zeros((34, 46), np.uint8), (23, 17), (22, 16), 0, 0, 360, 255, -1)
    frames, truth = [], []
    for k in range(24):
        x, y = 40 + 4 * k, round(60 + 25 * np.sin(k / 5))
        frame = ground.copy()
        if k != 9:
            part = frame[y : y + 34, x : x + 46]
            part[mask > 0] = patch[mask > 0]
        frames.append(frame)
        truth.append("NaN,NaN,NaN,NaN" if k == 9 else f"{x},{y},46,34")
    return _write_frames(folder, frames, truth)


def _write_leaving(folder: Path) -> Path:
    """A square that leaves the picture over its right border; its true boxes do too."""
    noise = np.random.default_rng(0).integers(0, 60, (120, 160, 3), dtype=np.uint8)
    frames, truth = [], []
    for k in range(14):
        frame = noise.copy()
        frame[40:70, 80 + 5 * k : 110 + 5 * k] = (40, 200, 240)
        frames.append(frame)
        truth.append(f"{80 + 5 * k},40,30,30")
    return _write_frames(folder, frames, truth)


def _write_large(folder: Path) -> Path:
    """JPEGs so large that training decodes them at a part of their size; returns what holds it."""
    ground = textured(np.random.default_rng(2), 1024, 768)
    (folder / "frames").mkdir(parents=True)
    for k in range(22):
        frame = cv2.ellipse(
            ground.copy(), (400 + 6 * k, 380), (190, 150), 0, 0, 360, (9, 80, 200), -1
        )
        assert cv2.imwrite(str(folder / f"frames/{k:04d}.jpg"), frame)
    truth = np.array([[210.0 + 6 * k, 230, 380, 300] for k in range(22)])
    (folder / "groundtruth.txt").write_text(lines(truth))
    return folder.parent


def _write_street(folder: Path) -> Path:
    """A disc that rolls past a fixed camera."""
    ground = np.random.default_rng(0).integers(80, 110, (60, 240, 3), dtype=np.uint8)
    ground = ground.repeat(3, axis=0)
    folder.mkdir(parents=True)
    for k in range(20):
        frame = cv2.circle(ground.copy(), (40 + 8 * k, 90), 22, (30, 60, 220), -1)
        assert cv2.imwrite(str(folder / f"{k:02d}.png"), frame)
    return folder


def _write_discs(folder: Path) -> Path:
    """Photos with and without a clear object."""
    folder.mkdir(parents=True)
    ground = np.random.default_rng(0).integers(80, 110, (224, 240, 3), dtype=np.uint8)
    disc = cv2.circle(ground.copy(), (120, 112), 50, (30, 60, 220), -1)
    for name, photo in (("disc", cv2.GaussianBlur(disc, (0, 0), 1)), ("even", ground * 0 + 90)):
        assert cv2.imwrite(str(folder / f"{name}.png"), photo)
    return folder


def _write_benchmarks(root: Path) -> dict[str, Path]:
    """Every layout, and beside each the results of two trackers, ``NAME_near`` and ``NAME_far``."""
    truths: dict[str, dict[str, np.ndarray]] = {
        "got10k_val": {f"GOT-10k_Val_{k:06d}": boxes(COUNT, k) for k in range(1, 7)},
        "lasot": {name: boxes(24) for name in ("airplane-1", "airplane-2")},
        "otb100": {
            "Deer": boxes(COUNT),
            "Jogging.1": boxes(COUNT, 1),
            "Jogging.2": boxes(COUNT, 2),
        },
        "uav123": {"bird1_1": boxes(253)},
        "nfs": {"bee": boxes(8 * COUNT)[::8]},
        "folder": {"clip": boxes(COUNT)},
    }
    write_got10k(root / "got10k_val/val", list(range(1, 7)), COUNT, "Val")
    write_got10k(root / "got10k_train/train", [1, 2], 24)
    write_lasot(root / "lasot", ["airplane-1", "airplane-2"])
    _write_trackingnet(root / "trackingnet")
    _write_otb(root / "otb100")
    _write_uav123(root / "uav123")
    _write_nfs(root / "nfs")
    for k in range(COUNT):
        jpeg(root / f"folder/clip/frames/{k:04d}.jpg", k)
    (root / "folder/clip/groundtruth.txt").write_text(lines(boxes(COUNT)))
    places = {f"bench_{name}": root / name for name in (*truths, "trackingnet", "got10k_train")}
    for name, sequences in truths.items():
        for kind, spread in (("near", 1.5), ("far", 6.0)):
            places[f"{name}_{kind}"] = _write_results(root / f"{name}_{kind}", sequences, spread)
    places["results_trackingnet"] = _write_results(
        root / "results_trackingnet", {"a_0": boxes(COUNT)}, 1.5
    )
    leaving = np.array([[80.0 + 5 * k, 40, 30, 30] for k in range(14)])
    places["leaving_results"] = _write_results(root / "leaving_results", {"leaving": leaving}, 2.0)
    return places


def _write_results(folder: Path, truths: dict[str, np.ndarray], spread: float) -> Path:
    """Result files that lie beside the truth, some of their boxes over the picture's border."""
    folder.mkdir(parents=True)
    for number, (name, truth) in enumerate(truths.items()):
        noise = np.random.RandomState(number).standard_normal(truth.shape)
        made = np.nan_to_num(truth) + spread * noise
        made[5::7, 0] -= 40  # over the left border, or off
        made[0] = truth[0]
        made[:, 2:] = np.maximum(made[:, 2:], 1)
        (folder / f"{name}.txt").write_text(lines(made))
        (folder / f"{name}_time.txt").write_text("0.02000000\n" * len(made))
    return folder


def _write_trackingnet(root: Path) -> None:
    write_trackingnet(root, ["a_0"], zipped=False, count=COUNT)
    (root / "TRAIN_0").rename(root / "TEST")
    (root / "TEST/anno/a_0.txt").write_text(lines(boxes(1)))


def _write_otb(root: Path) -> None:
    for name in ("Deer", "Jogging"):
        for k in range(COUNT):
            jpeg(root / name / f"img/{k + 1:04d}.jpg", k)
    (root / "Deer/groundtruth_rect.txt").write_text(lines(boxes(COUNT), "\t"))
    for k in (1, 2):
        (root / f"Jogging/groundtruth_rect.{k}.txt").write_text(lines(boxes(COUNT, k), ",", "\r\n"))


def _write_uav123(root: Path) -> None:
    for k in range(1100):
        jpeg(root / f"data_seq/UAV123/bird1/{k + 1:06d}.jpg", k)
    made = boxes(253)
    made[4] = np.nan
    (root / "anno/UAV123").mkdir(parents=True)
    (root / "anno/UAV123/bird1_1.txt").write_text(lines(made))


def _write_nfs(root: Path) -> None:
    for k in range(COUNT):
        jpeg(root / f"bee/30/bee/{k + 1:05d}.jpg", k)
    made = boxes(8 * COUNT)
    corners = np.concatenate([made[:, :2], made[:, :2] + made[:, 2:]], axis=1)
    text = "".join(f'0 {a} {b} {c} {d} {k} 0 0 0 "bee"\n' for k, (a, b, c, d) in enumerate(corners))
    (root / "bee/30/bee.txt").write_text(text)


def write_checkpoint(path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """A file as the authors' ``.pth.tar``, small: every tensor repeats one stored value.

    Args:
        path: to write.
        shapes: of the tensors, by the keys of their code.
    """
    import torch

    state = OrderedDict(
        (key, torch.tensor(0.001 * k).expand(shape))
        for k, (key, shape) in enumerate(shapes.items())
    )
    torch.save({"epoch": 300, "net": state}, path)
