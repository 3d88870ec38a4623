"""A page of charts, tables and pictures as one HTML file that needs no network."""

import base64
import gzip
from collections.abc import Sequence
from typing import NamedTuple

from litetrack_ros.dependencies import require
from litetrack_ros.report.charts import Chart

MAX_PAGE_BYTES = 1_500_000


class Table(NamedTuple):
    """Titles of the columns, none where the first cell of a row says enough, and the rows."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


class Picture(NamedTuple):
    """A JPEG file's content, and what to say of it."""

    jpeg: bytes
    caption: str

    @property
    def data_url(self) -> str:
        """The picture as the address of an image."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg).decode()}"


class Section(NamedTuple):
    """A part of a page; what is empty is left out."""

    title: str
    text: str = ""
    charts: Sequence[Chart] = ()
    table: Table | None = None
    pictures: Sequence[Picture] = ()


def render(title: str, sections: Sequence[Section], notes: Sequence[str] = ()) -> str:
    """The HTML text, at most :data:`MAX_PAGE_BYTES` with any number of pictures.

    Every text is shown as it is written: nothing in it becomes markup.

    Args:
        title: heading.
        sections: from top to bottom; of too many pictures the last ones are left out, and the
            section says so.
        notes: warnings and failures, a sentence each.

    Raises:
        MissingDependencyError: Jinja2 or Bokeh is not installed.
    """
    jinja2 = require("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("litetrack_ros.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html")
    script, places = _pack([chart for section in sections for chart in section.charts])

    def fill(some: Sequence[Section]) -> str:
        left = iter(places)
        parts = [(section, [next(left) for _ in section.charts]) for section in some]
        text: str = template.render(title=title, notes=notes, parts=parts, script=script)
        return text

    bare = fill([section._replace(pictures=()) for section in sections])
    return fill(_with_pictures(sections, MAX_PAGE_BYTES - len(bare.encode())))


def _pack(charts: Sequence[Chart]) -> tuple[str, Sequence[str]]:
    """Bokeh's script and the charts' data, gzip as base64; and the charts' places in the page.

    The script alone would fill most of the page. A browser unpacks it in some milliseconds.
    """
    if not charts:
        return "", ()
    library = require("bokeh.resources").Resources(mode="inline", components=["bokeh"]).js_raw
    code, places = require("bokeh.embed").components(tuple(charts), wrap_script=False)
    packed = gzip.compress("\n".join([*library, code]).encode(), mtime=0)
    return base64.b64encode(packed).decode(), places


def _with_pictures(sections: Sequence[Section], room_bytes: int) -> list[Section]:
    """The sections with as many of their pictures as there is room for."""
    result = []
    for section in sections:
        kept = []
        for picture in section.pictures:
            # The tags around it are short.
            room_bytes -= len(picture.data_url) + 6 * len(picture.caption.encode()) + 200
            if room_bytes > 0:
                kept.append(picture)
        text = section.text
        if len(kept) < len(section.pictures):
            gone = f"{len(section.pictures) - len(kept)} pictures more did not fit into this file."
            text = f"{text} {gone}".strip()
        result.append(section._replace(pictures=kept, text=text))
    return result
