"""Steps at fixed places give what free ones give, through all that happens to targets."""

from __future__ import annotations

import numpy as np
import pytest
from saved_models import boxes_norm, noise_crops, save_small

torch = pytest.importorskip("torch")


@pytest.fixture(params=["cpu", "cuda"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """The small model with fixed places and without, on a device."""
    from litetrack_ros.backends.torch_backend import TorchBackend

    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    weights = save_small(
        tmp_path_factory.mktemp("small") / "small.safetensors", search_size=64, template_size=32
    )
    return [TorchBackend(weights, request.param, is_static=on) for on in (True, False)]


def test_equal_over_500_frames_with_new_templates_and_more_and_fewer_targets(pair) -> None:
    static, free = pair
    model = free.model_config
    rng = np.random.default_rng(0)
    known = [
        free.encode_template(noise_crops(1, model.template_size, seed), boxes_norm(1))
        for seed in range(12)
    ]
    pool = noise_crops(16, model.search_size, 99)
    targets = [known[0]]
    stacked = free.stack(targets)
    most = 0
    for _ in range(500):
        event = rng.integers(0, 12)
        if event in (0, 3) and len(targets) < 11:
            targets.append(known[rng.integers(12)])
        elif event == 1 and len(targets) > 1:
            targets.pop(rng.integers(len(targets)))
        elif event == 2:
            targets[rng.integers(len(targets))] = known[rng.integers(12)]
        if event <= 3:
            stacked = free.stack(targets)
        most = max(most, len(targets))
        crops = pool[rng.integers(0, 16, len(targets))]
        for one, other in zip(
            static.search(crops, stacked), free.search(crops, stacked), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5)
    assert most > 8  # more than the largest size: in two steps


def test_the_answer_is_its_own(pair) -> None:
    """What an earlier step gave does not change when the places are used again."""
    static, _ = pair
    model = static.model_config
    template = static.encode_template(noise_crops(1, model.template_size, 1), boxes_norm(1))
    first = static.search(noise_crops(1, model.search_size, 2), template)
    kept = first.score_maps.copy()
    static.search(noise_crops(1, model.search_size, 3), template)
    np.testing.assert_array_equal(first.score_maps, kept)
