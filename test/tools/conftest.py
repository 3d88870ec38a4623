"""What the tests of the verbs share: a small model of random weights, and a moving target."""

from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of a small network that was never trained."""
    torch = pytest.importorskip("torch")
    from litetrack_ros.config import ModelConfig, TrackerConfig
    from litetrack_ros.model.checkpoint import save_weights
    from litetrack_ros.model.litetrack import LiteTrack

    torch.manual_seed(0)
    config = ModelConfig(name="tiny", embed_dim=64, num_heads=2, head_channels=32)
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_weights(path, LiteTrack(config), TrackerConfig())
    return path


@pytest.fixture(scope="session")
def square_frames() -> list[np.ndarray]:
    """Twelve BGR frames, 160x120, with a bright square of 30 px that moves by 3 px a frame."""
    noise = np.random.default_rng(0).integers(0, 60, (120, 160, 3), dtype=np.uint8)
    frames = []
    for index in range(12):
        frame = noise.copy()
        frame[40:70, 20 + 3 * index : 50 + 3 * index] = (40, 200, 240)
        frames.append(frame)
    return frames


@pytest.fixture(scope="session")
def square_sequence(
    tmp_path_factory: pytest.TempPathFactory, square_frames: list[np.ndarray]
) -> Path:
    """The frames as a sequence folder; in frame 5 the target counts as absent."""
    folder = tmp_path_factory.mktemp("sequences") / "square"
    (folder / "frames").mkdir(parents=True)
    lines = []
    for index, frame in enumerate(square_frames):
        assert cv2.imwrite(str(folder / "frames" / f"{index}.png"), frame)
        lines.append("NaN,NaN,NaN,NaN" if index == 5 else f"{20 + 3 * index},40,30,30")
    (folder / "groundtruth.txt").write_text("\n".join(lines) + "\n")
    return folder
