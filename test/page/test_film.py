"""A video that is tracked without ROS, chosen and watched on the page."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import cv2
import numpy as np

from litetrack_ros.geometry import overlap
from litetrack_ros.media.scene import DrawnScene


def head_of(message: Any) -> dict[str, Any]:
    length = int.from_bytes(message.data[:4], "big")
    return dict(json.loads(message.data[4 : 4 + length]))


def test_choose_on_the_page_and_save_the_boxes(tmp_path: Path) -> None:
    scene = DrawnScene(320, 240, frames=40)
    folder = tmp_path / "scene"
    folder.mkdir()
    for index, (image, _) in enumerate(scene):
        cv2.imwrite(str(folder / f"{index:03d}.png"), image)
    boxes, video = tmp_path / "boxes.txt", tmp_path / "out.mp4"
    words = [sys.executable, "-m", "litetrack_ros.tools.main", "track"]
    process = subprocess.Popen(
        [*words, str(folder), "--page", "--port", "0", "--save-txt", boxes, "--save", video],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    url = ""
    for line in process.stdout:
        found = re.search(r"http://\S+", line)
        if found:
            url = found[0]
            break
    assert url, "no address was printed"
    tracked: list[str] = []

    async def operate() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url + "socket", origin=url.rstrip("/")) as socket,
        ):
            asked = waits = False
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    found = json.loads(message.data)
                    waits |= "The video waits" in str(found.get("words"))
                    if found["type"] == "answer":
                        assert found["ok"], found
                    continue
                head = head_of(message)
                await socket.send_str(json.dumps({"type": "seen", "n": head["n"]}))
                tracked.extend(box["state"] for box in head["boxes"] or [])
                if not asked and waits:
                    asked = True
                    command = {"type": "command", "id": 1, "at": time.time() * 1e3, "kind": "box"}
                    command |= {"numbers": list(scene.box_xywh(0)), "stamp": head["stamp"]}
                    await socket.send_str(json.dumps(command))
            assert asked

    try:
        asyncio.run(asyncio.wait_for(operate(), 90))
        rest, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, rest
    assert "40 frames" in rest
    assert "TRACKING" in tracked
    found = np.loadtxt(boxes, delimiter=",")
    assert len(found) == 40 and video.is_file()
    assert np.mean([overlap(b, scene.box_xywh(i)) for i, b in enumerate(found)]) > 0.6
