"""``litetrack track``: follow one target through a video, a folder of images or a camera."""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.tools.arguments import (
    Progress,
    add_init_box_argument,
    add_model_arguments,
    describe_backend,
    init_box,
)

if TYPE_CHECKING:
    from litetrack_ros.backends.base import Backend
    from litetrack_ros.geometry import FloatArray
    from litetrack_ros.images import Image, Uint8Image
    from litetrack_ros.media.sources import Source
    from litetrack_ros.tracker.tracker import TrackResult


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    model: ModelChoice
    src: str
    init_box: tuple[float, ...] | None
    show: bool
    save: Path | None
    save_txt: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument(
        "src", metavar="SRC", help="a video file, a folder of images, or a camera index"
    )
    add_model_arguments(parser)
    add_init_box_argument(parser)
    parser.add_argument("--show", action="store_true", help="show the frames; q or Esc stops")
    parser.add_argument("--save", type=Path, metavar="OUT.mp4", help="write the frames with boxes")
    parser.add_argument(
        "--save-txt", type=Path, metavar="FILE", help="write one x,y,w,h line a frame"
    )


def run(request: Request) -> int:
    """Track, and write the outputs when all went well."""
    from litetrack_ros.media.sources import open_source

    with open_source(request.src) as source:
        if request.show:
            from litetrack_ros.media.windows import check_display

            check_display()
        backend = open_backend(request.model)
        print(f"model: {describe_backend(backend.info)}", flush=True)
        with contextlib.ExitStack() as stack:
            session = Session(source, backend, Outputs(request, source, stack))
            session.run(init_box(request.src, request.init_box))
            print(session.summary())
    return 0


class Session:
    """One target followed through a source from its first frame.

    Args:
        source: the images.
        backend: runs the network.
        outputs: what to do with every frame.
    """

    def __init__(self, source: Source, backend: Backend, outputs: Outputs) -> None:
        from litetrack_ros.tracker.tracker import Tracker

        self._source = source
        self._outputs = outputs
        self._tracker = Tracker(backend)
        self._results: list[TrackResult] = []  # of updates

    def run(self, init_box_xywh: FloatArray | None) -> None:
        """Track to the end of the source, or until the user stops it.

        Ctrl-C ends a live source as its end would, and interrupts a recorded one.

        Args:
            init_box_xywh: the target in the first frame; None asks for it on the display.

        Raises:
            BoxError: no track can start from the box.
            MediaError: the source cannot be read to its end, or an output cannot be written.
        """
        frames = iter(self._source)
        first = next(frames)
        if init_box_xywh is None:
            from litetrack_ros.media.windows import ask_for_box

            init_box_xywh = ask_for_box(first.image)
        result = self._tracker.init(first.image, init_box_xywh)
        with Progress(self._source.frame_count, self._source.name) as progress:
            try:
                going_on = self._outputs.add(first.image, result)
                progress.step()
                while going_on and (frame := next(frames, None)) is not None:
                    result = self._tracker.update(frame.image) or result
                    self._results.append(result)
                    going_on = self._outputs.add(frame.image, result)
                    progress.step()
            except KeyboardInterrupt:
                if not self._source.is_live:
                    raise
        self._outputs.finish()

    def summary(self) -> str:
        """Frames, rate and the mean times of the stages, in one line."""
        frames = f"{len(self._results) + 1} frames"
        if not self._results:
            return frames
        crop, model, decode, total = np.mean(
            [
                (r.timing.crop_ms, r.timing.model_ms, r.timing.decode_ms, r.timing.total_ms)
                for r in self._results
            ],
            axis=0,
        )
        return (
            f"{frames}, tracking at {1e3 / total:.1f} fps without reading and writing: "
            f"{total:.2f} ms a frame (crop {crop:.2f}, model {model:.2f}, decode {decode:.2f})"
        )


class Outputs:
    """Where boxes and drawn frames go; the files appear when the stack closes without error."""

    def __init__(self, request: Request, source: Source, stack: contextlib.ExitStack) -> None:
        from litetrack_ros.files import replacing
        from litetrack_ros.media.writers import writing_video

        self._title = source.name
        self._show = request.show
        self._boxes: list[FloatArray] = []
        self._video: Any = None
        self._text: Path | None = None
        if request.save is not None:
            self._video = stack.enter_context(writing_video(request.save, source.fps))
        if request.save_txt is not None:
            self._text = stack.enter_context(replacing(request.save_txt))
        if request.show:
            from litetrack_ros.media.windows import close_windows

            stack.callback(close_windows)

    def add(self, image: Image, result: TrackResult) -> bool:
        """Take a frame; False when the user wants to stop."""
        self._boxes.append(result.box_xywh)
        if self._video is None and not self._show:
            return True
        drawn = draw_result(image, result)
        if self._video is not None:
            self._video.write(drawn)
        if self._show:
            from litetrack_ros.media.windows import show

            return show(self._title, drawn)
        return True

    def finish(self) -> None:
        """Fill the text file."""
        if self._text is not None:
            from litetrack_ros.datasets.sequences import format_boxes
            from litetrack_ros.files import write_text

            write_text(self._text, format_boxes(np.stack(self._boxes)))


def draw_result(image: Image, result: TrackResult) -> Uint8Image:
    """A copy of a frame as BGR with the box, the state and the score on it."""
    from litetrack_ros.images import to_bgr8
    from litetrack_ros.media.drawing import GREEN, RED, draw_box, draw_text
    from litetrack_ros.tracker.state import State

    drawn = np.array(to_bgr8(image))
    color = GREEN if result.state is State.TRACKING else RED
    draw_box(drawn, result.box_xywh, color)
    draw_text(drawn, f"{result.state.name} {result.score:.2f}", color=color)
    return drawn
