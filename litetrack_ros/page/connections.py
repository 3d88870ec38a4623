"""Connections before anybody has said who they are: only so many, and none that asks nothing."""

import asyncio

from aiohttp import web

MAX_CONNECTIONS = 160  # a browser opens up to six, and there are 24 clients at most
ASK_WITHIN_S = 10.0


class Connections:
    """Makes the protocol of each connection that comes in, for ``create_server``.

    Args:
        server: answers the requests.
        has_handshake: a connection is not the server's before its TLS handshake is done.
    """

    def __init__(self, server: web.Server, has_handshake: bool) -> None:
        self._server, self._has_handshake = server, has_handshake
        self._silent: dict[web.RequestHandler, asyncio.TimerHandle] = {}

    def __call__(self) -> asyncio.Protocol:
        """The protocol of another connection; one too many is closed at once."""
        count = len(self._server.connections)
        if self._has_handshake:
            count += sum(handler.transport is None for handler in self._silent)
        if count >= MAX_CONNECTIONS:
            return _Refused()
        handler = self._server()
        loop = asyncio.get_running_loop()
        self._silent[handler] = loop.call_later(ASK_WITHIN_S, self._give_up, handler)
        return handler

    def note_request(self, request: web.Request) -> None:
        """A connection has asked for something; from then on aiohttp's own time limits hold."""
        timer = self._silent.pop(request.protocol, None)
        if timer is not None:
            timer.cancel()  # which lets go of the connection's memory too

    def _give_up(self, handler: web.RequestHandler) -> None:
        del self._silent[handler]
        if handler.transport is not None:
            handler.transport.close()


class _Refused(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
