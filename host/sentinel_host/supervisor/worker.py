"""A worker process: told over its control channel what to serve, it serves until it is told to
drain.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable

from hypercorn.utils import LifespanFailureError

from sentinel_host.config import Config
from sentinel_host.control import (
    Accept,
    Applied,
    Channel,
    Drain,
    Draining,
    Failed,
    Frame,
    FrameDecoder,
    Learned,
    Lines,
    LinesRequest,
    Load,
    LoadFailed,
    Message,
    Prepared,
    Ready,
    Reconfigure,
    Records,
    RecordsRequest,
    Refused,
    Reopen,
    Reply,
    Start,
    Stats,
    StatsRequest,
    guest_faults,
)
from sentinel_host.errors import GuestLoadError, GuestsRefuse, SentinelError
from sentinel_host.hotload.background import Background
from sentinel_host.kv import SharedStore
from sentinel_host.limiter import SharedTable
from sentinel_host.net import Names
from sentinel_host.server import Certificates, Endpoint, QuicEndpoint
from sentinel_host.server.serve import run, serve
from sentinel_host.server.steering import ConnectionIds
from sentinel_host.supervisor.fairness import COUNTS, SharedConnections
from sentinel_host.supervisor.listeners import Listening
from sentinel_host.supervisor.log import Log
from sentinel_host.supervisor.offered import OfferedGuests
from sentinel_host.supervisor.output import LOCK
from sentinel_host.supervisor.serving import Serving, tune_collector
from sentinel_host.supervisor.shared import ENDPOINTS, KEYS, LIMITS
from sentinel_host.supervisor.source import parse_source
from sentinel_host.supervisor.worker_rollout import WorkerRollout
from sentinel_host.upstream import EndpointTable

_log = logging.getLogger("sentinel.worker")

# Of one message; the next has the rest.
_RECORDS_BYTES = 1 << 20


def work(control: int, begin_log: Callable[[int, Config | None], Log]) -> int:
    """Serve what the supervisor says over the descriptor ``control``; returns the exit code.

    ``begin_log`` is given the configuration, if it can be read, and the descriptor of the lock that
    all processes' logs have. A supervisor that is gone ends the worker as `Drain` does.
    """
    # The terminal's signals are for the supervisor. SIGTERM is for whom it is sent to.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    os.set_inheritable(control, False)
    sock = socket.socket(fileno=control)
    start = _await_start(sock)
    if start is None:
        return 0
    log = begin_log(start.shared[LOCK], _readable(start))
    try:
        return run(_serve(start, sock, log))
    finally:
        log.close()


async def _serve(start: Start, sock: socket.socket, log: Log) -> int:
    orders: asyncio.Queue[tuple[Message, Reply]] = asyncio.Queue()
    channel = await Channel.connect(sock, lambda message, reply: orders.put_nowait((message, reply)))
    guests = OfferedGuests(start.guests, channel)
    try:
        config = parse_source(start.source)
        secure = [each.tls for each in start.listeners if each.tls is not None]
        if start.quic is not None:
            secure.append(start.quic.tls)
        certificates = Certificates(config, secure)
        serving = Serving(
            config,
            log,
            SharedTable.attach(start.shared[LIMITS]),
            lambda limits: SharedConnections(limits, start.shared[COUNTS], start.worker, start.workers),
            source=guests,
            kv_store=SharedStore.attach(start.shared[KEYS]),
            renewals=[certificates.renew],
            endpoints=EndpointTable.attach(start.shared[ENDPOINTS]),
            cell=start.cell,
            number=start.worker,
            names=Names(remembered=start.names, learned=lambda names: channel.send(Learned(names))),
        )
        endpoints = _endpoints(start, certificates)
        quic = _quic(start, certificates)
    except SentinelError as error:
        channel.send(Failed(str(error)))
        await channel.close()
        return 1
    return await _Worker(serving, endpoints, quic, guests, channel, start).serve(orders)


class _Worker:
    def __init__(
        self,
        serving: Serving,
        endpoints: list[Endpoint],
        quic: QuicEndpoint | None,
        guests: OfferedGuests,
        channel: Channel,
        start: Start,
    ) -> None:
        self._serving = serving
        self._endpoints = endpoints
        self._quic = quic
        self._guests = guests
        self._channel = channel
        self._start = start
        self._stop = asyncio.Event()
        # Whether to accept, once that is told.
        self._accepts: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        # There once everything has started.
        self._rollout: WorkerRollout | None = None
        self._background = Background(_log, "following an order")

    async def serve(self, orders: asyncio.Queue[tuple[Message, Reply]]) -> int:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._end)
        self._channel.closed.add_done_callback(lambda _: self._end())
        self._background.begin(self._follow(orders))
        serving = self._serving
        code = 0
        try:
            await serve(
                serving.gateway,
                self._endpoints,
                serving.connections,
                shutdown=self._stop.wait,
                grace=serving.grace,
                ready=self._ready,
                quic=self._quic,
                draining=lambda: self._channel.send(Draining()),
                may_accept=self._may_accept,
            )
            if self._rollout is not None:
                self._channel.send(self._stats())
        except LifespanFailureError as error:
            self._channel.send(Failed(str(error)))
            code = 1
        await self._background.close()
        serving.close()
        await self._channel.close()
        return code

    async def _may_accept(self) -> bool:
        gateway = self._serving.gateway
        faults, tolerated = gateway.generation.faults, self._start.tolerated
        if tolerated is not None and not faults.keys() <= set(tolerated):
            missing = {name: reason for name, reason in faults.items() if name not in tolerated}
            self._channel.send(Failed("; ".join(guest_faults(missing))))
            return False
        rollout = WorkerRollout(gateway.manager, self._guests, self._channel)
        if self._start.guests.deployments:
            try:
                await rollout.deploy_all(self._start.guests)
            except GuestLoadError as error:
                _log.error("a canary was not begun: %s", error)
        self._rollout = rollout
        self._channel.send(Prepared())
        return await self._accepts

    def _ready(self) -> None:
        tune_collector()
        gateway = self._serving.gateway
        self._channel.send(Ready(gateway.generation.faults, gateway.guest_states()))

    def _end(self) -> None:
        self._stop.set()
        if not self._accepts.done():
            self._accepts.set_result(False)

    async def _follow(self, orders: asyncio.Queue[tuple[Message, Reply]]) -> None:
        while True:
            message, reply = await orders.get()
            rollout = self._rollout
            if isinstance(message, Drain):
                self._end()
            elif isinstance(message, Accept):
                if not self._accepts.done():
                    self._accepts.set_result(True)
            elif isinstance(message, LinesRequest):
                reply(Lines(self._serving.take_lines()))
            elif isinstance(message, Reopen):
                self._serving.reopen()
            elif rollout is not None and isinstance(message, StatsRequest):
                reply(self._stats())
            elif isinstance(message, RecordsRequest):
                reply(self._records(message))
            elif rollout is not None and isinstance(message, LoadFailed):
                self._serving.gateway.manager.load_failed(message.name, message.reason)
            elif rollout is not None and isinstance(message, Load | Reconfigure):
                self._background.begin(self._apply(rollout, message, reply))
            else:
                reply(Refused(f"a worker does not take {type(message).__name__} now"))

    async def _apply(self, rollout: WorkerRollout, message: Load | Reconfigure, reply: Reply) -> None:
        reason: str | None = None
        refusing: dict[str, str] = {}
        try:
            if isinstance(message, Load):
                reason = await rollout.deploy(message.deployment)
            else:
                await rollout.reconfigure(parse_source(message.source), message.guests)
        except GuestsRefuse as error:
            reason, refusing = str(error), error.guests
        except SentinelError as error:
            reason = str(error)
        except Exception as error:
            # The supervisor waits for an answer, whatever it is.
            _log.exception("a change could not be applied")
            reason = f"{type(error).__name__}: {error}"
        gateway = self._serving.gateway
        reply(Applied(reason or "", gateway.generation.faults, gateway.guest_states(), refusing))

    def _records(self, message: RecordsRequest) -> Records:
        recorder = self._serving.gateway.recorder
        if message.explain:
            recorder.explain_for(message.explain)
        if message.watch:
            recorder.watch()
        return Records(recorder.ring.after(message.after, _RECORDS_BYTES))

    def _stats(self) -> Stats:
        gateway = self._serving.gateway
        return Stats(self._serving.snapshot(), gateway.generation.faults, gateway.guest_states())


def _readable(start: Start) -> Config | None:
    """The configuration, or nothing where it is to be said in the log what is wrong with it."""
    try:
        return parse_source(start.source)
    except SentinelError:
        return None


def _await_start(sock: socket.socket) -> Start | None:
    """The first message, and not a byte of what comes after; None when the supervisor is gone."""
    frames: list[Frame] = []
    decoder = FrameDecoder()
    header = _exactly(sock, 4)
    if header is not None:
        frames.extend(decoder.feed(header))
        body = _exactly(sock, int.from_bytes(header, "big"))
        frames.extend(decoder.feed(body or b""))
    if not frames:
        return None
    message = frames[0].message
    assert isinstance(message, Start)
    return message


def _exactly(sock: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            return None
        data += more
    return bytes(data)


def _quic(start: Start, certificates: Certificates) -> QuicEndpoint | None:
    """HTTP/3 on this worker's socket; those of others are closed here."""
    quic, own = start.quic, start.cell
    if quic is None:
        return None
    for cell, fd in enumerate(quic.fds):
        if cell != own:
            os.close(fd)
    os.set_inheritable(quic.fds[own], False)
    sock = socket.socket(fileno=quic.fds[own])
    return QuicEndpoint("public", sock, certificates.of(quic.tls), ConnectionIds(own, quic.key, quic.secret))


def _endpoints(start: Start, certificates: Certificates) -> list[Endpoint]:
    endpoints = []
    for listener in start.listeners:
        os.set_inheritable(listener.fd, False)
        sock = socket.socket(fileno=listener.fd)
        listening = Listening(listener.name, sock, listener.tls, proxy_protocol=listener.proxy_protocol)
        endpoints.append(listening.endpoint(certificates))
    for fd in start.shared.values():
        os.set_inheritable(fd, False)
    return endpoints
