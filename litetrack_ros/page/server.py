"""The web server of the operator's page: fixed files, one socket, and the door before both."""

import asyncio
import contextlib
import importlib
import io
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from litetrack_ros.errors import PageError
from litetrack_ros.page.access import (
    MAX_CLIENTS,
    MAX_MESSAGE_BYTES,
    Access,
    Allowances,
    Role,
    is_loopback,
    own_address,
    own_names,
)
from litetrack_ros.page.client import Client
from litetrack_ros.page.connections import Connections
from litetrack_ros.page.feed import Feed, Tracker
from litetrack_ros.page.ladder import Ladder

DEFAULT_PORT = 8680
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_ENTER = "enter.html"
_OPEN_TO_ALL = ("/enter.js", "/style.css")  # what the door itself needs
_START_TIMEOUT_S = 20.0
_PATIENCE_S = 10.0  # with a handshake, and with the body of a request
_SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Address:
    """Where the page is served.

    Attributes:
        host: address to listen on.
        port: 0 takes a free one.
        names: further names that the machine is called by.
        certificate, key: of HTTPS; None is HTTP.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class Links:
    """The addresses to hand out; without a token they are the same."""

    control: str
    view: str
    needs_token: bool


class PageServer:
    """Serves a feed to browsers, in the loop that starts it."""

    def __init__(self, feed: Feed, tracker: Tracker, address: Address) -> None:
        self._feed, self._tracker, self._address = feed, tracker, address
        self._access: Access | None = None
        self._files = _static_files()
        self._clients: set[Client] = set()
        self._places = 0
        self._numbers = 0
        self._ladder = Ladder()
        self._requests = Allowances(20.0, 300.0)  # a page is ten; all may come at once
        self._tries = Allowances(1.0, 10.0)
        self._connections: Connections | None = None
        self._listening: asyncio.Server | None = None
        self._runner: web.AppRunner | None = None

    async def start(self) -> Links:
        """Open the port.

        Raises:
            PageError: it is taken, or the certificate cannot be used.
        """
        address = self._address
        app = web.Application(middlewares=[self._guard], client_max_size=MAX_MESSAGE_BYTES)
        app.router.add_get("/socket", self._socket)
        app.router.add_post("/enter", self._enter)
        app.router.add_get("/{name:.*}", self._file)
        context = _tls(address)
        # The addresses that are asked for stand in no log: they may be anything.
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=30)
        await self._runner.setup()
        assert self._runner.server is not None  # set up
        self._connections = Connections(self._runner.server, context is not None)
        try:
            self._listening = await asyncio.get_running_loop().create_server(
                self._connections,
                address.host,
                address.port,
                ssl=context,
                ssl_handshake_timeout=_PATIENCE_S if context else None,
            )
        except OSError as error:
            await self._runner.cleanup()
            raise PageError(
                f"cannot serve the page on {address.host}:{address.port}: {error.strerror}; choose "
                "another with --port"
            ) from error
        port = int(self._listening.sockets[0].getsockname()[1])
        scheme = "https" if context else "http"
        loopback = is_loopback(address.host)
        names = frozenset(n.lower() for n in address.names)
        self._access = Access(
            not loopback, scheme, port, names if loopback else own_names(address.names)
        )
        loop = asyncio.get_running_loop()
        self._feed.listen(lambda: _call_in(loop, self._wake))
        return self._links(self._access)

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._listening is not None:
            self._listening.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def _links(self, access: Access) -> Links:
        host = self._address.names[0] if self._address.names else self._address.host
        if host in ("0.0.0.0", "::"):
            host = own_address()
        base = f"{access.scheme}://{f'[{host}]' if ':' in host else host}:{access.port}/"
        if not access.needs_token:
            return Links(base, base, False)
        tokens = access.tokens
        return Links(f"{base}#{tokens[Role.CONTROL]}", f"{base}#{tokens[Role.VIEW]}", True)

    def _wake(self) -> None:
        for client in self._clients:
            client.wake()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """How often, host and origin, always; and the headers of every answer."""
        access, connections = self._access, self._connections
        assert access is not None and connections is not None  # the server has started
        connections.note_request(request)
        if not self._requests.take(request.remote or ""):
            return web.Response(status=429, text="too many requests\n", headers=_SECURITY_HEADERS)
        name = request.transport.get_extra_info("sockname") if request.transport else None
        reason = access.refusal(
            request.headers.get("Host", ""),
            request.headers.get("Origin"),
            str(name[0]).removeprefix("::ffff:") if name else "",
            needs_origin=request.method != "GET" or request.path == "/socket",
        )
        if reason:
            answer: web.StreamResponse = web.Response(status=403, text=f"{reason}\n")
        else:
            try:
                answer = await handler(request)
            except web.HTTPException as error:
                answer = web.Response(status=error.status, text=f"{error.reason}\n")
        if not answer.prepared:
            answer.headers.update(_SECURITY_HEADERS)
        return answer

    def _role(self, request: web.Request) -> Role | None:
        access = self._access
        assert access is not None  # the server has started
        return access.role(request.cookies.get(access.cookie_name))

    async def _file(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if self._role(request) is None and path not in _OPEN_TO_ALL:
            if path != "/":
                return web.Response(status=401, text="the address with its token is needed\n")
            content, kind = self._files[f"/{_ENTER}"]
            return web.Response(status=401, body=content, content_type=kind, charset="utf-8")
        found = self._files.get("/index.html" if path == "/" else path)
        if found is None:
            raise web.HTTPNotFound
        return web.Response(body=found[0], content_type=found[1], charset="utf-8")

    async def _enter(self, request: web.Request) -> web.StreamResponse:
        """A token in the body becomes a cookie."""
        access = self._access
        assert access is not None  # the server has started
        if not self._tries.take(request.remote or ""):
            return web.Response(status=429, text="too many tries\n")
        try:
            body = await asyncio.wait_for(request.read(), _PATIENCE_S)
        except asyncio.TimeoutError:
            raise web.HTTPRequestTimeout from None
        token = body.decode("ascii", "replace")
        if access.role(token) is None:
            return web.Response(status=401, text="not a token of this server\n")
        answer = web.Response(status=204)
        answer.set_cookie(
            access.cookie_name,
            token,
            path="/",
            httponly=True,
            samesite="Strict",
            secure=access.scheme == "https",
        )
        return answer

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        role = self._role(request)
        if role is None:
            return web.Response(status=401, text="the address with its token is needed\n")
        if self._places >= MAX_CLIENTS:
            return web.Response(status=503, text=f"{MAX_CLIENTS} clients are here already\n")
        self._places += 1
        try:
            socket = web.WebSocketResponse(
                heartbeat=10.0, max_msg_size=MAX_MESSAGE_BYTES, compress=False
            )
            await socket.prepare(request)
            self._numbers += 1
            client = Client(
                socket,
                self._feed,
                self._tracker,
                self._ladder,
                role,
                f"client {self._numbers} at {request.remote}",
            )
            self._clients.add(client)
            if len(self._clients) == 1:
                self._tracker.watch(True)
            client.wake()
            try:
                await client.serve(len(self._clients))
            finally:
                self._clients.discard(client)
                if not self._clients:
                    self._tracker.watch(False)
        finally:
            self._places -= 1
        return socket


@contextlib.contextmanager
def serving(feed: Feed, tracker: Tracker, address: Address) -> Iterator[Links]:
    """Serve the page from a thread of its own.

    Raises:
        PageError: see :meth:`PageServer.start`.
    """
    started: list[Links | BaseException] = []
    is_started, loop = threading.Event(), asyncio.new_event_loop()
    stopping = asyncio.Event()

    async def serve() -> None:
        server = PageServer(feed, tracker, address)
        try:
            started.append(await server.start())
        except BaseException as error:  # noqa: BLE001  # raised again in the caller's thread
            started.append(error)
            is_started.set()
            return
        is_started.set()
        await stopping.wait()
        await server.stop()

    thread = threading.Thread(
        target=lambda: loop.run_until_complete(serve()), name="page", daemon=True
    )
    thread.start()
    if not is_started.wait(_START_TIMEOUT_S):
        raise PageError("the page's server does not start")
    if not isinstance(started[0], Links):
        raise started[0]
    try:
        yield started[0]
    finally:
        _call_in(loop, stopping.set)
        thread.join(5.0)


def announce(links: Links) -> str:
    """What to print in the terminal: addresses, and the first as a QR code where it is of use."""
    if not links.needs_token:
        return f"The page is at {links.control} (for this machine alone)."
    code = io.StringIO()
    with contextlib.suppress(ImportError):  # the addresses stand below it too
        segno = importlib.import_module("segno")
        segno.make(links.control, error="l").terminal(code, compact=True, border=2)
    return (
        f"{code.getvalue()}\nTo select and to watch: {links.control}\n"
        f"To watch alone:        {links.view}\n"
        "Whoever has an address may use it until this program ends."
    )


def _call_in(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(function)


def _static_files() -> dict[str, tuple[bytes, str]]:
    """The page's files by their paths; nothing else can be asked for."""
    folder = Path(__file__).parent / "static"
    return {
        f"/{path.name}": (path.read_bytes(), _TYPES[path.suffix])
        for path in folder.iterdir()
        if path.suffix in _TYPES
    }


def _tls(address: Address) -> ssl.SSLContext | None:
    if address.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(address.certificate, address.key)
    except (OSError, ssl.SSLError) as error:
        raise PageError(
            f"the certificate {address.certificate} with its key cannot be used: {error}"
        ) from error
    return context
