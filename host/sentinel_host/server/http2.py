"""HTTP/2 through Hypercorn's own server class, on connections that began on the lane."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, cast

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config

from sentinel_host.http.lane import Application, Connections, LaneProtocol, Limits

if TYPE_CHECKING:
    from hypercorn.typing import ASGIFramework

_log = logging.getLogger(__name__)


def http2_config(limits: Limits) -> Config:
    """Hypercorn's settings for connections that are HTTP/2 already."""
    config = Config()
    # Its read timeout is one for the whole connection and cuts responses that are slow to come.
    config.read_timeout = None
    config.keep_alive_timeout = limits.keep_alive_idle
    config.keep_alive_max_requests = limits.requests_per_connection
    config.h2_max_header_list_size = limits.head_bytes
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = _log
    return config


class _Server(TCPServer):
    """Ends when the client's side has ended; the original stays for the rest of the keep-alive time."""

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()


class Http2Connections:
    """Takes connections over from the lane, for one listener."""

    def __init__(
        self,
        app: Application,
        listener: str,
        config: Config,
        context: WorkerContext,
        state: dict[str, Any],
        connections: Connections,
        tasks: set[asyncio.Task[None]],
    ) -> None:
        self._app = ASGIWrapper(cast("ASGIFramework", _named(app, listener)))
        self._config = config
        self._context = context
        self._state = state
        self._connections = connections
        self._tasks = tasks

    def hand_over(self, lane: LaneProtocol, data: bytes) -> None:
        """Serve ``lane``'s transport from now on; ``data`` is what was read of it."""
        loop = self._connections.loop
        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        lane.transport.set_protocol(protocol)
        protocol.connection_made(lane.transport)
        if data:
            reader.feed_data(data)
        writer = asyncio.StreamWriter(lane.transport, protocol, reader, loop)
        task = loop.create_task(self._serve(reader, writer, lane.client_host))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: str | None) -> None:
        loop = self._connections.loop
        try:
            await _Server(self._app, loop, self._config, self._context, cast(Any, self._state), reader, writer)
        except Exception:
            _log.exception("an HTTP/2 connection failed")
        finally:
            writer.transport.abort()
            self._connections.release(client)


def _named(app: Application, listener: str) -> Application:
    """The application, told which listener a request came in on, as the lane tells it."""

    async def named(scope: dict[str, Any], receive: Any, send: Any) -> None:
        scope.setdefault("extensions", {})["sentinel.listener"] = {"name": listener}
        await app(scope, receive, send)

    return named
