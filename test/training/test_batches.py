import numpy as np
import pytest
import torch

from litetrack_ros.pairs.pair import Pair, RecentTemplate
from litetrack_ros.training.batches import PairSource, StepBatches, collate, roll_templates


def test_collate_shapes_and_boxes(squares: PairSource) -> None:
    batch = collate([squares.pair(k) for k in range(8)])
    assert batch.templates.shape == (8, 32, 32, 3) and batch.templates.dtype == torch.uint8
    assert batch.template_boxes_xyxy_norm[0].tolist() == [0.25, 0.25, 0.75, 0.75]
    assert batch.present.tolist() == [True] * 7 + [False]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_do_not_depend_on_where_they_are_made(squares: PairSource, workers: int) -> None:
    batches = StepBatches(squares, 4)
    made = list(batches.between(3, 6, workers))
    assert len(made) == 3
    for step, batch in enumerate(made, start=3):
        for mine, direct in zip(batch, batches[step], strict=True):
            torch.testing.assert_close(mine, direct)


def test_processes_share_a_step_out(squares: PairSource) -> None:
    together = StepBatches(squares, 8)[2]
    parts = [StepBatches(squares, 4, rank, 2)[2] for rank in range(2)]
    for whole, *halves in zip(together, *parts, strict=True):
        if whole is None:
            assert halves == [None, None]
        else:
            torch.testing.assert_close(whole, torch.cat(halves))


@pytest.mark.parametrize(("share", "rolled"), [(0.0, 0), (0.25, 2), (1.0, 8)])
def test_rolled_pairs_are_absent(squares: PairSource, share: float, rolled: int) -> None:
    batch = collate([squares.pair(8 * k) for k in range(8)])  # all present
    batch.templates[:] = torch.arange(8, dtype=torch.uint8)[:, None, None, None]
    out = roll_templates(batch, share, torch.Generator().manual_seed(1))
    assert int((~out.present).sum()) == rolled
    for k in range(8):
        source = k if out.present[k] else (k + 1) % 8
        assert int(out.templates[k, 0, 0, 0]) == source
    torch.testing.assert_close(out.searches, batch.searches)


class Doubled:
    """The squares; every second pair has a second template, of one colour."""

    def __init__(self, inner: PairSource) -> None:
        self.inner = inner

    def pair(self, index: int) -> Pair:
        pair = self.inner.pair(index)
        if index % 2:
            return pair
        box = np.array([0.5, 0.5, 0.25, 0.25], np.float32)
        return pair._replace(recent=RecentTemplate(np.full_like(pair.template, 9), box))


def _means(images: torch.Tensor) -> torch.Tensor:
    return images.float().mean(dim=(1, 2, 3), keepdim=True)


def test_the_first_template_stands_in_for_a_missing_one(squares: PairSource) -> None:
    batch = StepBatches(Doubled(squares), 4)[0]
    assert batch.recents is not None and batch.recent_boxes_xyxy_norm is not None
    assert (batch.recents[::2] == 9).all()
    assert torch.equal(batch.recents[1::2], batch.templates[1::2])
    assert batch.recent_boxes_xyxy_norm[:2].tolist() == [
        [0.375] * 2 + [0.625] * 2,
        [0.25] * 2 + [0.75] * 2,
    ]
    features = StepBatches(Doubled(squares), 4, features=_means)[0]
    torch.testing.assert_close(features.recents, _means(batch.recents))
    assert batch.first_alone().recents is None
    assert collate([squares.pair(k) for k in range(2)]).recents is None
    (worked,) = StepBatches(Doubled(squares), 4).between(0, 1, workers=1)
    torch.testing.assert_close(worked.recents, batch.recents)


@pytest.mark.parametrize(("apart", "kept"), [(0.0, 0), (0.5, 2), (1.0, 4)])
def test_rolled_pairs_may_keep_their_second_template(
    squares: PairSource, apart: float, kept: int
) -> None:
    batch = collate([Doubled(squares).pair(8 * k) for k in range(8)])
    assert batch.recents is not None
    batch.recents[:] = torch.arange(8, dtype=torch.uint8)[:, None, None, None]
    out = roll_templates(batch, 0.5, torch.Generator().manual_seed(1), apart)
    plain = roll_templates(batch.first_alone(), 0.5, torch.Generator().manual_seed(1))
    assert torch.equal(out.templates, plain.templates) and torch.equal(out.present, plain.present)
    assert out.recents is not None
    sources = out.recents[:, 0, 0, 0].tolist()
    rolled = [k for k in range(8) if not out.present[k]]
    assert len(rolled) == 4 and sum(sources[k] == k for k in rolled) == kept
    assert all(sources[k] == k for k in range(8) if out.present[k])


def test_rolling_repeats_with_its_seed(squares: PairSource) -> None:
    batch = collate([squares.pair(k) for k in range(8)])
    one, two = (
        roll_templates(batch, 0.5, torch.Generator().manual_seed(7)).present for _ in range(2)
    )
    assert one.tolist() == two.tolist()
