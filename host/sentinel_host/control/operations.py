"""What the admin side can be asked: each operation with what answers it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any, Final

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE_OPENMETRICS
from quart import Response, request

from sentinel_host.config.difference import Difference, differences
from sentinel_host.config.effective import effective
from sentinel_host.control.certificates import CertificateView, certificate_numbers, view_certificates
from sentinel_host.control.events import Events
from sentinel_host.control.guests import GuestView, view_guests
from sentinel_host.control.limits import LimitView, view_limits
from sentinel_host.control.metrics import render
from sentinel_host.control.openapi import Operation, Problem, document
from sentinel_host.control.overview import Overview
from sentinel_host.control.process import build_info
from sentinel_host.control.recent import RecentRequests
from sentinel_host.control.routes import RouteView, view_routes
from sentinel_host.control.snapshot import merge
from sentinel_host.control.state import StateView, view_state
from sentinel_host.control.upstreams import UpstreamView, endpoint_numbers, key_named, view_upstreams
from sentinel_host.errors import ConfigError, SentinelError
from sentinel_host.observe import RequestRecord

View = Callable[..., Awaitable[Response]]

_JSON: Final = "application/json"
_TEXT: Final = "text/plain"
_OPENMETRICS: Final = "application/openmetrics-text"
_DEFAULT_RECORDS: Final = 100
_is_count: Final = re.compile(r"[0-9]{1,6}").fullmatch


class Routes(msgspec.Struct, frozen=True):
    """The routes, in the order of the configuration."""

    routes: list[RouteView]


class Upstreams(msgspec.Struct, frozen=True):
    """The upstreams, by name."""

    upstreams: list[UpstreamView]


class Guests(msgspec.Struct, frozen=True):
    """The guests that routes name, by name."""

    guests: list[GuestView]


class Limits(msgspec.Struct, frozen=True):
    """The limits of all routes."""

    limits: list[LimitView]


class Certificates(msgspec.Struct, frozen=True):
    """The certificates of all listeners."""

    certificates: list[CertificateView]


class Requests(msgspec.Struct, frozen=True):
    """Records of requests, the newest first."""

    requests: list[RequestRecord]


class Configuration(msgspec.Struct, frozen=True):
    """The configuration that is served, with every default, and without secrets."""

    file: str
    config: dict[str, Any]


class Checked(msgspec.Struct, frozen=True):
    """What a configuration that may be served would change about the one that is."""

    changes: list[Difference]


class Explain(msgspec.Struct, frozen=True):
    """The header field that has a request recorded. It reaches neither guests nor upstreams."""

    header: str
    token: str


class Done(msgspec.Struct, frozen=True):
    """What was done."""

    done: str


class Operations:
    """All of them; ``all`` has each with the view that answers it.

    ``explain`` is the token that has a request recorded which brings it.
    """

    def __init__(self, overview: Overview, explain: Callable[[], str]) -> None:
        self._overview = overview
        self._explain_token = explain
        self._recent = RecentRequests(overview, explain)
        self._events = Events(overview, self._recent)
        openapi = Operation("GET", "/openapi.json", "This API, as an OpenAPI document.", dict[str, Any])
        self.all: list[tuple[Operation, View]] = [
            *self._checks(),
            *self._questions(),
            *self._actions(),
            (openapi, self._openapi),
        ]

    def _checks(self) -> list[tuple[Operation, View]]:
        """For probes and scrapers, which have no token."""
        return [
            (Operation("GET", "/healthz", "The process answers.", None, _TEXT, is_open=True), self._healthz),
            (
                Operation(
                    "GET",
                    "/readyz",
                    "Every worker serves, with every guest that the routes name; 503 says what is missing.",
                    None,
                    _TEXT,
                    is_open=True,
                ),
                self._readyz,
            ),
            (
                Operation("GET", "/metrics", "Metrics in Prometheus' text format.", None, _TEXT, is_open=True),
                self._metrics,
            ),
        ]

    def _questions(self) -> list[tuple[Operation, View]]:
        """Those that change nothing."""
        return [
            (Operation("GET", "/state", "Everything that the dashboard shows.", StateView), self._state),
            (
                Operation(
                    "GET",
                    "/events",
                    "The same every second, and new requests, as server-sent events `state` and `requests`.",
                    None,
                    "text/event-stream",
                    errors={503: "Too many listen already."},
                ),
                self._listen,
            ),
            (Operation("GET", "/routes", "Routes: what they match, requests, latency.", Routes), self._routes),
            (Operation("GET", "/upstreams", "Upstreams and their endpoints.", Upstreams), self._upstreams),
            (Operation("GET", "/guests", "Guests: version, state, grants, resources.", Guests), self._guests),
            (
                Operation("GET", "/limits", "Limits of routes, and the keys that they refuse most.", Limits),
                self._limits,
            ),
            (Operation("GET", "/certificates", "Certificates of listeners.", Certificates), self._certificates),
            (
                Operation(
                    "GET",
                    "/requests",
                    "The latest requests that were recorded, with stages, tries, guests and what these changed.",
                    Requests,
                    query={"limit": f"How many at most; {_DEFAULT_RECORDS} by default."},
                    errors={400: "The limit is no number."},
                ),
                self._requests,
            ),
            (Operation("GET", "/explain", "The token that has a request recorded.", Explain), self._explain),
            (Operation("GET", "/config", "The effective configuration.", Configuration), self._config),
        ]

    def _actions(self) -> list[tuple[Operation, View]]:
        """Those that are posted."""
        missing = {404: "There is none of this name."}
        return [
            (
                Operation(
                    "POST",
                    "/config/check",
                    "What this configuration would change, if it may be served. Guests are not started.",
                    Checked,
                    takes="application/toml",
                    errors={422: "It may not be served; `error` names the key."},
                ),
                self._check,
            ),
            (
                Operation(
                    "POST",
                    # An endpoint is named by a URL: its slashes are part of the name.
                    "/upstreams/<name>/<path:endpoint>/<any(drain, undrain):action>",
                    "Give an endpoint no new requests, or again some.",
                    Done,
                    errors=missing,
                ),
                self._drain,
            ),
            (
                Operation(
                    "POST",
                    "/guests/<name>/<any(rollback, promote):action>",
                    "Have a guest's previous version serve again, or its canary every request.",
                    Done,
                    errors=missing | {409: "It is not possible; `error` says why."},
                ),
                self._act,
            ),
        ]

    async def _healthz(self) -> Response:
        return Response("ok\n", mimetype=_TEXT)

    async def _readyz(self) -> Response:
        faults = await self._overview.faults()
        if not faults:
            return Response("ready\n", mimetype=_TEXT)
        return Response("".join(f"{fault}\n" for fault in faults), status=503, mimetype=_TEXT)

    async def _metrics(self) -> Response:
        counted = await self._overview.snapshot()
        told = merge(
            [
                counted,
                endpoint_numbers(counted.upstreams, self._overview.endpoints),
                certificate_numbers(self._overview.config),
                build_info(),
            ]
        )
        wanted = _OPENMETRICS in request.headers.get("accept", "")
        kind = CONTENT_TYPE_OPENMETRICS if wanted else CONTENT_TYPE_LATEST
        return Response(render(told, openmetrics=wanted), content_type=kind)

    async def _state(self) -> Response:
        return _json(await view_state(self._overview))

    async def _listen(self) -> Response:
        if self._events.is_full:
            return _json(Problem("too many listen already"), 503)
        response = Response(self._events.listen(), content_type="text/event-stream")
        response.headers["cache-control"] = "no-store"
        # Quart ends a response after a minute otherwise.
        response.timeout = None
        return response

    async def _routes(self) -> Response:
        return _json(Routes(view_routes(self._overview.config, await self._overview.snapshot())))

    async def _upstreams(self) -> Response:
        snapshot = await self._overview.snapshot()
        return _json(Upstreams(view_upstreams(snapshot.upstreams, self._overview.endpoints)))

    async def _guests(self) -> Response:
        overview = self._overview
        return _json(Guests(view_guests(await overview.guests(), await overview.snapshot(), overview.rollouts)))

    async def _limits(self) -> Response:
        return _json(Limits(view_limits(self._overview.config, await self._overview.snapshot())))

    async def _certificates(self) -> Response:
        return _json(Certificates(view_certificates(self._overview.config)))

    async def _requests(self) -> Response:
        written = request.args.get("limit", str(_DEFAULT_RECORDS))
        if not _is_count(written):
            return _json(Problem("limit: expected a number of at most six digits"), 400)
        await self._recent.refresh(watch=True)
        return _json(Requests(self._recent.latest(int(written))))

    async def _explain(self) -> Response:
        # Workers know the token from then on.
        await self._recent.refresh(watch=True)
        return _json(Explain("x-sentinel-explain", self._explain_token()))

    async def _config(self) -> Response:
        config = self._overview.config
        return _json(Configuration(config.file, effective(config)))

    async def _check(self) -> Response:
        try:
            text = (await request.body).decode()
            config = await self._overview.check(text)
        except UnicodeDecodeError as error:
            return _json(Problem(f"not UTF-8 at byte {error.start}"), 422)
        except ConfigError as error:
            return _json(Problem(str(error)), 422)
        return _json(Checked(differences(self._overview.config, config)))

    async def _drain(self, name: str, endpoint: str, action: str) -> Response:
        try:
            key = key_named((await self._overview.snapshot()).upstreams, name, endpoint)
            self._overview.endpoints.drain(key, action == "drain")
        except LookupError as error:
            return _json(Problem(str(error)), 404)
        told = "gets no new requests" if action == "drain" else "gets requests"
        return _json(Done(f"upstream {name}: {endpoint} {told}"))

    async def _act(self, name: str, action: str) -> Response:
        rollouts = self._overview.rollouts
        if not rollouts.wants(name):
            return _json(Problem(f"no route names a guest {name!r}"), 404)
        try:
            return _json(Done(await (rollouts.rollback if action == "rollback" else rollouts.promote)(name)))
        except SentinelError as error:
            return _json(Problem(str(error)), 409)

    async def _openapi(self) -> Response:
        told = document([operation for operation, _ in self.all], version("sentinel-host"))
        return _json(told)


def _json(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content) + b"\n", status, content_type=_JSON)
