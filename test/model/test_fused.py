"""The inference form computes what the trained form computes, with the template cached."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from small_models import small_model

from litetrack_ros.model.fused import FusedLiteTrack, TemplateCache
from litetrack_ros.model.litetrack import LiteTrack

VARIANTS: list[dict[str, Any]] = [
    {},
    {"fe_layers": 0, "ai_layers": 3},
    {"fe_layers": 3, "ai_layers": 1, "target_cue": "none"},
    {"interaction": "joint", "fe_layers": 0, "ai_layers": 2, "target_cue": "none"},
    {"target_cue": "inside", "decode": "exact"},
    {"stem": "efficientnet_lite0", "target_cue": "inside"},
    {"average_boxes": True},
    {"template_size": 96, "search_size": 192},
    {"templates": 2, "target_cue": "inside"},
    {"templates": 2, "target_cue": "token", "ai_layers": 1},
]


@pytest.fixture(params=VARIANTS, ids=str)
def model(request: pytest.FixtureRequest) -> LiteTrack:
    return small_model(**request.param)


def crops(model: LiteTrack, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    sizes = (model.config.template_size, model.config.search_size)
    z, x = (
        torch.randint(0, 256, (count, s, s, 3), generator=generator, dtype=torch.uint8)
        for s in sizes
    )
    boxes = torch.tensor([0.2, 0.25, 0.7, 0.8]) + 0.05 * torch.rand(count, 4, generator=generator)
    return z, boxes, x


def normalised(model: LiteTrack, images: torch.Tensor) -> torch.Tensor:
    stem = model.backbone.patch_embed
    mean, std = torch.tensor(stem.pixel_mean), torch.tensor(stem.pixel_std)
    return ((images.float() - mean) / std).permute(0, 3, 1, 2)


def test_cached_equals_uncached(model: LiteTrack) -> None:
    z, boxes, x = crops(model, 2)
    with torch.no_grad():
        wanted = model(normalised(model, z), boxes, normalised(model, x))
    fused = FusedLiteTrack(model)
    with torch.inference_mode():
        got = fused.maps(x, fused.encode_template(z, boxes))
    for name in ("score", "size", "offset"):
        difference = (getattr(got, name) - getattr(wanted, name)).abs().max().item()
        assert difference <= 1e-5, name


def test_several_targets_equal_single_ones(model: LiteTrack) -> None:
    z, boxes, x = crops(model, 3)
    fused = FusedLiteTrack(model)
    with torch.inference_mode():
        together, _ = fused(x, fused.encode_template(z, boxes))
        for i in range(3):
            one = slice(i, i + 1)
            alone, _ = fused(x[one], fused.encode_template(z[one], boxes[one]))
            assert torch.allclose(alone, together[one], atol=1e-5)


def test_answer_is_read_at_the_windowed_peak() -> None:
    model = small_model(window_power=2.0)
    z, boxes, x = crops(model, 1)
    fused = FusedLiteTrack(model)
    with torch.inference_mode():
        cache = fused.encode_template(z, boxes)
        maps, (answers, scores) = fused.maps(x, cache), fused(x, cache)
    k = np.arange(1, 17)
    window = np.outer(*2 * [0.5 * (1 - np.cos(2 * np.pi * k / 17))]) ** 2
    response = maps.score[0, 0].numpy() * window
    row, column = np.unravel_index(np.argmax(response), response.shape)
    offset, size = maps.offset[0, :, row, column].numpy(), maps.size[0, :, row, column].numpy()
    center = (np.array([column, row]) + offset) / 16
    wanted = [*center, *size, maps.score[0, 0, row, column], response[row, column]]
    assert np.allclose(answers[0].numpy(), wanted, atol=1e-6)
    np.testing.assert_array_equal(scores, maps.score.flatten(1))


@pytest.mark.parametrize("cue", ["inside", "token"])
def test_a_recent_template_stands_beside_the_first(cue: str) -> None:
    """Not encoded anew, in the same shapes as before, and as the trained form has it."""
    model = small_model(templates=2, target_cue=cue)
    z, boxes, x = crops(model, 4)
    first, recent = (
        model.encode_template_tokens(
            model.backbone.patch_embed(normalised(model, z[part])), boxes[part]
        )
        for part in (slice(2), slice(2, 4))
    )
    fused = FusedLiteTrack(model)
    with torch.inference_mode():
        cache, other = (
            fused.encode_template(z[:2], boxes[:2]),
            fused.encode_template(z[2:], boxes[2:]),
        )
        joined = cache.with_recent(other)
        assert joined.keys.shape == joined.values.shape == (2, 2, 2, 128, 16)
        assert torch.equal(joined.keys[..., :64, :], cache.keys[..., :64, :])
        got = fused.maps(x[:2], joined)
        searches = normalised(model, x[:2])
        wanted = model.predict(model.encode_search(searches, model.side_by_side(first, recent)))
        assert (got.score - wanted.score).abs().max() <= 1e-5
        # Of its own template it is the copy that stood there before.
        assert torch.equal(cache.with_recent(cache).keys, cache.keys)
        assert torch.equal(joined.with_recent(cache).values, cache.values)
        mixed = TemplateCache(
            torch.cat([cache.keys[:1], joined.keys[1:]]),
            torch.cat([cache.values[:1], joined.values[1:]]),
        )
        both = fused.maps(x[:2], mixed)
        alone = fused.maps(x[:2], cache)
        assert torch.allclose(both.score[0], alone.score[0], atol=1e-5)
        assert torch.allclose(both.score[1], got.score[1], atol=1e-5)
        assert (both.score[1] - alone.score[1]).abs().max() > 1e-4


def test_one_template_is_as_it_was() -> None:
    """The second place changes no weight of a model that has none."""
    one, two = small_model(), small_model(templates=2)
    assert set(two.state_dict()) - set(one.state_dict()) == {"recent_embed"}


def test_cache_is_keys_and_values_of_the_interaction_layers() -> None:
    model = small_model()
    z, boxes, _ = crops(model, 2)
    cache = FusedLiteTrack(model).encode_template(z, boxes)
    assert isinstance(cache, TemplateCache)
    assert cache.keys.shape == cache.values.shape == (2, 2, 2, 64, 16)


def test_building_leaves_the_model_alone(model: LiteTrack) -> None:
    before = {key: value.clone() for key, value in model.state_dict().items()}
    FusedLiteTrack(model)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_low_precision_stays_near(precision: torch.dtype) -> None:
    model = small_model(target_cue="inside")
    z, boxes, x = crops(model, 1)
    full, low = FusedLiteTrack(model), FusedLiteTrack(model, precision)
    with torch.inference_mode():
        wanted = full.maps(x, full.encode_template(z, boxes))
        got = low.maps(x, low.encode_template(z, boxes))
    assert got.score.dtype == torch.float32
    assert (got.score - wanted.score).abs().max() < 0.05
