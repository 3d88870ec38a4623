"""Who may see the page, and who may command: tokens, cookies, hosts, origins, limits.

On the loopback interface whoever is on this machine may do everything. Elsewhere a random token is
needed: one to command, one to look. It travels in the fragment of an address, which browsers keep
from servers and their logs, and is then exchanged for a cookie that no script can read.
"""

import enum
import hmac
import ipaddress
import secrets
import socket
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

MAX_CLIENTS = 24
MAX_MESSAGE_BYTES = 4096
_TOKEN_BYTES = 24
_MAX_ADDRESSES = 1000


class Role(enum.Enum):
    """What a client may do."""

    VIEW = "view"
    CONTROL = "control"


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Access:
    """The rules of one server.

    Attributes:
        needs_token: whether the address is reached from elsewhere.
        scheme: ``http`` or ``https``.
        port: it listens on.
        names: host names it is called by, beside the address that a connection came to.
        tokens: made at random for each server.
    """

    needs_token: bool
    scheme: str
    port: int
    names: frozenset[str] = frozenset()
    tokens: dict[Role, str] = field(
        default_factory=lambda: {role: secrets.token_urlsafe(_TOKEN_BYTES) for role in Role}
    )

    @property
    def cookie_name(self) -> str:
        """Cookies are shared by all ports of a host: the port makes it this server's own."""
        return f"litetrack_{self.port}"

    def role(self, token: str | None) -> Role | None:
        """What the holder of a token may do; None is nothing. Takes the same time for any token."""
        if not self.needs_token:
            return Role.CONTROL
        given = (token or "").encode()
        same = {r: hmac.compare_digest(given, own.encode()) for r, own in self.tokens.items()}
        return next((role for role, is_same in same.items() if is_same), None)

    def refusal(self, host: str, origin: str | None, local_ip: str, needs_origin: bool) -> str:
        """Why a request is refused; empty where it is not.

        A page of another site may not speak to this server: browsers say the origin. Nor may one
        whose name was made to lead here (DNS rebinding): the host it asks for is not ours.

        Args:
            host: the header.
            origin: the header, None without one.
            local_ip: the address that the connection came to.
            needs_origin: for requests that change something, and sockets.
        """
        if not self._is_own_host(host, local_ip):
            return "this server is not called that: name it with --name"
        if origin is None:
            return "a request without an origin" if needs_origin else ""
        if origin.lower() != f"{self.scheme}://{host}".lower():
            return "a request from another site"
        return ""

    def _is_own_host(self, host: str, local_ip: str) -> bool:
        parts = urlsplit(f"//{host}")
        try:
            name, port = parts.hostname or "", parts.port
        except ValueError:
            return False
        if parts.path or parts.query or parts.fragment or "@" in host:
            return False
        if (port or (443 if self.scheme == "https" else 80)) != self.port:
            return False
        if name in self.names:
            return True
        if is_loopback(local_ip):
            return is_loopback(name)
        try:
            return ipaddress.ip_address(name) == ipaddress.ip_address(local_ip)
        except ValueError:
            return False


def own_names(further: Iterable[str]) -> frozenset[str]:
    """The names of this machine, and further ones."""
    host = socket.gethostname().lower()
    return frozenset({host, f"{host.partition('.')[0]}.local", *(n.lower() for n in further)})


def own_address() -> str:
    """The address by which others reach this machine, as far as it knows; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


class Allowance:
    """So many a second, and some more at once.

    Args:
        rate_hz: allowed for long.
        burst: allowed at once.
    """

    def __init__(self, rate_hz: float, burst: float) -> None:
        self._rate_hz, self._burst = rate_hz, burst
        self._left = burst
        self._asked_s = time.monotonic()

    def take(self) -> bool:
        """Use one; False where none is left."""
        now_s = time.monotonic()
        self._left = min(self._burst, self._left + (now_s - self._asked_s) * self._rate_hz)
        self._asked_s = now_s
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Allowances:
    """An allowance for each address that asks; those that asked longest ago are forgotten.

    Args:
        rate_hz, burst: of each; see :class:`Allowance`.
    """

    def __init__(self, rate_hz: float, burst: float) -> None:
        self._rate_hz, self._burst = rate_hz, burst
        self._of: OrderedDict[str, Allowance] = OrderedDict()

    def take(self, address: str) -> bool:
        """Use one of an address; False where it has none left."""
        if address not in self._of:
            self._of[address] = Allowance(self._rate_hz, self._burst)
        self._of.move_to_end(address)
        while len(self._of) > _MAX_ADDRESSES:
            self._of.popitem(last=False)
        return self._of[address].take()
