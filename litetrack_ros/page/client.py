"""One browser on the page: pictures go out as it takes them, commands come in as the rules allow.

A client says when it has drawn a picture, and only then gets the next, the newest: one that stops
reading costs one picture of memory and no time of others.
"""

import asyncio
import contextlib
import json
import math
import time
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from litetrack_ros.page.access import MAX_MESSAGE_BYTES, Allowance, Role
from litetrack_ros.page.feed import STALE_S, Answer, Command, Feed, Shown, Tracker
from litetrack_ros.page.ladder import RUNGS, Ladder, Step

TICK_S = 0.25
_LATE_MS = 2000.0  # a command that was this long on its way is not carried out
_EARLY_MS = 1500.0  # more than any clock offset by ping is wrong
_ANSWER_TIMEOUT_S = 6.0
_MAX_FAULTS = 10
_MAX_PENDING = 4
_UNSEEN_S = 5.0  # a picture that is not acknowledged: the client gets another chance
_SEND_TIMEOUT_S = 10.0
_MAX_NAME = 32


class Client:
    """A websocket of the page.

    Args:
        socket: prepared.
        feed: what there is to show.
        tracker: takes commands.
        ladder: makes sizes.
        role: what this client may do.
        who: how others see it, until it gives itself a name.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        feed: Feed,
        tracker: Tracker,
        ladder: Ladder,
        role: Role,
        who: str,
    ) -> None:
        self._socket, self._feed, self._tracker, self._ladder = socket, feed, tracker, ladder
        self._role, self._who, self._address = role, who, who
        self._step = Step()
        self._messages = Allowance(100.0, 200.0)
        self._commands = Allowance(3.0, 10.0)
        self._faults = 0
        self._pending: set[asyncio.Task[None]] = set()
        self._has_news = asyncio.Event()
        self._sent_number, self._seen_number, self._sent_s = 0, 0, 0.0
        self._seen = asyncio.Event()
        self._writing = asyncio.Lock()

    def wake(self) -> None:
        """There is another picture."""
        self._has_news.set()

    async def serve(self, clients: int) -> None:
        """Speak with the browser until it goes, or breaks the rules."""
        senders = [asyncio.create_task(self._send_state(clients))]
        senders.append(asyncio.create_task(self._send_pictures()))
        try:
            async for message in self._socket:
                if message.type is not WSMsgType.TEXT or not self._messages.take():
                    self._faults += 1
                else:
                    self._take(message.data)
                if self._faults > _MAX_FAULTS:
                    await self._socket.close(code=WSCloseCode.POLICY_VIOLATION)
        finally:
            for task in (*senders, *self._pending):
                task.cancel()
            await asyncio.gather(*senders, *self._pending, return_exceptions=True)

    # Out

    async def _send(self, text: str | None, content: bytes = b"") -> None:
        async with self._writing:  # a socket that does not take anything is given up
            sending = (
                self._socket.send_bytes(content) if text is None else self._socket.send_str(text)
            )
            try:
                await asyncio.wait_for(sending, _SEND_TIMEOUT_S)
            except asyncio.TimeoutError:
                await self._socket.close(code=WSCloseCode.TRY_AGAIN_LATER)
            except ConnectionError:
                pass  # the browser went: the reader notices

    async def _send_state(self, clients: int) -> None:
        hello = {
            "type": "hello",
            "name": self._feed.name,
            "control": self._role is Role.CONTROL,
            "you": self._who,
            "clients": clients,
            "bins": self._feed.minute(),
        }
        await self._send(json.dumps(hello))
        while not self._socket.closed:
            state = {
                "type": "state",
                "abilities": self._tracker.abilities(),
                "rung": self._step.rung,
                **self._feed.summary(),
            }
            await self._send(json.dumps(state))
            await asyncio.sleep(TICK_S)

    async def _send_pictures(self) -> None:
        while not self._socket.closed:
            await self._has_news.wait()
            self._has_news.clear()
            shown = self._feed.shown
            if shown is None or shown.number <= self._sent_number:
                continue
            if self._sent_number > self._seen_number:
                self._seen.clear()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._seen.wait(), _UNSEEN_S)
                shown = self._feed.shown or shown
            wait_s = self._sent_s + 0.9 / RUNGS[self._step.rung].rate_hz - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
                shown = self._feed.shown or shown
            jpeg = await self._ladder.jpeg(shown, self._step.rung)
            self._sent_number, self._sent_s = shown.number, time.monotonic()
            await self._send(None, packed(shown, jpeg))

    # In

    def _take(self, text: str) -> None:
        try:
            message = _object(text)
            kind = message.get("type")
            if kind == "ping":
                pong = {"type": "pong", "c": _number(message["c"]), "s": self._feed.now_ns() / 1e6}
                self._start(self._send(json.dumps(pong)))
            elif kind == "seen":
                self._note_seen(int(_number(message["n"])))
            elif kind == "view":
                self._step.fit(_number(message["width"]))
                self._who = _name(message.get("who", ""), self._address)
            elif kind == "command":
                number = int(_number(message["id"]))
                self._start(self._command(number, message))
            else:
                raise ValueError("an unknown message")
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            self._faults += 1

    def _start(self, work: Any) -> None:
        if len(self._pending) >= _MAX_PENDING:
            work.close()
            self._faults += 1
            return
        task = asyncio.create_task(work)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    def _note_seen(self, number: int) -> None:
        if self._seen_number < number <= self._sent_number:
            self._seen_number = number
            self._step.took(time.monotonic() - self._sent_s)
            self._seen.set()

    async def _command(self, number: int, message: dict[str, Any]) -> None:
        answer = await self._carry_out(message)
        text = {"type": "answer", "id": number, "ok": answer.ok, "text": answer.text}
        await self._send(json.dumps(text))

    async def _carry_out(self, message: dict[str, Any]) -> Answer:
        if self._role is not Role.CONTROL:
            return Answer(False, "this is a view only: it may not command")
        if not self._commands.take():
            return Answer(False, "too many commands at once: wait a moment")
        try:
            way_ms = self._feed.now_ns() / 1e6 - _number(message["at"])
            command = read_command(message)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            self._faults += 1
            return Answer(False, f"not understood: {error}")
        if not -_EARLY_MS < way_ms < _LATE_MS:
            return Answer(False, "it was too long on its way, and was not carried out")
        if command.kind in ("box", "point"):
            fault = self._choice_fault(command, message.get("sure") is True)
            if fault:
                return Answer(False, fault)
        if command.kind not in self._tracker.abilities():
            return Answer(False, _UNABLE.get(command.kind, "the tracker cannot do that now"))
        try:
            asked = asyncio.wrap_future(self._tracker.ask(command))
            answer = await asyncio.wait_for(asked, _ANSWER_TIMEOUT_S)
        except asyncio.TimeoutError:
            answer = Answer(False, "the tracker has not answered")
        self._feed.note_choice(self._who, command, answer)
        return answer

    def _choice_fault(self, command: Command, is_sure: bool) -> str:
        if not self._feed.is_of_a_picture(command.stamp_ns):
            return "its picture was not shown here lately"
        age_s = (self._feed.now_ns() - command.stamp_ns) / 1e9
        if age_s > STALE_S and not is_sure:
            return f"the picture is {age_s:.1f} s old: confirm the selection"
        x, y, *size = command.numbers
        width, height = self._feed.size_px()
        if not (0 <= x <= width and 0 <= y <= height):
            return f"outside the image of {width}x{height} px"
        if size and not (min(size) >= 1 and x + size[0] <= width + 1 and y + size[1] <= height + 1):
            return f"no box in the image of {width}x{height} px"
        return ""


_UNABLE = {
    "point": "this node takes boxes only: drag one",
    "remove": "this node cannot remove one target: reset drops all",
}


def packed(shown: Shown, jpeg: bytes) -> bytes:
    """A picture with its boxes: length of the head (4 bytes, big endian), head as JSON, JPEG."""
    picture, boxes = shown.picture, shown.boxes
    head = {
        "n": shown.number,
        "stamp": str(picture.stamp_ns),  # more digits than a number of JavaScript holds
        "width": picture.width,
        "height": picture.height,
        "boxes": None
        if boxes is None
        else [
            {"id": b.target_id, "state": b.state, "box": b.box_xywh, "score": round(b.score, 3)}
            for b in boxes
        ],
    }
    text = json.dumps(head).encode()
    return len(text).to_bytes(4, "big") + text + jpeg


def read_command(message: dict[str, Any]) -> Command:
    """A command of a browser.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    kind = message["kind"]
    if kind not in ("box", "point", "remove", "reset", "enable"):
        raise ValueError("an unknown command")
    target_id = _name(message.get("target", ""), "")
    if kind not in ("box", "point"):
        return Command(kind, target_id, on=message.get("on") is True)
    numbers = tuple(_number(value) for value in message["numbers"])
    if len(numbers) != {"box": 4, "point": 2}[kind]:
        raise ValueError("a box has four numbers, a point two")
    stamp = message["stamp"]
    if not isinstance(stamp, str) or not stamp.isdecimal() or len(stamp) > 20:
        raise ValueError("no stamp")
    return Command(kind, target_id, int(stamp), numbers)


def _object(text: str) -> dict[str, Any]:
    if len(text) > MAX_MESSAGE_BYTES:
        raise ValueError("too long")
    message = json.loads(text)
    if not isinstance(message, dict):
        raise ValueError("no object")
    return message


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("no number")
    return float(value)


def _name(value: Any, otherwise: str) -> str:
    """A name that is safe to log and to show: printable, and short."""
    if not isinstance(value, str):
        raise ValueError("no name")
    name = "".join(c for c in value if c.isprintable()).strip()[:_MAX_NAME]
    return name or otherwise
