"""Writes rosbag2 bags that appear whole or not at all."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from litetrack_ros.dependencies import require
from litetrack_ros.errors import BagError
from litetrack_ros.files import make_folder
from litetrack_ros.replay.bag_types import serialise, typestore

require("rosbags")
from rosbags.interfaces import MessageDefinitionFormat  # noqa: E402
from rosbags.rosbag2 import StoragePlugin, Writer  # noqa: E402

STORAGES = ("mcap", "sqlite3")


class BagWriter:
    """Appends messages to a new bag."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self._connections: dict[str, Any] = {}
        self._copies: dict[int, Any] = {}

    @property
    def topic_names(self) -> list[str]:
        """The topics so far."""
        return [connection.topic for connection in self._writer.connections]

    def write(self, topic: str, type_name: str, log_ns: int, message: Any) -> None:
        """Append a message.

        Args:
            topic: its name; a new one is added.
            type_name: one of :func:`litetrack_ros.replay.bag_types.typestore`'s.
            log_ns: time of recording.
            message: as :func:`litetrack_ros.replay.bag_types.make` makes it.
        """
        connection = self._connections.get(topic)
        if connection is None:
            connection = self._writer.add_connection(topic, type_name, typestore=typestore())
            self._connections[topic] = connection
        self._writer.write(connection, log_ns, serialise(message, type_name))

    def copy_topic(self, source: Any) -> bool:
        """Prepare for messages of another bag's connection; False where its type is unknown.

        Old bags hold no definitions; for those only the types known here can be written.
        """
        has_definition = source.msgdef.format != MessageDefinitionFormat.NONE
        if not has_definition and source.msgtype not in typestore().types:
            return False
        own = has_definition and source.digest
        self._copies[source.id] = self._writer.add_connection(
            source.topic,
            source.msgtype,
            typestore=None if own else typestore(),
            msgdef=source.msgdef.data if own else None,
            rihs01=source.digest if own else None,
            serialization_format=source.ext.serialization_format,
            offered_qos_profiles=source.ext.offered_qos_profiles,
        )
        return True

    def copy(self, source: Any, log_ns: int, data: bytes) -> None:
        """Append another bag's message as it is; nothing for a topic that was not prepared."""
        connection = self._copies.get(source.id)
        if connection is not None:
            self._writer.write(connection, log_ns, data)


@contextlib.contextmanager
def writing_bag(path: Path, storage: str = "mcap") -> Iterator[BagWriter]:
    """Write a bag; its folder appears under its name when the block succeeds.

    Args:
        path: the folder to make; must not exist.
        storage: one of :data:`STORAGES`.

    Raises:
        BagError: it exists, or cannot be written.
    """
    if path.exists():
        raise BagError(f"{path} exists: give another name, or take it away first")
    # The files in the folder are called after it, so that the name must be right from the start.
    hidden = path.parent / f".{path.name}.{secrets.token_hex(4)}"
    make_folder(hidden)
    temporary = hidden / path.name
    try:
        # Version 9 of the format is Jazzy's.
        with Writer(temporary, version=9, storage_plugin=StoragePlugin[storage.upper()]) as writer:
            yield BagWriter(writer)
        temporary.rename(path)
    except OSError as error:
        if isinstance(error, BagError):
            raise
        raise BagError(f"cannot write the bag {path}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
