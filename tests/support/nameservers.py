"""A name server that answers what a test says, over UDP, in a thread of its own."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

NXDOMAIN = 3
SERVFAIL = 2
SILENCE = -1

_A = 1
_AAAA = 28
_SRV = 33


@dataclass
class NameServer:
    """``known`` holds for each name its addresses, or one of the codes above; other names do not
    exist.

    ``services`` holds for each name its SRV records: priority, weight, port and target.

    ``asked`` lists the names of the queries so far, of A and AAAA alike. ``ttl`` goes with every
    answer.
    """

    address: str
    known: dict[str, list[str] | int] = field(default_factory=dict)
    services: dict[str, list[tuple[int, int, int, str]]] = field(default_factory=dict)
    ttl: int = 1
    asked: list[str] = field(default_factory=list)
    silent: bool = False

    def answer(self, query: bytes) -> bytes | None:
        """The response to a query, RFC 1035 section 4."""
        labels, at = [], 12
        while size := query[at]:
            labels.append(query[at + 1 : at + 1 + size].decode().lower())
            at += 1 + size
        kind = int.from_bytes(query[at + 1 : at + 3], "big")
        question, name = query[12 : at + 5], ".".join(labels)
        self.asked.append(name)
        known = NXDOMAIN if self.silent else self.known.get(name, NXDOMAIN)
        if self.silent or known == SILENCE:
            return None
        code, records = (known, []) if isinstance(known, int) else (0, [ipaddress.ip_address(text) for text in known])
        packed = [address.packed for address in records if (address.version == 4) is (kind == _A)]
        if kind == _SRV and name in self.services and not self.silent:
            code, packed = 0, [_packed_service(*service) for service in self.services[name]]
        elif kind not in (_A, _AAAA):
            packed = []
        # Recursion desired and available; the name of each record is the question's.
        header = query[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(packed), 0, 0)
        body = b"".join(struct.pack("!HHHIH", 0xC00C, kind, 1, self.ttl, len(data)) + data for data in packed)
        return header + question + body


def _packed_service(priority: int, weight: int, port: int, target: str) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in target.split(".") if label)
    return struct.pack("!HHH", priority, weight, port) + labels + b"\0"


@contextlib.contextmanager
def name_server() -> Iterator[NameServer]:
    """A name server that listens on a port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        server = NameServer(f"127.0.0.1:{sock.getsockname()[1]}")

        def serve() -> None:
            while True:
                query, client = sock.recvfrom(4096)
                if not query:
                    return
                if (answer := server.answer(query)) is not None:
                    sock.sendto(answer, client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stop:
                stop.sendto(b"", sock.getsockname())
            thread.join()
