"""Which worker a QUIC datagram belongs to: connection ids that name a socket, and the program by
which the kernel reads them.

Rules:
1. The sockets of a group share one address (SO_REUSEPORT). Each has a number: the order in which
   they were bound. None is closed before the others, because Linux would give its number to
   another.
2. An id of ours names the socket of its connection's worker, from whatever address the client
   sends. One of a worker that has died goes to another, which tells the client so: `reset`.
3. The first datagrams of a connection have an id that the client has chosen at random. They are
   spread over the sockets whose workers accept.

An id of ours has six words of 16 bits: one at random, that one XOR the socket's number, that one
XOR the group's key, and three at random. A client's own id has our length and the group's key by
chance only, once in 65,536.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from hashlib import blake2b
from os import urandom
from typing import Final

from sentinel_host.server.sockets import Instruction, attach_program

ID_LENGTH: Final = 12
"""Bytes of an id that we make; a client's own have 8 to 20 (RFC 9000 section 7.2)."""

# From <asm-generic/socket.h>; Python does not name it.
_SO_ATTACH_REUSEPORT_CBPF: Final = 51

# Of the id, in a datagram with a short header (RFC 9000 section 17.3) and with a long one (17.2).
_SHORT: Final = 1
_LONG: Final = 6
_LENGTH: Final = 5


# RFC 9000 section 10.3: the shortest, and as long as hides that it is one.
_LEAST_RESET: Final = 21
_MOST_RESET: Final = 43


class ConnectionIds:
    """Makes ids for the connections of one socket: number ``number`` of a group that has this
    ``key`` and this ``secret``.
    """

    def __init__(self, number: int, key: int, secret: bytes) -> None:
        self._number = number
        self._key = key
        self._secret = secret

    def make(self) -> bytes:
        """Another id."""
        random = urandom(ID_LENGTH - 4)
        first = int.from_bytes(random[:2], "big")
        number, key = first ^ self._number, first ^ self._key
        return random[:2] + number.to_bytes(2, "big") + key.to_bytes(2, "big") + random[2:]

    def token(self, connection_id: bytes) -> bytes:
        """What proves to a client that the connection of an id is gone: the same from every socket
        of the group, and known to nobody else (RFC 9000 section 10.3.2).
        """
        return blake2b(connection_id, key=self._secret, digest_size=16).digest()

    def reset(self, connection_id: bytes, size: int) -> bytes | None:
        """The answer to a datagram of so many bytes whose connection is not known: a stateless
        reset, or None for one that is too short, or whose id the group has not made.
        """
        if int.from_bytes(connection_id[:2], "big") ^ int.from_bytes(connection_id[4:6], "big") != self._key:
            return None
        # Shorter than what it answers, so that two ends do not go on for ever.
        length = min(size - 1, _MOST_RESET)
        if length < _LEAST_RESET:
            return None
        random = urandom(length - 16)
        return bytes((0x40 | random[0] & 0x3F,)) + random[1:] + self.token(connection_id)


# Linux takes programs of 4,096 instructions.
_MOST_COMPARED: Final = 1000


def make_key() -> int:
    """A key for a group."""
    return int.from_bytes(urandom(2), "big")


def make_secret() -> bytes:
    """A secret for a group."""
    return urandom(32)


def steer(group: Sequence[socket.socket], key: int, accepting: Sequence[int], alive: Sequence[int]) -> None:
    """Have the kernel give each datagram to the socket that it belongs to. ``accepting`` are the
    numbers of those that take new connections; without any, these go to socket 0. ``alive`` are
    those that have connections.

    Replaces what was said before. Raises OSError on systems that cannot do it.
    """
    attach_program(group[0], _SO_ATTACH_REUSEPORT_CBPF, _program(key, accepting, alive))


def _program(key: int, accepting: Sequence[int], alive: Sequence[int]) -> list[Instruction]:
    numbers = list(accepting) or [0]
    choice = [one for index, number in enumerate(numbers[:-1]) for one in _return_if(index, number)]
    if len(alive) <= _MOST_COMPARED:
        living = [one for number in alive for one in _return_if(number, number)]
    else:
        living = [(0x16, 0, 0, 0)]  # ret a
    return [
        (0x30, 0, 0, 0),  # ldb [0]
        (0x45, 5, 0, 0x80),  # jset #long, the long header, next
        (0x28, 0, 0, _SHORT),  # ldh [first word]
        (0x07, 0, 0, 0),  # tax
        (0x28, 0, 0, _SHORT + 2),  # ldh [word of the number]
        (0xAC, 0, 0, 0),  # xor x
        (0x05, 0, 0, 13),  # ja the number
        # The long header.
        (0x30, 0, 0, _LENGTH),  # ldb [length of the id]
        (0x15, 0, 8, ID_LENGTH),  # jeq #our length, next, the client's own
        (0x28, 0, 0, _LONG),  # ldh [first word]
        (0x07, 0, 0, 0),  # tax
        (0x28, 0, 0, _LONG + 4),  # ldh [word of the key]
        (0xAC, 0, 0, 0),  # xor x
        (0x15, 0, 3, key),  # jeq #key, next, the client's own
        (0x28, 0, 0, _LONG + 2),  # ldh [word of the number]
        (0xAC, 0, 0, 0),  # xor x
        (0x05, 0, 0, 3),  # ja the number
        # The client's own.
        (0x28, 0, 0, _LONG),  # ldh [first word]
        (0x07, 0, 0, 0),  # tax
        (0x05, 0, 0, len(living)),  # ja the choice
        # The number.
        *living,
        # The choice, by the first word.
        (0x87, 0, 0, 0),  # txa
        (0x94, 0, 0, len(numbers)),  # mod #how many accept
        *choice,
        (0x06, 0, 0, numbers[-1]),  # ret #number
    ]


def _return_if(value: int, number: int) -> list[Instruction]:
    return [
        (0x15, 0, 1, value),  # jeq #value, next, next but one
        (0x06, 0, 0, number),  # ret #number
    ]
