"""Why a request gets the route that it gets, and the others do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from sentinel_host.config import Config
from sentinel_host.config.goes_to import goes_to
from sentinel_host.errors import ClientError, ConfigError
from sentinel_host.gateway.build import admission_of, bare_routes
from sentinel_host.gateway.routes import Route, RouteTable, host_fits
from sentinel_host.grammar import host_of
from sentinel_host.messages import RequestHead


class RouteVerdict(msgspec.Struct, frozen=True):
    """Whether a request gets this route, and why not: one reason for each condition that it does
    not meet.

    A request that meets all conditions may still get a route that is more specific.
    """

    route: str
    path: str
    is_chosen: bool
    reasons: list[str]


class LimitTold(msgspec.Struct, frozen=True):
    """A limit that applies: ``told`` is what it allows; ``after_guests`` whether guests run before
    it.
    """

    name: str
    told: str
    after_guests: bool


class Explanation(msgspec.Struct, frozen=True):
    """What becomes of a request by the configuration alone.

    ``status`` is 0, or what the gateway answers before any guest: 404 where no route matches, or
    another where the request may not enter, for the reason ``refused``. ``method``, ``host`` and
    ``path`` are the request's as routes and guests see it. ``goes_to`` tells of the route's
    upstreams, or its own response.
    """

    method: str
    scheme: str
    host: str
    path: str
    query: str | None
    status: int
    refused: str
    route: str | None
    verdicts: list[RouteVerdict]
    guests: list[str]
    limits: list[LimitTold]
    goes_to: str


def request_scope(method: str, url: str, headers: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The ASGI scope of a request for ``url``, which may be a path alone. Raises `ConfigError`."""
    try:
        parts = urlsplit(url)
        scheme, authority = parts.scheme or "http", parts.netloc
    except ValueError as error:
        raise ConfigError(f"{url}: {error}") from None
    if scheme not in ("http", "https") or not (authority or url.startswith("/")):
        raise ConfigError(f"{url}: expected a URL such as https://api.example/v1, or a path")
    fields = [(name.lower().encode(), value.encode()) for name, value in headers]
    if not any(name == b"host" for name, _ in fields):
        fields.insert(0, (b"host", (authority or "localhost").encode()))
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method.upper(),
        "scheme": scheme,
        "raw_path": (parts.path or "/").encode(),
        "query_string": parts.query.encode(),
        "headers": fields,
        "client": ("127.0.0.1", 0),
    }


def explain(config: Config, scope: dict[str, Any]) -> Explanation:
    """What becomes of the request that this ASGI scope is."""
    try:
        head = admission_of(config).admit(scope).head
    except ClientError as error:
        host = next(value for name, value in scope["headers"] if name == b"host").decode("latin-1")
        asked = (scope["method"], scope["scheme"], host, scope["raw_path"].decode("latin-1"), None)
        return Explanation(*asked, error.status, str(error), None, [], [], [], "")
    routes = bare_routes(config)
    chosen = RouteTable(routes).match(head)
    verdicts = [_verdict(route, head, chosen) for route in routes]
    at = (head.method, head.scheme, host_of(head.authority), head.path, head.query)
    if chosen is None:
        return Explanation(*at, 404, "no route matches", None, verdicts, [], [], "")
    route = config.route[chosen.index]
    limits = [
        LimitTold(
            limit.name,
            f"{limit.requests} requests in {limit.window.written()} for each {' and '.join(limit.parts())}"
            + (", counted only" if limit.shadow else ""),
            limit.needs_guests,
        )
        for limit in route.all_limits()
    ]
    guests = [entry.guest for entry in route.entries()]
    return Explanation(*at, 0, "", chosen.name, verdicts, guests, limits, goes_to(config, route))


def _verdict(route: Route, head: RequestHead, chosen: Route | None) -> RouteVerdict:
    reasons = list(_unmet(route, head))
    if not reasons and route is not chosen:
        assert chosen is not None, "a route whose conditions are met is a match"
        reasons = [_why_later(route, chosen)]
    return RouteVerdict(route.name, route.path, route is chosen, reasons)


def _unmet(route: Route, head: RequestHead) -> Iterator[str]:
    host = host_of(head.authority)
    if route.scheme and head.scheme != route.scheme:
        yield f"the scheme is {head.scheme}, not {route.scheme}"
    if not RouteTable([Route(0, "", route.path, (), frozenset(), (), "", route.chain, False, frozenset())]).match(head):
        yield f"the path {head.path} is not below {route.path}"
    if route.hosts and not any(host_fits(pattern, host) for pattern in route.hosts):
        yield f"the host {host or '(none)'} is not {_either(route.hosts)}"
    if route.methods and head.method not in route.methods:
        yield f"the method {head.method} is not {_either(sorted(route.methods))}"
    for name, value in route.headers:
        if (name, value) not in head.headers:
            given = [each for key, each in head.headers if key == name]
            told = f"is another: {given[-1].decode(errors='replace')!r}" if given else "is missing"
            yield f"the header {name.decode()} {told}"


def _why_later(route: Route, chosen: Route) -> str:
    """Why the one is chosen although this one's conditions are met as well."""
    name = chosen.name
    if bool(chosen.scheme) != bool(route.scheme):
        return f"{name} matches too, and names the scheme"
    if len(chosen.path) > len(route.path):
        return f"{name} matches too, by a longer path"
    hosts, headers, methods = (
        mine != others for mine, others in zip(route.specificity(), chosen.specificity(), strict=True)
    )
    if hosts:
        return f"{name} matches too, by a more exact host"
    if headers:
        return f"{name} matches too, by more headers"
    if methods:
        return f"{name} matches too, by the method"
    return f"{name} matches too, and is as specific"


def _either(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"
