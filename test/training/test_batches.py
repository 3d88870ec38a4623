import pytest
import torch

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


def test_rolling_repeats_with_its_seed(squares: PairSource) -> None:
    batch = collate([squares.pair(k) for k in range(8)])
    one, two = (
        roll_templates(batch, 0.5, torch.Generator().manual_seed(7)).present for _ in range(2)
    )
    assert one.tolist() == two.tolist()
