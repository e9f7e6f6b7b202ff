"""aioquic's connection, with windows that follow the application's reads, counts of unsent bytes,
connection ids of our making, and a certificate by the server name that the client sends.

Rule 1: aioquic doubles a stream's window once half of it has arrived, even if nobody reads it. A
        client could make us hold any amount of data. Here a stream may send one window beyond what
        was read.
Rule 2: Only this file touches private parts of aioquic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from aioquic._buffer import Buffer
from aioquic.h3.connection import FrameType, H3Connection, encode_frame
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection, stream_is_unidirectional
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.quic.recovery import QuicPacketSpace
from aioquic.quic.stream import QuicStream
from aioquic.tls import pull_client_hello

from sentinel_host.http.h3.certificates import CertificateChoice


class IdMaker(Protocol):
    """Makes connection ids."""

    def make(self) -> bytes:
        """Another one."""
        ...

    def token(self, connection_id: bytes) -> bytes:
        """Its stateless reset token, of 16 bytes."""
        ...


class Quic(QuicConnection):
    """``held`` tells how many bytes of a stream have arrived and were not taken. ``ids`` makes
    connection ids, of the length that is configured. ``certificates`` chooses what the client is
    shown.
    """

    def __init__(
        self, configuration: QuicConfiguration, destination_id: bytes, ids: IdMaker, certificates: CertificateChoice
    ) -> None:
        super().__init__(configuration=configuration, original_destination_connection_id=destination_id)
        self.certificates = certificates
        self._ids = ids
        (first,) = self._host_cids
        first.cid = self.host_cid = self._local_initial_source_connection_id = ids.make()
        first.stateless_reset_token = ids.token(first.cid)
        self.held: Callable[[int], int] = lambda stream: 0

    def unsent(self, stream: int) -> int:
        """Bytes of a stream that were written and that the peer has not acknowledged."""
        known = self._streams.get(stream)
        return 0 if known is None else len(known.sender._buffer)

    @property
    def has_unsent(self) -> bool:
        """Whether there is such a stream among those of requests."""
        return any(
            stream.sender._buffer or not (stream.sender.buffer_is_empty or stream.sender.is_finished)
            for number, stream in self._streams.items()
            if not stream_is_unidirectional(number)
        )

    @property
    def all_unsent(self) -> int:
        """The bytes of all streams of requests that the peer has not acknowledged."""
        return sum(
            len(stream.sender._buffer)
            for number, stream in self._streams.items()
            if not stream_is_unidirectional(number)
        )

    def has_ended(self, stream: int) -> bool:
        """Whether the peer has sent all of a stream."""
        known = self._streams.get(stream)
        return known is None or known.receiver.is_finished

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        tls = self.tls
        go_on = tls._server_handle_hello

        def choose(input_buf: Buffer, initial_buf: Buffer, handshake_buf: Buffer) -> None:
            # aioquic does not ask which certificate to show, so that the message is read here, too.
            shown = self.certificates.choose(pull_client_hello(input_buf).server_name)
            input_buf.seek(0)
            tls.certificate, tls.certificate_chain = shown.certificate, shown.chain
            tls.certificate_private_key = shown.key
            go_on(input_buf, initial_buf, handshake_buf)

        tls._server_handle_hello = choose  # type: ignore[method-assign]

    def _replenish_connection_ids(self) -> None:
        known = len(self._host_cids)
        super()._replenish_connection_ids()
        for issued in self._host_cids[known:]:
            issued.cid = self._ids.make()
            issued.stateless_reset_token = self._ids.token(issued.cid)

    def _write_stream_limits(self, builder: QuicPacketBuilder, space: QuicPacketSpace, stream: QuicStream) -> None:
        number = stream.stream_id
        if number is not None and not stream_is_unidirectional(number):
            window = self.configuration.max_stream_data
            most = stream.receiver.starting_offset() - self.held(number) + window
            if most >= stream.max_stream_data_local + window // 2:
                stream.max_stream_data_local = most
            stream = _Credit(stream)
        super()._write_stream_limits(builder, space, stream)


class _Credit(QuicStream):
    """A stream that seems to have received nothing, so that aioquic sends its window and does not
    raise it.
    """

    def __init__(self, stream: QuicStream) -> None:
        super().__init__(stream_id=stream.stream_id)
        self._stream = stream

    @property
    def max_stream_data_local(self) -> int:
        return self._stream.max_stream_data_local

    @max_stream_data_local.setter
    def max_stream_data_local(self, value: int) -> None:
        pass

    @property
    def max_stream_data_local_sent(self) -> int:
        return self._stream.max_stream_data_local_sent

    @max_stream_data_local_sent.setter
    def max_stream_data_local_sent(self, value: int) -> None:
        if hasattr(self, "_stream"):
            self._stream.max_stream_data_local_sent = value


def send_goaway(h3: H3Connection, quic: QuicConnection, following: int) -> None:
    """RFC 9114 section 5.2: no request from stream ``following`` on is served. aioquic has no call
    for it.
    """
    control = h3._local_control_stream_id
    if control is not None:
        # A variable-length integer of eight bytes (RFC 9000 section 16).
        quic.send_stream_data(control, encode_frame(FrameType.GOAWAY, (following | 3 << 62).to_bytes(8, "big")))
