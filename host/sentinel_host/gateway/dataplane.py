"""The HTTP side of the application: Quart's extension point, and the admin listener's way to
ordinary routes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from time import perf_counter_ns
from typing import Any, Final, Protocol

from quart.asgi import ASGIHTTPConnection

from sentinel_host.errors import ClientError, ClientGone
from sentinel_host.gateway.answers import refusal
from sentinel_host.gateway.exchange import ProxyExchange, Scope
from sentinel_host.gateway.generation import Generation
from sentinel_host.gateway.grpc import is_call, trailers_only
from sentinel_host.gateway.limited import STATUS, LimitRefusal, is_plain
from sentinel_host.gateway.stats import ADMIT, Stats
from sentinel_host.gateway.unmatched import UnmatchedLog
from sentinel_host.gateway.whole import send_framed, send_whole
from sentinel_host.limiter import Checked
from sentinel_host.messages import Outcome, Response
from sentinel_host.observe.recorder import Recorder

LISTENER: Final = "sentinel.listener"
"""The scope extension by which our server says on which listener a request came in; no client can
set it.
"""


class Gateway(Protocol):
    """What the data plane needs of the application: the generation for new requests, records, and
    counts.
    """

    generation: Generation
    recorder: Recorder
    stats: Stats
    unmatched: UnmatchedLog


class DataPlane:
    """Serves one ASGI ``http`` scope; made by Quart for each."""

    __slots__ = ("_gateway", "_scope")

    def __init__(self, app: Any, scope: Any) -> None:
        self._gateway: Gateway = app
        self._scope: Scope = scope

    async def __call__(self, receive: Any, send: Any) -> None:
        """Serve the request; what it raises is for the server to act on (see
        `ProxyExchange.run`).
        """
        gateway, scope = self._gateway, self._scope
        listener = (scope.get("extensions") or {}).get(LISTENER)
        if listener is not None and listener["name"] == "admin":
            await ASGIHTTPConnection(gateway, scope)(receive, send)  # type: ignore[arg-type]
            return
        stats, recorder = gateway.stats, gateway.recorder
        stages = stats.stages
        began = perf_counter_ns() if stages is not None else 0
        refused: Response | None = None
        over: LimitRefusal | None = None
        try:
            generation = gateway.generation
            admitted = generation.admission.admit(scope)
            route = generation.routes.match(admitted.head)
            if route is None:
                gateway.unmatched.note(admitted.head)
                raise ClientError("no route matches", 404, close=False)
            admitted.head.route = route.name
            checked: list[Checked] | None = None
            if route.limits is not None:
                started = perf_counter_ns()
                if is_plain(stats, recorder, admitted, route, scope, started):
                    checked = []
                    if route.limits.check(route.limits.before, admitted.head, checked):
                        over = LimitRefusal(stats, recorder, admitted, route, checked, started)
            if over is None:
                exchange = ProxyExchange(stats, recorder, generation, admitted, route, scope, receive, send, checked)
        except ClientError as error:
            stats.refused[error.status] += 1
            if recorder.access_log is not None:
                recorder.access_log.add_refused(scope, error.status)
            refused = _refusal(error, scope)
        extensions = scope.get("extensions") or {}
        if refused is not None:
            body = b"" if scope["method"] == "HEAD" else refused.body
            await send_whole(send, extensions, refused.status, refused.headers, body)
            return
        if stages is not None:
            stages.add(ADMIT, began)
        generation.active += 1
        try:
            if over is None:
                await exchange.run()
            else:
                outcome = Outcome.COMPLETED
                try:
                    await send_framed(send, extensions, STATUS, over.headers, over.body, over.is_head)
                except (ClientGone, ConnectionError):
                    outcome = Outcome.CLIENT_ABORTED
                except asyncio.CancelledError:
                    outcome = Outcome.CLIENT_ABORTED
                    raise
                except BaseException:
                    outcome = Outcome.GATEWAY_ABORTED
                    raise
                finally:
                    over.end(outcome)
        finally:
            generation.active -= 1
            if generation.on_idle is not None and not generation.active:
                generation.on_idle()


class HttpApplication:
    """What Quart does for an HTTP scope, as one object for all of them."""

    __slots__ = ("_gateway",)

    def __init__(self, app: Any) -> None:
        self._gateway: Gateway = app

    def __call__(self, scope: Any, receive: Any, send: Any) -> Coroutine[Any, Any, None]:
        """Serve the request, as `DataPlane` does."""
        return DataPlane(self._gateway, scope)(receive, send)


def _refusal(error: ClientError, scope: Scope) -> Response:
    response = refusal(error)
    if scope["method"] == "POST" and is_call(list(scope["headers"])):
        headers = trailers_only(response.status, response.headers, response.body)
        return Response(200, headers)
    response.headers.append((b"content-length", b"%d" % len(response.body)))
    if error.close and scope["http_version"] not in ("2", "3"):
        response.headers.append((b"connection", b"close"))
    return response
