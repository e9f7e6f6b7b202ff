"""The HTTP side of the application: Quart's extension point, and the admin listener's way to
ordinary routes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from time import perf_counter_ns
from typing import Any, Final

from quart.asgi import ASGIHTTPConnection

from sentinel_host.errors import ClientError, ClientGone
from sentinel_host.gateway.abilities import KnownAbilities
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

# A name of this module's own is found faster.
_perf_counter_ns: Final = perf_counter_ns
_NO_EXTENSIONS: Final[dict[str, Any]] = {}


class DataPlane:
    """What the requests of one application are served by: the generation for new ones, records, and
    counts.
    """

    __slots__ = ("_abilities", "_app", "generation", "recorder", "stats", "unmatched")

    generation: Generation

    def __init__(self, app: Any, stats: Stats, recorder: Recorder) -> None:
        self._app = app
        self._abilities = KnownAbilities()
        self.stats = stats
        self.recorder = recorder
        self.unmatched = UnmatchedLog()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve one ASGI ``http`` scope; what it raises is for the server to act on (see
        `ProxyExchange.run`).
        """
        extensions: Mapping[str, Any] = scope.get("extensions") or _NO_EXTENSIONS
        abilities = self._abilities.of(extensions)
        if abilities.is_admin:
            await ASGIHTTPConnection(self._app, scope)(receive, send)  # type: ignore[arg-type]
            return
        stats, recorder = self.stats, self.recorder
        stages = stats.stages
        began = _perf_counter_ns() if stages is not None else 0
        refused: Response | None = None
        over: LimitRefusal | None = None
        try:
            generation = self.generation
            admitted = generation.admission.admit(scope)
            route = generation.routes.match(admitted.head)
            if route is None:
                self.unmatched.note(admitted.head)
                raise ClientError("no route matches", 404, close=False)
            admitted.head.route = route.name
            started = _perf_counter_ns()
            limits = route.limits
            told: object = None
            checked: list[Checked] | None = None
            if limits is not None and is_plain(stats, recorder, admitted, route, abilities, started):
                told = limits.check_alone(admitted.head)
                if isinstance(told, int):
                    over = LimitRefusal(stats, recorder, admitted, route, limits.refusal_alone(told), started)
                elif told is None:
                    checked = []
                    if limits.check(limits.before, admitted.head, checked):
                        over = LimitRefusal(stats, recorder, admitted, route, limits.refusal(checked), started)
            if over is None:
                exchange = ProxyExchange(
                    stats,
                    recorder,
                    generation,
                    admitted,
                    route,
                    scope,
                    abilities,
                    receive,
                    send,
                    started,
                    told,
                    checked,
                )
        except ClientError as error:
            stats.refused[error.status] += 1
            if recorder.access_log is not None:
                recorder.access_log.add_refused(scope, error.status)
            refused = _refusal(error, scope)
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


class HttpConnection:
    """One HTTP scope, as Quart makes an object of it."""

    __slots__ = ("_data_plane", "_scope")

    def __init__(self, app: Any, scope: Any) -> None:
        self._data_plane: DataPlane = app.data_plane
        self._scope: Scope = scope

    def __call__(self, receive: Any, send: Any) -> Coroutine[Any, Any, None]:
        """Serve it."""
        return self._data_plane(self._scope, receive, send)


def _refusal(error: ClientError, scope: Scope) -> Response:
    response = refusal(error)
    if scope["method"] == "POST" and is_call(list(scope["headers"])):
        headers = trailers_only(response.status, response.headers, response.body)
        return Response(200, headers)
    response.headers.append((b"content-length", b"%d" % len(response.body)))
    if error.close and scope["http_version"] not in ("2", "3"):
        response.headers.append((b"connection", b"close"))
    return response
