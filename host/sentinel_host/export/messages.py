"""What is said between the gateway and the process that exports: a batch, and its answer, in turn.

Each is four bytes of length, big-endian, and a MessagePack struct. The first message is `Settings`,
which has no answer.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from sentinel_host.control import Snapshot

T = TypeVar("T")

HEADER: Final = 4


class Settings(msgspec.Struct, frozen=True):
    """Where to send: ``endpoint`` is a URL without the signal's path; ``timeout`` is seconds for
    one request.

    ``ca`` is PEM, empty for the system's authorities. ``resource`` are attributes of everything
    that is sent.
    """

    endpoint: str
    headers: dict[str, str]
    timeout: float
    ca: bytes
    resource: dict[str, str]


class Batch(msgspec.Struct, frozen=True):
    """Records of requests, of which those are sent that are sampled; counts; and lines of the log.

    ``began`` and ``now`` are nanoseconds since 1970: since when it is counted, and when.
    """

    records: list[msgspec.Raw]
    snapshot: Snapshot | None = None
    lines: list[bytes] = []
    began: int = 0
    now: int = 0


class Sent(msgspec.Struct, frozen=True):
    """What became of a batch, by signal: ``taken`` and ``lost`` count spans, points and lines.
    ``error`` is a reason.
    """

    taken: dict[str, int]
    lost: dict[str, int]
    error: str = ""


def frame(message: msgspec.Struct) -> bytes:
    """A message with its length."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(HEADER, "big") + body


def parse(body: bytes, kind: type[T]) -> T:
    """A message of this kind, without its length."""
    return msgspec.msgpack.decode(body, type=kind)
