"""Connections before anybody has said who they are: only so many, and none that asks nothing."""

import asyncio

from aiohttp import web

MAX_CONNECTIONS = 160  # a browser opens up to six, and there are 24 clients at most
ASK_WITHIN_S = 10.0


class Connections:
    """Makes the protocol of each connection that comes in, for ``create_server``.

    Args:
        server: answers the requests.
    """

    def __init__(self, server: web.Server) -> None:
        self._server = server
        self._silent: set[web.RequestHandler] = set()

    def __call__(self) -> asyncio.Protocol:
        """The protocol of another connection; one too many is closed at once."""
        if len(self._silent.union(self._server.connections)) >= MAX_CONNECTIONS:
            return _Refused()
        handler = self._server()
        self._silent.add(handler)
        asyncio.get_running_loop().call_later(ASK_WITHIN_S, self._give_up, handler)
        return handler

    def note_request(self, request: web.Request) -> None:
        """A connection has asked for something; from then on aiohttp's own time limits hold."""
        self._silent.discard(request.protocol)

    def _give_up(self, handler: web.RequestHandler) -> None:
        if handler in self._silent:
            self._silent.discard(handler)
            if handler.transport is not None:
                handler.transport.close()


class _Refused(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
