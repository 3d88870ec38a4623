"""Who gets in, what a browser may send, and that nobody outside selects anything."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import random
import ssl
import subprocess
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import psutil
import pytest
from served_page import Served, StubTracker

from litetrack_ros.errors import PageError
from litetrack_ros.page.access import MAX_CLIENTS, Access, Allowance, Role
from litetrack_ros.page.feed import Feed

aiohttp: Any = pytest.importorskip("aiohttp")
server: Any = pytest.importorskip("litetrack_ros.page.server")


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


def mutated(random_: random.Random, stamp: int) -> str | bytes:
    """A frame that is wrong in one way or another."""
    good = command(stamp, sure=True)
    kind = random_.randrange(8)
    if kind == 0:
        return random_.randbytes(random_.randrange(200))
    if kind == 1:
        return "".join(chr(random_.randrange(1, 0x800)) for _ in range(random_.randrange(100)))
    if kind == 2:
        place = random_.randrange(len(good))
        return good[:place] + chr(random_.randrange(32, 127)) + good[place + 2 :]
    if kind == 3:
        return "[" * random_.randrange(1, 3000)
    if kind == 4:
        return command(stamp, numbers=random_.choice([None, [], ["1"] * 4, [1e400] * 4, {}]))
    if kind == 5:
        wrong = random_.choice([1, None, "-1", "9" * 400, "x", []])
        return json.dumps({**json.loads(good), "stamp": wrong})
    if kind == 6:
        return json.dumps({"type": random_.choice(["seen", "view", "ping", None, 3, "hello"])})
    return "x" * random_.randrange(3000, 9000)


def _resident(process: psutil.Process) -> int:
    """Resident memory without what only waits to be given back: other tests ran here before."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(process.memory_info().rss)


def test_hostile_traffic_neither_ends_it_nor_fills_it(serve: Callable[..., Served]) -> None:
    served = serve()
    frames = int(os.environ.get("LITETRACK_HOSTILE_FRAMES", 4000))
    random_ = random.Random(0)
    process = psutil.Process()

    async def work() -> int:
        async with aiohttp.ClientSession() as session:

            async def connect() -> Any:
                for _ in range(100):  # the server may still be parting with the last one
                    try:
                        return await session.ws_connect(
                            served.base + "socket", origin=served.origin
                        )
                    except aiohttp.WSServerHandshakeError as error:
                        assert error.status == 503
                        await asyncio.sleep(0.05)
                raise AssertionError("a client that went is never given up")

            clients = [await connect() for _ in range(20)]
            for client in clients:
                await receive(client, "hello")
            stamp = served.show()
            before = _resident(process)
            sent, socket = 0, await connect()
            while sent < frames:
                try:
                    frame = mutated(random_, stamp)
                    if isinstance(frame, bytes):
                        await socket.send_bytes(frame)
                    else:
                        await socket.send_str(frame)
                    sent += 1
                except (ConnectionError, aiohttp.ClientError):
                    await socket.close()
                    socket = await connect()
                if socket.closed:
                    socket = await connect()
                if sent % 20 == 0:
                    await asyncio.sleep(0)
                    message = await socket.receive()
                    if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
                        await socket.close()
                        socket = await connect()
            grown = _resident(process) - before
            await socket.close()
            last = await connect()  # it still serves
            await receive(last, "hello")
            for client in (*clients, last):
                await client.close()
            return grown

    grown = run(work())
    assert grown < 20e6
    # What was a command in spite of all is one of the client's own: nothing else came through.
    assert all(c.numbers and len(c.numbers) == 4 for c in served.tracker.commands)


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
