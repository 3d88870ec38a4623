"""What the tests of the page share: a camera, a node and the page's own process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from page_actors import PageProcess, SceneCamera, own_namespace, start_tracker

pytest.importorskip("aiohttp")


class Stage:
    """Everything there is around a page; each part can be ended and begun again."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.namespace = own_namespace()
        self._folder, self._stack = folder, stack
        self.camera = SceneCamera(self.namespace)
        stack.callback(self.camera.close)
        self.start_node()

    def start_node(self) -> None:
        """A tracker node with the shipped model."""
        self.node = start_tracker(self.namespace, self._folder / "node.log", max_targets=3)
        self._stack.callback(self.node.end)

    def start_page(self, *arguments: str, port: int = 0) -> PageProcess:
        """The page for that node."""
        page = PageProcess(self.namespace, *arguments, port=port)
        self._stack.callback(page.process.kill)
        return page


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Any]:
    """A camera before a node."""
    with contextlib.ExitStack() as stack:
        yield Stage(tmp_path, stack)


@pytest.fixture
def open_browser(tmp_path: Path) -> Iterator[Callable[[], Any]]:
    """Opens browsers with windows of their own."""
    from browser import Browser

    opened: list[Browser] = []

    def start() -> Browser:
        opened.append(Browser(tmp_path / f"browser{len(opened)}"))
        return opened[-1]

    yield start
    for browser in opened:
        browser.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Any]]:
    """Serves pages without a node, from this process."""
    from served_page import Served, StubTracker

    from litetrack_ros.page.feed import Feed
    from litetrack_ros.page.server import Address, serving

    with contextlib.ExitStack() as stack:

        def start(**address: Any) -> Served:
            feed, tracker = Feed("test"), StubTracker()
            links = stack.enter_context(serving(feed, tracker, Address(port=0, **address)))
            return Served(links, feed, tracker)

        yield start
