"""Who gets in, what a browser may send, and that nobody outside selects anything."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from served_page import Served, StubTracker

from litetrack_ros.errors import PageError
from litetrack_ros.page.access import MAX_CLIENTS, Access, Allowance, Allowances, Role
from litetrack_ros.page.feed import Feed

aiohttp: Any = pytest.importorskip("aiohttp")
server: Any = pytest.importorskip("litetrack_ros.page.server")
connections: Any = pytest.importorskip("litetrack_ros.page.connections")


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 600))


async def receive(socket: Any, kind: str) -> Any:
    """The next message of a kind: a JSON object, or the head of a picture."""
    while True:
        message = await socket.receive(timeout=10)
        if message.type is aiohttp.WSMsgType.BINARY and kind == "picture":
            length = int.from_bytes(message.data[:4], "big")
            return json.loads(message.data[4 : 4 + length]), message.data[4 + length :]
        if message.type is aiohttp.WSMsgType.TEXT:
            found = json.loads(message.data)
            if found["type"] == kind:
                return found
        assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message


def command(stamp: int, **changes: Any) -> str:
    message = {
        "type": "command", "id": 1, "at": time.time() * 1e3, "kind": "box", "target": "cup",
        "stamp": str(stamp), "numbers": [10, 20, 30, 40], "sure": False,
    }  # fmt: skip
    return json.dumps({**message, **changes})


@pytest.mark.parametrize(
    ("host", "origin", "local", "needs_origin", "expected"),
    [
        ("127.0.0.1:8680", None, "127.0.0.1", False, ""),
        ("localhost:8680", "http://localhost:8680", "127.0.0.1", True, ""),
        ("[::1]:8680", "http://[::1]:8680", "::1", True, ""),
        ("192.168.1.5:8680", "http://192.168.1.5:8680", "192.168.1.5", True, ""),
        ("robot.local:8680", "http://robot.local:8680", "192.168.1.5", True, ""),
        ("evil.example:8680", "http://evil.example:8680", "192.168.1.5", True, "not called that"),
        ("evil.example:8680", None, "127.0.0.1", False, "not called that"),
        ("127.0.0.1:80", None, "127.0.0.1", False, "not called that"),
        ("127.0.0.1", None, "127.0.0.1", False, "not called that"),
        ("localhost:8680", None, "192.168.1.5", False, "not called that"),
        ("a@127.0.0.1:8680", None, "127.0.0.1", False, "not called that"),
        ("127.0.0.1:99999", None, "127.0.0.1", False, "not called that"),
        ("", None, "127.0.0.1", False, "not called that"),
        ("127.0.0.1:8680", None, "127.0.0.1", True, "without an origin"),
        ("127.0.0.1:8680", "null", "127.0.0.1", True, "another site"),
        ("127.0.0.1:8680", "http://127.0.0.1:9999", "127.0.0.1", False, "another site"),
        ("127.0.0.1:8680", "https://127.0.0.1:8680", "127.0.0.1", True, "another site"),
    ],
)
def test_hosts_and_origins(
    host: str, origin: str | None, local: str, needs_origin: bool, expected: str
) -> None:
    access = Access(False, "http", 8680, frozenset({"robot.local"}))
    reason = access.refusal(host, origin, local, needs_origin)
    assert expected in reason and bool(expected) == bool(reason)


def test_tokens_are_random_and_of_two_kinds() -> None:
    access, other = Access(True, "http", 1), Access(True, "http", 1)
    assert len({*access.tokens.values(), *other.tokens.values()}) == 4
    assert access.role(access.tokens[Role.CONTROL]) is Role.CONTROL
    assert access.role(access.tokens[Role.VIEW]) is Role.VIEW
    for wrong in (None, "", "x", other.tokens[Role.CONTROL], "ä"):
        assert access.role(wrong) is None


def test_so_many_a_second_and_some_more_at_once() -> None:
    allowance = Allowance(1000.0, 3.0)
    assert [allowance.take() for _ in range(5)].count(True) <= 4
    time.sleep(0.01)
    assert allowance.take()


def test_an_address_that_asks_much_is_refused_and_others_are_not() -> None:
    allowances = Allowances(0.001, 3.0)
    assert [allowances.take("a") for _ in range(4)] == [True, True, True, False]
    assert allowances.take("b")
    for number in range(2000):  # what many addresses leave behind is bounded
        allowances.take(str(number))
    assert len(allowances._of) == 1000


def test_too_many_requests_of_one_address(serve: Callable[..., Served]) -> None:
    served = serve()

    async def work() -> None:
        async with aiohttp.ClientSession() as session:
            statuses = []
            for _ in range(400):
                async with session.get(served.base + "icon.svg") as answer:
                    statuses.append(answer.status)
            assert set(statuses) == {200, 429} and statuses[:250] == [200] * 250
        elsewhere = aiohttp.TCPConnector(local_addr=("127.0.0.9", 0))
        async with (
            aiohttp.ClientSession(connector=elsewhere) as session,
            session.get(served.base) as answer,
        ):
            assert answer.status == 200

    run(work())


def test_connections_that_ask_nothing_are_few_and_given_up(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ASK_WITHIN_S", 1.0)
    served = serve()
    place = ("127.0.0.1", int(served.origin.rpartition(":")[2]))
    for _ in range(2 * connections.MAX_CONNECTIONS):  # those that went again do not count
        socket.create_connection(place, timeout=10).close()
    with contextlib.ExitStack() as stack:
        silent = []
        for number in range(connections.MAX_CONNECTIONS + 20):
            one = stack.enter_context(socket.create_connection(place, timeout=10))
            one.sendall(b"GET / HTTP/1.1\r\nHost: " * (number % 2))  # and never the rest
            silent.append(one)
        begun_s = time.monotonic()
        for one in silent:
            with contextlib.suppress(ConnectionError):
                assert one.recv(10) == b""
        assert time.monotonic() - begun_s < 5.0

    async def work() -> None:
        async with aiohttp.ClientSession() as session, session.get(served.base) as answer:
            assert answer.status == 200

    run(work())


def test_nothing_is_served_but_the_pages_own_files(serve: Callable[..., Served]) -> None:
    served = serve()

    async def work() -> None:
        async with aiohttp.ClientSession() as session:
            async with session.get(served.base) as answer:
                assert answer.status == 200 and "LiteTrack" in await answer.text()
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
            for path in ("../server.py", "..%2fserver.py", "%2e%2e/feed.py", "static/main.js",
                         "//etc/passwd", "....//x", "%00", "main.js/..", "enter"):  # fmt: skip
                url = aiohttp.client.URL(served.base + path, encoded=True)
                async with session.get(url) as answer:
                    assert answer.status in (400, 404), path
            async with session.get(served.base, headers={"Host": "evil.example"}) as answer:
                assert answer.status == 403
            for origin in (None, "http://evil.example", "null"):
                headers = {} if origin is None else {"Origin": origin}
                with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                    await session.ws_connect(served.base + "socket", headers=headers)
                assert caught.value.status == 403

    run(work())
    assert served.tracker.commands == []


def test_a_selection_carries_the_stamp_of_its_picture(serve: Callable[..., Served]) -> None:
    served = serve()

    async def work() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(served.base + "socket", origin=served.origin) as socket,
        ):
            assert (await receive(socket, "hello"))["control"]
            stamp = served.show()
            head, content = await receive(socket, "picture")
            assert (head["stamp"], head["width"], head["height"]) == (str(stamp), 1280, 960)
            assert head["boxes"][0]["box"] == [10.0, 20.0, 30.0, 40.0]
            assert content[:2] == b"\xff\xd8"

            async def ask(text: str) -> Any:
                await socket.send_str(text)
                return await receive(socket, "answer")

            assert (await ask(command(stamp)))["ok"]
            await asyncio.sleep(1.1)
            refusals = [
                (command(stamp), "confirm"),
                (command(stamp - 1), "not shown here"),
                (command(stamp, at=time.time() * 1e3 - 5000), "too long on its way"),
                (command(stamp, numbers=[10, 20, 5000, 40], sure=True), "no box in the image"),
                (command(stamp, numbers=[-10, 20, 50, 40], sure=True), "outside the image"),
                (command(stamp, kind="point", numbers=[10, 20], sure=True), "boxes only"),
                (command(stamp, kind="remove"), "cannot remove"),
            ]
            for text, expected in refusals:
                answer = await ask(text)
                assert not answer["ok"] and expected in answer["text"], (expected, answer)
            await asyncio.sleep(0.7)
            assert (await ask(command(stamp, sure=True)))["ok"]
            state = await receive(socket, "state")
            while state["last"] is None:
                state = await receive(socket, "state")
            assert state["last"]["who"].startswith("client 1 at") and "clock" not in state

    run(work())
    assert [c.kind for c in served.tracker.commands] == ["box", "box"]
    assert served.tracker.commands[0].numbers == (10.0, 20.0, 30.0, 40.0)
    end = time.monotonic() + 5
    while served.tracker.watched != [True, False]:
        assert time.monotonic() < end, served.tracker.watched
        time.sleep(0.02)


def test_elsewhere_a_token_is_needed_and_becomes_a_cookie(serve: Callable[..., Served]) -> None:
    served = serve(host="0.0.0.0", names=("127.0.0.1",))
    control = served.links.control.partition("#")[2]
    view = served.links.view.partition("#")[2]
    printed = server.announce(served.links)
    assert served.links.control in printed and served.links.view in printed and "▄" in printed

    async def work() -> None:
        async with aiohttp.ClientSession() as session:
            async with session.get(served.base) as answer:
                assert answer.status == 401 and "enter.js" in await answer.text()
            for path in ("main.js", "index.html", "socket", f"?token={control}"):
                async with session.get(served.base + path, headers={"Origin": served.origin}) as a:
                    assert a.status == 401, path
            for token, status in (("x" * 32, 401), ("", 401), (b"\xff" * 10, 401), (view, 204)):
                headers = {"Origin": served.origin}
                async with session.post(
                    served.base + "enter", data=token, headers=headers
                ) as answer:
                    assert answer.status == status
            cookie = answer.headers["Set-Cookie"]
            assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
        for token, may in ((view, False), (control, True)):
            port = served.origin.rpartition(":")[2]
            jar = aiohttp.CookieJar(unsafe=True)
            jar.update_cookies({f"litetrack_{port}": token}, aiohttp.client.URL(served.base))
            async with (
                aiohttp.ClientSession(cookie_jar=jar) as session,
                session.ws_connect(served.base + "socket", origin=served.origin) as socket,
            ):
                assert (await receive(socket, "hello"))["control"] is may
                stamp = served.show()
                await receive(socket, "picture")
                await socket.send_str(command(stamp))
                answer = await receive(socket, "answer")
                assert answer["ok"] is may, answer

    run(work())
    assert len(served.tracker.commands) == 1


def test_a_taken_port_and_a_bad_certificate_are_one_sentence(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    served = serve()
    port = int(served.origin.rpartition(":")[2])
    with (
        pytest.raises(PageError, match="choose another with --port"),
        server.serving(Feed(""), StubTracker(), server.Address(port=port)),
    ):
        pass
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    with pytest.raises(PageError, match="cannot be used"):
        serve(certificate=wrong, key=wrong)


def test_https(serve: Callable[..., Served], tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
         certificate, "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=IP:127.0.0.1"],
        capture_output=True,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("openssl makes no certificate here")
    served = serve(certificate=certificate, key=key)
    assert served.base.startswith("https://")

    async def work() -> None:
        trusting = ssl.create_default_context(cafile=str(certificate))
        async with (
            aiohttp.ClientSession() as session,
            session.get(served.base, ssl=trusting) as answer,
        ):
            assert answer.status == 200

    run(work())


def test_a_viewer_that_stopped_reading_holds_up_nobody(serve: Callable[..., Served]) -> None:
    served = serve()

    async def work() -> None:
        async with aiohttp.ClientSession() as session:
            stuck = await session.ws_connect(served.base + "socket", origin=served.origin)
            async with session.ws_connect(served.base + "socket", origin=served.origin) as socket:
                seen = []
                for _ in range(20):
                    served.show()
                    head, _ = await receive(socket, "picture")
                    seen.append(head["n"])
                    await socket.send_str(json.dumps({"type": "seen", "n": head["n"]}))
                    await asyncio.sleep(0.04)
                assert len(seen) == 20 and seen[-1] >= 19
            await stuck.close()

    run(work())


def test_no_more_clients_than_allowed(serve: Callable[..., Served]) -> None:
    served = serve()

    async def work() -> None:
        async with aiohttp.ClientSession() as session:
            sockets = []
            for _ in range(MAX_CLIENTS):
                sockets.append(
                    await session.ws_connect(served.base + "socket", origin=served.origin)
                )
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await session.ws_connect(served.base + "socket", origin=served.origin)
            assert caught.value.status == 503
            for socket in sockets:
                await socket.close()

    run(work())
