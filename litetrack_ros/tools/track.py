"""``litetrack track``: follow one target through a video, a folder of images or a camera."""

import argparse
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from litetrack_ros.backends.base import Backend
from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.datasets.sequences import format_boxes
from litetrack_ros.dependencies import require
from litetrack_ros.errors import BoxError
from litetrack_ros.files import replacing, write_text
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Image, Uint8Image, to_bgr8
from litetrack_ros.media import drawing, windows
from litetrack_ros.media.sources import Source, open_source
from litetrack_ros.media.writers import writing_video
from litetrack_ros.tools import arguments
from litetrack_ros.tracker.following import follow
from litetrack_ros.tracker.result import TrackResult
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.tracker import Tracker


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    model: ModelChoice
    src: str
    init_box: tuple[float, ...] | None
    init_point: tuple[float, ...] | None
    show: bool
    save: Path | None
    save_txt: Path | None
    page: bool
    host: str
    port: int
    name: tuple[str, ...]
    cert: Path | None
    key: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument(
        "src", metavar="SRC", help="a video file, a folder of images, or a camera index"
    )
    arguments.add_model_arguments(parser)
    arguments.add_init_box_argument(parser)
    parser.add_argument(
        "--init-point",
        nargs=2,
        type=float,
        metavar=("X", "Y"),
        help="a point on the target in the first frame, px, in place of a box",
    )
    parser.add_argument("--show", action="store_true", help="show the frames; q or Esc stops")
    parser.add_argument("--save", type=Path, metavar="OUT.mp4", help="write the frames with boxes")
    parser.add_argument(
        "--save-txt", type=Path, metavar="FILE", help="write one x,y,w,h line a frame"
    )
    parser.add_argument(
        "--page",
        action="store_true",
        help="serve a page to choose the target on and to watch, for a machine without a display",
    )
    arguments.add_page_arguments(parser)


def run(request: Request) -> int:
    """Track, and write the outputs when all went well."""
    if request.init_box is not None and request.init_point is not None:
        raise BoxError("--init-box and --init-point both say where the target is; give one")
    with open_source(request.src) as source:
        if request.show:
            windows.check_display()
        backend = open_backend(request.model)
        print(f"model: {arguments.describe_backend(backend.info)}", flush=True)
        with contextlib.ExitStack() as stack:
            shown = TrackWriter(request, source, stack)
            box = arguments.init_box(request.src, request.init_box)
            film = _open_page(request, source, backend, stack) if request.page else None
            results = track_source(source, backend, shown, box, request.init_point, film)
            print(summary(results))
    return 0


def _open_page(
    request: Request, source: Source, backend: Backend, stack: contextlib.ExitStack
) -> Any:
    require("aiohttp")
    from litetrack_ros.page.film import Film
    from litetrack_ros.page.server import Address, announce, serving

    film = Film(source, Tracker(backend))
    address = Address(request.host, request.port, request.name, request.cert, request.key)
    links = stack.enter_context(serving(film.feed, film, address))
    print(announce(links), flush=True)
    return film


class TrackWriter:
    """Where boxes and drawn frames go; the files appear when the stack closes without error."""

    def __init__(self, request: Request, source: Source, stack: contextlib.ExitStack) -> None:
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
            stack.callback(windows.close_windows)

    def add(self, image: Image, result: TrackResult) -> bool:
        """Take a frame; False when the user wants to stop."""
        self._boxes.append(result.box_xywh)
        if self._video is None and not self._show:
            return True
        drawn = draw_result(image, result)
        if self._video is not None:
            self._video.write(drawn)
        return windows.show(self._title, drawn) if self._show else True

    def finish(self) -> None:
        """Fill the text file."""
        if self._text is not None:
            write_text(self._text, format_boxes(np.stack(self._boxes)))


def track_source(
    source: Source,
    backend: Backend,
    writer: TrackWriter,
    init_box_xywh: FloatArray | None,
    init_point_xy: tuple[float, ...] | None = None,
    film: Any = None,
) -> list[TrackResult]:
    """Follow a target to the end of a source, or until the user stops it.

    Ctrl-C ends a live source, or one on a page, as its end would, and interrupts a recorded one.

    Args:
        source: the images.
        backend: runs the network.
        writer: takes every frame.
        init_box_xywh: the target in the first frame; None asks for it on the display, or on the
            page.
        init_point_xy: a point on the target in the first frame, in place of the box.
        film: a :class:`litetrack_ros.page.film.Film` of the source where a page is served.

    Returns:
        The result of every frame.

    Raises:
        BoxError: no track can start from the box or the point.
        MediaError: the source cannot be read to its end, or an output cannot be written.
    """
    results: list[TrackResult] = []
    if film is not None:
        steps = film.follow((frame.image for frame in source), init_box_xywh)
    else:
        steps = follow(
            Tracker(backend), *arguments.images_and_box(source, init_box_xywh, init_point_xy)
        )
    with arguments.Progress(source.frame_count, source.name) as progress:
        try:
            for step in steps:
                results.append(step.result)
                going_on = writer.add(step.image, step.result)
                progress.step()
                if not going_on:
                    break
        except KeyboardInterrupt:
            if not (source.is_live or film is not None) or not results:
                raise
    writer.finish()
    return results


def summary(results: Sequence[TrackResult]) -> str:
    """Frames, rate and the mean times of the stages, in one line."""
    frames = f"{len(results)} frames"
    if len(results) < 2:
        return frames
    crop, model, decode, total = np.mean(
        [
            (r.timing.crop_ms, r.timing.model_ms, r.timing.decode_ms, r.timing.total_ms)
            for r in results[1:]
        ],
        axis=0,
    )
    return (
        f"{frames}, tracking at {1e3 / total:.1f} fps without reading and writing: "
        f"{total:.2f} ms a frame (crop {crop:.2f}, model {model:.2f}, decode {decode:.2f})"
    )


def draw_result(image: Image, result: TrackResult) -> Uint8Image:
    """A copy of a frame as BGR with the box, the state and the score on it."""
    drawn = np.array(to_bgr8(image))
    color = drawing.GREEN if result.state is State.TRACKING else drawing.RED
    drawing.draw_box(drawn, result.box_xywh, color)
    drawing.draw_text(drawn, f"{result.state.name} {result.score:.2f}", color=color)
    return drawn
