"""The HTTP side of the application: Quart's extension point, and the admin listener's way to
ordinary routes.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any, Final, Protocol

from quart.asgi import ASGIHTTPConnection

from sentinel_host.errors import ClientError
from sentinel_host.gateway.answers import refusal
from sentinel_host.gateway.exchange import ProxyExchange, Scope
from sentinel_host.gateway.generation import Generation
from sentinel_host.gateway.grpc import is_call, trailers_only
from sentinel_host.gateway.stats import ADMIT, Stats
from sentinel_host.gateway.unmatched import UnmatchedLog
from sentinel_host.messages import Response
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
        stats = gateway.stats
        stages = stats.stages
        began = perf_counter_ns() if stages is not None else 0
        refused: Response | None = None
        try:
            generation = gateway.generation
            admitted = generation.admission.admit(scope)
            route = generation.routes.match(admitted.head)
            if route is None:
                gateway.unmatched.note(admitted.head)
                raise ClientError("no route matches", 404, close=False)
            exchange = ProxyExchange(stats, gateway.recorder, generation, admitted, route, scope, receive, send)
        except ClientError as error:
            stats.refused[error.status] += 1
            if gateway.recorder.access_log is not None:
                gateway.recorder.access_log.add_refused(scope, error.status)
            refused = _refusal(error, scope)
        if refused is not None:
            await send({"type": "http.response.start", "status": refused.status, "headers": refused.headers})
            body = b"" if scope["method"] == "HEAD" else refused.body
            await send({"type": "http.response.body", "body": body, "more_body": False})
            return
        if stages is not None:
            stages.add(ADMIT, began)
        generation.active += 1
        try:
            await exchange.run()
        finally:
            generation.active -= 1
            if generation.on_idle is not None and not generation.active:
                generation.on_idle()


def _refusal(error: ClientError, scope: Scope) -> Response:
    response = refusal(error)
    if scope["method"] == "POST" and is_call(list(scope["headers"])):
        headers = trailers_only(response.status, response.headers, response.body)
        return Response(200, headers)
    response.headers.append((b"content-length", b"%d" % len(response.body)))
    if error.close and scope["http_version"] not in ("2", "3"):
        response.headers.append((b"connection", b"close"))
    return response
