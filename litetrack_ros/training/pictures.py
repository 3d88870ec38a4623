"""Pictures of a run for TensorBoard: pairs that it is trained on, and what it finds in others."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from litetrack_ros.geometry import cxcywh_to_xywh
from litetrack_ros.images import Uint8Image, to_bgr8
from litetrack_ros.media.drawing import RED, draw_box, heat_map, tile
from litetrack_ros.model.head import HeadMaps, boxes_at
from litetrack_ros.pairs.pair import Pair, contact_sheet
from litetrack_ros.training.batches import PairBatch, PairSource
from litetrack_ros.training.network import TrainedNetwork

SHOWN = 8  # pairs in a picture
_COLUMNS = 2


class Album:
    """Adds pictures to TensorBoard where it is written to.

    Args:
        training: makes the pairs to train on.
        validation: makes the held-out ones.
    """

    def __init__(self, training: PairSource, validation: PairSource) -> None:
        self.validation = validation
        self._training = training
        self._board: Any = None

    def open(self, board: Any) -> None:
        """Add the first pairs to train on.

        Args:
            board: TensorBoard's writer, or None, with which no picture is made.
        """
        self._board = board
        if board is not None:
            pairs = [self._training.pair(index) for index in range(SHOWN)]
            self._add("training/pairs", contact_sheet(pairs), 0)

    @torch.no_grad()
    def add_predictions(
        self, network: TrainedNetwork, held_out: Sequence[PairBatch], step: int
    ) -> None:
        """Add what a network finds in the first held-out pairs.

        Args:
            network: in evaluation mode.
            held_out: the batches, of which the first begins with the source's first pairs.
            step: of training.
        """
        if self._board is None:
            return
        maps = network(held_out[0])
        pairs = [self._shown(held_out[0], k) for k in range(min(SHOWN, len(maps.score)))]
        self._add("validation/predictions", prediction_sheet(pairs, maps), step)

    def _shown(self, batch: PairBatch, number: int) -> Pair:
        """A pair of the first batch, in the crops that the network was shown."""
        if batch.searches.dtype != torch.uint8:  # features of the pairs as they were made
            return self.validation.pair(number)
        template, (x1, y1, x2, y2), search, box, present = (
            tensor[number].cpu().numpy() for tensor in batch[:5]
        )
        template_box = np.array([x1 + x2, y1 + y2, 2 * (x2 - x1), 2 * (y2 - y1)]) / 2
        return Pair(template, template_box.astype(np.float32), search, box, bool(present))

    def _add(self, title: str, image_bgr: Uint8Image, step: int) -> None:
        rgb = np.ascontiguousarray(image_bgr[:, :, ::-1])
        self._board.add_image(title, rgb, step, dataformats="HWC")


def prediction_sheet(pairs: Sequence[Pair], maps: HeadMaps) -> Uint8Image:
    """Pairs as :func:`litetrack_ros.pairs.pair.contact_sheet` draws them, and the answers to them.

    The box at the score map's peak is red; the map lies over the search region once more.

    Args:
        pairs: what a model was shown.
        maps: its answers to a batch that begins with these pairs.

    Returns:
        ``(H, W, 3)`` uint8 BGR.
    """
    panels = []
    for number, pair in enumerate(pairs):
        one = HeadMaps(*(part[number : number + 1].float().cpu() for part in maps))
        peak = one.score.flatten(1).argmax(dim=1, keepdim=True)
        box = boxes_at(one, peak)[0, 0].numpy().astype(np.float64) * pair.search.shape[0]
        panel = contact_sheet([pair])
        beside = np.array([pair.template.shape[1], 0, 0, 0])
        draw_box(panel, cxcywh_to_xywh(box) + beside, RED)
        heat = heat_map(to_bgr8(pair.search, "rgb"), one.score[0, 0].numpy())
        panels.append(np.concatenate([panel, heat], axis=1))
    return tile(panels, _COLUMNS)
