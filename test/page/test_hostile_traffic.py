"""A page on a network with hostile traffic: it goes on, stays small, and obeys nobody outside."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

aiohttp: Any = pytest.importorskip("aiohttp")

CLIENTS = 20
GROWTH_BYTES = 20e6
FRAMES = int(os.environ.get("LITETRACK_HOSTILE_FRAMES", 3000))  # 100000 takes about a minute
PATHS = ("../server.py", "..%2f..%2fetc/passwd", "%2e%2e/feed.py", "//etc/passwd", "%00", "main.js")


def command(stamp: int, target: str, **changes: Any) -> str:
    message = {
        "type": "command", "id": 1, "at": time.time() * 1e3, "kind": "box", "target": target,
        "stamp": str(stamp), "numbers": [10, 20, 30, 40], "sure": True,
    }  # fmt: skip
    return json.dumps({**message, **changes})


def mutated(random_: random.Random, stamp: int, who: str) -> str | bytes:
    """A frame that is wrong in one way or another."""
    good = command(stamp, who)
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
        return command(stamp, who, numbers=random_.choice([None, [], ["1"] * 4, [1e400] * 4, {}]))
    if kind == 5:
        wrong = random_.choice([1, None, "-1", "9" * 400, "x", []])
        return json.dumps({**json.loads(good), "stamp": wrong})
    if kind == 6:
        return json.dumps({"type": random_.choice(["seen", "view", "ping", None, 3, "hello"])})
    return "x" * random_.randrange(3000, 9000)


class Hostile:
    """Clients of a page: well-behaved ones, and the others, from one address after the other."""

    def __init__(self, links: dict[str, Any]) -> None:
        self.base = links["control"].partition("#")[0]
        self.origin = self.base.rstrip("/")
        self.tokens = {name: links[name].partition("#")[2] for name in ("control", "view")}
        self.places = itertools.count()
        self.random = random.Random(0)
        self.stamp = 0

    def session(self, token: str, place: int | None = None) -> Any:
        """From an address of this machine, with a cookie."""
        name = f"litetrack_{self.origin.rpartition(':')[2]}"
        far = None if place is None else (f"127.0.{1 + place // 250}.{1 + place % 250}", 0)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(local_addr=far), headers={"Cookie": f"{name}={token}"}
        )

    async def watch(self, session: Any) -> None:
        """A well-behaved client: says what it has seen."""
        async with session.ws_connect(self.base + "socket", origin=self.origin) as socket:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    length = int.from_bytes(message.data[:4], "big")
                    head = json.loads(message.data[4 : 4 + length])
                    self.stamp = int(head["stamp"])
                    await socket.send_str(json.dumps({"type": "seen", "n": head["n"]}))

    async def attack(self, role: str, frames: int) -> None:
        """Send wrong frames with a token; begin again, elsewhere, when thrown out."""
        sent = 0
        while sent < frames:
            async with self.session(self.tokens[role], next(self.places) % 5000) as session:
                while sent < frames:
                    try:
                        socket = await session.ws_connect(
                            self.base + "socket", origin=self.origin, max_msg_size=0
                        )
                    except aiohttp.WSServerHandshakeError as error:
                        assert error.status in (429, 503), error
                        if error.status == 429:
                            break
                        await asyncio.sleep(0.05)
                        continue
                    with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                        while not socket.closed and sent < frames:
                            frame = mutated(self.random, self.stamp, role)
                            sent += 1
                            await (
                                socket.send_bytes(frame)
                                if isinstance(frame, bytes)
                                else socket.send_str(frame)
                            )
                            if sent % 10 == 0:
                                await asyncio.wait_for(socket.receive(), 10)
                    await socket.close()

    async def knock(self, times: int) -> None:
        """Without a token, from another site, by another name, with odd paths and bodies."""
        good, wrong = self.tokens["control"], "x" * 32
        tries = [
            (wrong, {"Origin": self.origin}, {401}),
            (good, {"Origin": "http://evil.example"}, {403}),
            (good, {"Origin": self.origin, "Host": "evil.example"}, {403}),
            (good, {}, {403}),
        ]
        for number in range(times):
            token, headers, expected = tries[number % len(tries)]
            async with self.session(token, next(self.places) % 5000) as session:
                with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                    await session.ws_connect(self.base + "socket", headers=headers)
                assert caught.value.status in expected
                url = aiohttp.client.URL(self.base + PATHS[number % len(PATHS)], encoded=True)
                async with session.get(url) as answer:
                    assert answer.status in ({401} if token == wrong else {200, 400, 404})
                    assert b"root:" not in await answer.read()
                headers = {"Origin": self.origin}
                with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                    body = self.random.randbytes(self.random.choice((10, 32, 1 << 20)))
                    async with session.post(self.base + "enter", data=body, headers=headers) as a:
                        assert a.status in (401, 413)


def test_hostile_traffic_neither_ends_it_nor_fills_it_nor_commands() -> None:
    program = Path(__file__).parents[1] / "helpers" / "served_page.py"
    process = subprocess.Popen(
        [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    hostile = Hostile(json.loads(process.stdout.readline()))
    server = psutil.Process(process.pid)
    levels: list[int] = []

    async def work() -> None:
        async with hostile.session(hostile.tokens["control"]) as session:
            watching = [asyncio.create_task(hostile.watch(session)) for _ in range(CLIENTS)]
            await asyncio.sleep(3.0)
            level = max(server.memory_info().rss for _ in range(5))

            async def sample() -> None:
                while True:
                    levels.append(server.memory_info().rss - level)
                    await asyncio.sleep(0.1)

            sampling = asyncio.create_task(sample())
            await asyncio.gather(
                hostile.attack("view", FRAMES // 2),
                hostile.attack("control", FRAMES - FRAMES // 2),
                hostile.knock(FRAMES // 100),
            )
            sampling.cancel()
            assert not any(task.done() for task in watching)  # nobody else was thrown out
            for task in watching:
                task.cancel()

    try:
        asyncio.run(asyncio.wait_for(work(), 500))
        chosen, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    tenths = [levels[len(levels) * tenth // 10] / 1e6 for tenth in range(1, 10)]
    print(
        f"{FRAMES} frames: at most {max(levels) / 1e6:.1f} MB above the level before; after each "
        f"tenth {', '.join(f'{mb:.1f}' for mb in tenths)}"
    )
    assert process.returncode == 0
    assert max(levels) < GROWTH_BYTES
    # Whoever holds the token for it may command, and a mutated command may still be one.
    assert "view" not in json.loads(chosen)
