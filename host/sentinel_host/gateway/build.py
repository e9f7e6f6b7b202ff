"""Making a generation out of a configuration and the guests' folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sentinel_host.abi.codec import AnswerLimits, encode_config
from sentinel_host.config import ChainEntry, Config, GuestConfig, RouteConfig
from sentinel_host.errors import ConfigError, GuestError, GuestLoadError
from sentinel_host.gateway.answers import refusal
from sentinel_host.gateway.generation import Generation
from sentinel_host.gateway.grants import grants_of
from sentinel_host.gateway.limits import Counters, RouteLimits
from sentinel_host.gateway.routes import Route, RouteTable
from sentinel_host.gateway.upstreams import Upstream
from sentinel_host.hotload.signature import verifier_of
from sentinel_host.limiter import Style
from sentinel_host.messages import RequestAction, ResponseAction
from sentinel_host.paths import PathRule
from sentinel_host.pipeline import BodyHook, Chain, Middleware
from sentinel_host.sandbox import Grants, GuestEngine, Limits, LoadedGuest, load_artefact
from sentinel_host.sandbox.artefact import parse_artefact, read_file


class MissingGuest:
    """Stands in a chain for a guest that could not be loaded, so that a missing guest never shortens a chain.

    Its hooks fail: the request is answered 503, or goes on without the guest where the configuration says so.
    """

    handles_request = True
    handles_response = False
    handles_completion = False

    def __init__(self, name: str, on_failure: str, reason: str) -> None:
        self.name = name
        self.on_failure = on_failure
        self._reason = reason

    def on_request(self, record: bytes, request_id: str, client: str) -> RequestAction | None:
        """Raises `GuestError`, always."""
        raise GuestError(self.name, "on-request", f"not loaded: {self._reason}")

    def on_response(self, record: bytes, context: bytes, request_id: str, client: str) -> ResponseAction | None:
        """Never called."""
        return None

    def on_complete(self, record: bytes, context: bytes, request_id: str, client: str) -> None:
        """Never called."""

    def request_body(self, context: bytes, request_id: str, client: str) -> BodyHook:
        """Never called: it asks for no body."""
        raise NotImplementedError

    response_body = request_body


class Builder:
    """Builds generations; owns the engine that their guests run in.

    ``counters`` are the routes' limits', and needed where there are any.
    """

    def __init__(self, config: Config, paths: PathRule, counters: Counters | None = None) -> None:
        self._config = config
        self._answers = AnswerLimits(paths=paths)
        self._counters = counters
        self._verifier = verifier_of(config, None)
        self.engine = GuestEngine()

    def build(self) -> Generation:
        """Load the guests that the routes name, and put everything together.

        A guest that cannot be loaded is among the generation's faults, and its routes answer 503.
        """
        config = self._config
        faults: dict[str, str] = {}
        guests = self._load_guests(faults)
        placed: dict[tuple[str, bytes], Middleware] = {}
        routes = [
            _route(
                index,
                route,
                [self._place(entry, guests, faults, placed) for entry in route.entries()],
                self._limits(route),
            )
            for index, route in enumerate(config.route)
        ]
        upstreams = {upstream.name: Upstream(upstream) for upstream in config.upstream}
        return Generation(RouteTable(routes), upstreams, faults)

    def _load_guests(self, faults: dict[str, str]) -> dict[str, LoadedGuest]:
        guests: dict[str, LoadedGuest] = {}
        for name in named_guests(self._config):
            settings = self._settings(name)
            limits = Limits(
                memory=settings.memory,
                deadline=settings.deadline,
                isolation=settings.isolation,
                instances=settings.instances,
                answers=self._answers,
            )
            try:
                guests[name] = self._load(name, limits, grants_of(settings))
            except GuestLoadError as error:
                faults[name] = str(error)
        return guests

    def _load(self, name: str, limits: Limits, grants: Grants) -> LoadedGuest:
        path = str(guest_path(self._config, name))
        data = read_file(path)
        if self._verifier is not None:
            self._verifier.verify(data, name, path)
        return load_artefact(parse_artefact(data, path), name, self.engine, limits, grants)

    def _place(
        self,
        entry: ChainEntry,
        guests: dict[str, LoadedGuest],
        faults: dict[str, str],
        placed: dict[tuple[str, bytes], Middleware],
    ) -> Middleware:
        """The guest of one place in a chain; places with equal configuration share one."""
        settings = self._settings(entry.guest)
        try:
            config = encode_config(settings.config | entry.config)
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigError(f"{self._config.file}: guest.{entry.guest}.config: {error}") from None
        key = (entry.guest, config)
        if key not in placed:
            guest = guests.get(entry.guest)
            try:
                if guest is None:
                    raise GuestLoadError(faults[entry.guest])
                placed[key] = guest.middleware(
                    config, on_failure=settings.on_failure, upstreams=frozenset(settings.upstreams)
                )
            except GuestLoadError as error:
                faults[entry.guest] = str(error)
                placed[key] = MissingGuest(entry.guest, settings.on_failure, str(error))
        return placed[key]

    def _limits(self, route: RouteConfig) -> RouteLimits | None:
        limits, server = route.all_limits(), self._config.server
        if not limits or self._counters is None:
            return None
        style = Style(server.limit_headers)
        return RouteLimits(route_name(route), limits, self._counters, style, server.ipv6_prefix)

    def _settings(self, name: str) -> GuestConfig:
        return self._config.guest.get(name, GuestConfig())


def named_guests(config: Config) -> list[str]:
    """The names of all guests that routes use, sorted."""
    return sorted({entry.guest for route in config.route for entry in route.entries()})


def guest_path(config: Config, name: str) -> Path:
    """Where a guest's artefact is expected: in the guests' folder, which is relative to the configuration file's."""
    return Path(config.file).parent / config.guests.directory / f"{name}.wasm"


def route_name(route: RouteConfig) -> str:
    """What a route is called everywhere: its name, or its path."""
    return route.name or route.path


def _route(index: int, route: RouteConfig, guests: list[Any], limits: RouteLimits | None) -> Route:
    return Route(
        index=index,
        name=route_name(route),
        path=route.path,
        hosts=tuple(route.hosts),
        methods=frozenset(route.methods),
        headers=tuple((name.encode("ascii"), value.encode("utf-8")) for name, value in route.headers.items()),
        upstream=route.upstream,
        chain=Chain(guests, refusal),
        preserve_host=route.preserve_host,
        trailers=frozenset(name.encode("ascii") for name in route.trailers),
        limits=limits,
        upgrades=frozenset(name.encode("ascii") for name in route.upgrades),
    )
