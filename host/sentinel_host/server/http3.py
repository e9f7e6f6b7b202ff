"""HTTP/3 of one process: a UDP socket that passes datagrams on by their connection id.

Rule 1: At most `_MAX_HANDSHAKES` connections may be in their handshake, because their senders'
        addresses are not verified yet. Clients that get no answer fall back to TCP.
Rule 2: An error in aioquic ends one connection, never the socket.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, cast

from aioquic._buffer import Buffer
from aioquic.h3.connection import H3_ALPN
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.packet import QuicPacketType, encode_quic_version_negotiation, pull_quic_header

from sentinel_host.http.h3 import CertificateChoice, CertificateStore, Http3Protocol, Path, Quic
from sentinel_host.http.server import Connections, Listener
from sentinel_host.server.certificates import ListenerTls
from sentinel_host.server.steering import ID_LENGTH, ConnectionIds

_log = logging.getLogger(__name__)

# RFC 9000 section 14.1: a smaller datagram begins no connection, which limits amplification.
_LEAST_FIRST: Final = 1200
_MAX_HANDSHAKES: Final = 1000
# Of one second. RFC 9000 section 10.3.3 wants a bound, and one is enough for a client.
_MAX_RESETS: Final = 1000
Address = tuple[Any, ...]


class Http3Socket(asyncio.DatagramProtocol):
    """Finds the connection of each datagram by the id that it names, and begins new ones."""

    def __init__(
        self, listener: Listener, connections: Connections, certificates: ListenerTls, ids: ConnectionIds
    ) -> None:
        limits = connections.limits
        self._listener = listener
        self._extensions = listener.extensions()
        self._connections = connections
        self._by_id: dict[bytes, Http3Protocol] = {}
        self._handshakes = 0
        self._resets = 0
        self._resets_since = 0.0
        self._transport: asyncio.DatagramTransport
        self._own: Address = ()
        self._configuration = QuicConfiguration(
            is_client=False,
            alpn_protocols=H3_ALPN,
            connection_id_length=ID_LENGTH,
            # Deadlines end connections. This one is for peers that disappear silently.
            idle_timeout=max(limits.keep_alive_idle, limits.body_idle, limits.write_stalled) + 1,
            max_stream_data=max(limits.body_buffer, 2 * limits.head_bytes),
        )
        self._ids = ids
        self._certificates = certificates
        self._store = CertificateStore()
        # aioquic makes no connection without one. Each is given its own.
        shown = self._store.shown(certificates.selector.default)
        self._configuration.certificate, self._configuration.private_key = shown.certificate, shown.key

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is there."""
        self._transport = cast(asyncio.DatagramTransport, transport)
        self._own = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """One datagram."""
        try:
            header = pull_quic_header(Buffer(data=data), host_cid_length=ID_LENGTH)
        except ValueError:
            return
        versions = self._configuration.supported_versions
        known = self._by_id.get(header.destination_cid)
        if known is None:
            if header.version is None:
                self._reset(header.destination_cid, len(data), addr)
                return
            if len(data) < _LEAST_FIRST:
                return
            if header.version not in versions:
                if header.packet_type is not QuicPacketType.VERSION_NEGOTIATION:
                    answer = encode_quic_version_negotiation(header.destination_cid, header.source_cid, versions)
                    self._transport.sendto(answer, addr)
                return
            if header.packet_type is not QuicPacketType.INITIAL or self._connections.closing:
                return
            if self._handshakes >= _MAX_HANDSHAKES:
                self._connections.hit("connections")
                return
            known = self._begin(header.destination_cid, addr)
        try:
            known.receive(data, addr)
        except Exception:
            _log.exception("a connection of HTTP/3 failed")
            known.abort()

    def _reset(self, connection_id: bytes, size: int, addr: Any) -> None:
        """Tell a client that its connection is gone: the worker that had it may have died."""
        now = self._connections.loop.time()
        if now - self._resets_since >= 1:
            self._resets, self._resets_since = 0, now
        answer = self._ids.reset(connection_id, size)
        if answer is not None and self._resets < _MAX_RESETS:
            self._resets += 1
            self._transport.sendto(answer, addr)

    def _begin(self, destination_id: bytes, address: Address) -> Http3Protocol:
        # A connection keeps the certificates that were current when it began.
        certificates = CertificateChoice(self._certificates.selector, self._store)
        quic = Quic(self._configuration, destination_id, self._ids, certificates)
        ids = {destination_id, quic.host_cid}
        in_handshake = True

        def knows(connection_id: bytes, alive: bool) -> None:
            if alive:
                ids.add(connection_id)
                self._by_id[connection_id] = protocol
            else:
                ids.discard(connection_id)
                self._by_id.pop(connection_id, None)

        def shaken() -> None:
            nonlocal in_handshake
            if in_handshake:
                in_handshake = False
                self._handshakes -= 1

        def forget() -> None:
            shaken()
            for connection_id in ids:
                self._by_id.pop(connection_id, None)

        self._handshakes += 1
        protocol = Http3Protocol(
            self._listener,
            self._extensions,
            self._connections,
            quic,
            (address, self._own),
            Path(self._transport.sendto, knows, shaken, forget),
        )
        for connection_id in ids:
            self._by_id[connection_id] = protocol
        return protocol
