"""Builds generations from configurations and guests.

Rule 1: what two generations have in common is one object: a guest with the same file, settings and
        configuration, with its instances; an upstream with the same targets and times, with its
        connections; a route of the same guests.
Rule 2: what differs is made anew beside the old: no instance is ever configured twice.
Rule 3: what no generation has any more is closed, by `free`, which is called for each of them once.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import Any

import msgspec

from sentinel_host.abi.rules import AnswerLimits
from sentinel_host.config import ChainEntry, Config, GuestConfig, RouteConfig, ServerConfig, UpstreamConfig
from sentinel_host.config.files import ClientTls, guest_tls, upstream_tls
from sentinel_host.config.verify import split_address
from sentinel_host.errors import GuestLoadError
from sentinel_host.gateway.answers import refusal
from sentinel_host.gateway.canary import CanarySelector
from sentinel_host.gateway.configured import Configured, configured
from sentinel_host.gateway.generation import Generation, Key
from sentinel_host.gateway.grants import HTTP_CLIENT, grants_of, limits_of
from sentinel_host.gateway.limits import Counters, RouteLimits
from sentinel_host.gateway.mirror import Mirror
from sentinel_host.gateway.outbound import Outbound
from sentinel_host.gateway.own_responses import own_response
from sentinel_host.gateway.routes import IDEMPOTENT, Route, RouteTable, RouteTimes
from sentinel_host.gateway.split import Split
from sentinel_host.gateway.unavailable import UnavailableGuest
from sentinel_host.hotload.aside import aside
from sentinel_host.hotload.guest_version import GuestVersion
from sentinel_host.http.client import configured_content, configured_context
from sentinel_host.http.rules import Admission, TrustedPeers
from sentinel_host.kv import SharedStore
from sentinel_host.limiter import Style
from sentinel_host.net import Names
from sentinel_host.observe.recorder import Tracing
from sentinel_host.paths import PathRule
from sentinel_host.pipeline import Chain, Middleware
from sentinel_host.sandbox import GuestEngine, GuestMiddleware, LoadedGuest, defaults_of, load_compiled
from sentinel_host.upstream import EndpointTable, Surroundings, Upstream
from sentinel_host.upstream.hashing import hash_key


@dataclass(slots=True)
class _Unit:
    """A part that generations share: an upstream, a guest's outbound client, or a use of its
    version.

    ``users`` counts the generations. ``loaded`` is the key of a guest that was loaded for this use.
    """

    part: GuestMiddleware | Upstream | Outbound
    guest: LoadedGuest | None = None
    loaded: Key = ()
    users: int = 0

    async def close(self) -> None:
        """No generation uses it any more."""
        if isinstance(self.part, GuestMiddleware):
            self.part.close()
        else:
            await self.part.close()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version that gets ``weight`` percent of the requests beside the one that serves."""

    version: GuestVersion
    weight: int


Observe = Callable[[Middleware], Middleware]
"""Wraps a guest of a chain, so that what it does is recorded."""

_NO_CANDIDATES: Mapping[str, Candidate] = {}


@dataclass(slots=True)
class _Draft:
    """A generation in the making."""

    config: Config
    answers: AnswerLimits
    versions: Mapping[str, GuestVersion]
    faults: dict[str, str]
    candidates: Mapping[str, Candidate]
    refused: dict[str, str] = field(default_factory=dict)
    units: dict[Key, _Unit] = field(default_factory=dict)
    guests: dict[str, LoadedGuest] = field(default_factory=dict)
    tried: dict[str, LoadedGuest] = field(default_factory=dict)
    placed: dict[Key, Middleware] = field(default_factory=dict)


class Builder:
    """Builds generations; owns the engine that their guests run in, and ``names``, which looks
    names up for all.

    ``counters`` are the routes' limits', and needed where there are any; ``kv`` holds the guests'
    keys. ``endpoints`` is the table that all workers share, in which this one is ``worker``.
    ``observe`` may put something before each place of a chain.
    """

    def __init__(
        self,
        counters: Counters | None = None,
        kv: SharedStore | None = None,
        endpoints: EndpointTable | None = None,
        worker: int = 0,
        names: Names | None = None,
        observe: Observe | None = None,
    ) -> None:
        self.counters = counters
        self._observe = observe
        self.engine = GuestEngine(kv)
        self.names = Names() if names is None else names
        table = EndpointTable.create(cells=1) if endpoints is None else endpoints
        self.surroundings = Surroundings(table, worker, self.names)
        self._units: dict[Key, _Unit] = {}
        self._routes: dict[tuple[str, tuple[Middleware, ...]], Route] = {}

    async def build(
        self,
        config: Config,
        versions: Mapping[str, GuestVersion],
        faults: Mapping[str, str],
        candidates: Mapping[str, Candidate] = _NO_CANDIDATES,
    ) -> Generation:
        """Build a generation. Either ``versions`` or ``faults`` has each guest that a route
        names.

        A guest that does not start is among the generation's faults, and its routes answer 503; a
        candidate that does not is left out. Raises `ConfigError`.
        """
        paths = path_rule(config.server)
        draft = _Draft(config, AnswerLimits(paths=paths), versions, dict(faults), candidates)
        try:
            chains = [
                [
                    await self._place(entry, f"route[{index}].chain[{place}]", draft)
                    for place, entry in enumerate(route.entries())
                ]
                for index, route in enumerate(config.route)
            ]
            upstreams = {
                intern(upstream.name): await self._upstream(index, upstream, draft)
                for index, upstream in enumerate(config.upstream)
            }
        except BaseException:
            await self._release(draft.units)
            raise
        known, self._routes = self._routes, {}
        routes = [self._route(config, index, tuple(chain), known) for index, chain in enumerate(chains)]
        guests = {name: guest for name, guest in draft.guests.items() if name not in draft.faults}
        tried = {name: guest for name, guest in draft.tried.items() if name in guests and name not in draft.refused}
        return Generation(
            admission_of(config),
            RouteTable(routes),
            upstreams,
            guests,
            tried,
            draft.faults,
            draft.refused,
            frozenset(draft.units),
            _tracing(config),
        )

    def learn(self, generation: Generation) -> None:
        """Look up the names that a generation may need: the name service may fail when it needs
        them.
        """
        for key in generation.units:
            part = self._units[key].part
            if not isinstance(part, GuestMiddleware):
                part.learn()

    async def free(self, generation: Generation) -> None:
        """Close what only this generation has; no request may be served by it any more."""
        await generation.finish()
        await self._release(generation.units)

    def _hold(self, key: Key, unit: _Unit, draft: _Draft) -> None:
        """Count the draft among the users at once: while it waits for a guest, others may be
        freed.
        """
        if key not in draft.units:
            self._units[key] = draft.units[key] = unit
            unit.users += 1

    async def _release(self, keys: Iterable[Key]) -> None:
        last = []
        for key in keys:
            unit = self._units[key]
            unit.users -= 1
            if not unit.users:
                last.append(self._units.pop(key))
        await asyncio.gather(*(unit.close() for unit in last))

    async def _place(self, entry: ChainEntry, at: str, draft: _Draft) -> Middleware:
        """The guest of one place in a chain, which is written ``at``; places with equal
        configuration share one.
        """
        name = entry.guest
        settings = draft.config.guest.get(name, GuestConfig())
        config = configured(draft.config, entry, at)
        key = (name, config.encoded)
        if key not in draft.placed:
            try:
                version = draft.versions.get(name)
                if version is None:
                    raise GuestLoadError(draft.faults[name])
                used, draft.guests[name] = await self._use(version, settings, config, draft)
                placed = await self._beside(used, settings, config, draft)
                draft.placed[key] = placed if self._observe is None else self._observe(placed)
            except GuestLoadError as error:
                draft.faults[name] = str(error)
                draft.placed[key] = UnavailableGuest(name, settings.on_failure, draft.faults)
        return draft.placed[key]

    async def _beside(
        self, current: GuestMiddleware, settings: GuestConfig, config: Configured, draft: _Draft
    ) -> Middleware:
        """A guest together with the candidate for its place, if there is one."""
        candidate = draft.candidates.get(current.name)
        if candidate is None:
            return current
        try:
            used, draft.tried[current.name] = await self._use(candidate.version, settings, config, draft)
        except GuestLoadError as error:
            draft.refused[current.name] = str(error)
            return current
        return CanarySelector(current, used, candidate.weight)

    async def _use(
        self, version: GuestVersion, settings: GuestConfig, config: Configured, draft: _Draft
    ) -> tuple[GuestMiddleware, LoadedGuest]:
        """A use of a guest that a generation has already, or a new one. Raises `GuestLoadError`."""
        name = version.name
        # The limits of a guest's answers are part of the key; settings of rollouts are not.
        told = repr(msgspec.structs.replace(settings, config={}, revert=True, canary=None))
        secured = configured_content(draft.config, guest_tls(name, settings))
        loaded = (
            name,
            version.guest.sha256,
            told,
            repr((draft.answers, draft.config.server.admin, draft.config.log.level)),
            _digest_all(secured),
        )
        key = (*loaded, config.encoded)
        unit = self._units.get(key)
        if unit is None:
            try:
                guest = self._known(loaded) or await self._load(version, settings, draft)
                config.check(guest)
                made = await guest.start_middleware(
                    config.encoded, on_failure=settings.on_failure, upstreams=frozenset(settings.upstreams)
                )
            except MemoryError:
                raise GuestLoadError(f"{version.path}: the gateway has no memory for it") from None
            unit = _Unit(made, guest, loaded)
        self._hold(key, unit, draft)
        assert isinstance(unit.part, GuestMiddleware)
        assert unit.guest is not None
        if HTTP_CLIENT in settings.grants:
            await self._outbound(name, settings, draft)
        return unit.part, unit.guest

    def _known(self, loaded: Key) -> LoadedGuest | None:
        """The guest of another use of the same version and settings."""
        return next((unit.guest for unit in self._units.values() if unit.loaded == loaded), None)

    async def _load(self, version: GuestVersion, settings: GuestConfig, draft: _Draft) -> LoadedGuest:
        self._check_code(version, draft)
        limits = limits_of(settings, draft.answers, defaults_of(version.guest.language), draft.config.log.level)
        http = (await self._outbound(version.name, settings, draft)).grant if HTTP_CLIENT in settings.grants else None
        return load_compiled(version.guest, version.name, version.path, self.engine, limits, grants_of(settings, http))

    def _check_code(self, version: GuestVersion, draft: _Draft) -> None:
        """Raises `GuestLoadError` for a guest whose code would be more than a worker may hold."""
        most = draft.config.guests.code_memory
        held = {unit.loaded: unit.guest.code_size for unit in self._units.values() if unit.guest is not None}
        needed = sum(held.values()) + len(version.guest.code)
        if needed > most:
            raise GuestLoadError(
                f"{version.path}: with it the guests' machine code would be {needed} bytes, "
                f"and guests.code_memory allows {most}"
            )

    async def _outbound(self, name: str, settings: GuestConfig, draft: _Draft) -> Outbound:
        admin, http = draft.config.server.admin, settings.http
        tls = guest_tls(name, settings)
        key = ("outbound", name, repr((http, admin)), _digest_all(configured_content(draft.config, tls)))
        unit = self._units.get(key)
        if unit is None:
            context = await _context(draft.config, tls)
            address = split_address(admin) if admin is not None else None
            unit = _Unit(Outbound(name, http, address, self.names, context))
        self._hold(key, unit, draft)
        assert isinstance(unit.part, Outbound)
        return unit.part

    async def _upstream(self, index: int, config: UpstreamConfig, draft: _Draft) -> Upstream:
        tls = upstream_tls(index, config)
        key = ("upstream", repr(config), _digest_all(configured_content(draft.config, tls)))
        unit = self._units.get(key)
        if unit is None:
            context = await _context(draft.config, tls)
            unit = _Unit(Upstream(config, self.surroundings, context, self._before(config.name)))
        self._hold(key, unit, draft)
        assert isinstance(unit.part, Upstream)
        return unit.part

    def _before(self, name: str) -> Upstream | None:
        """The upstream of this name that serves now, or served last."""
        parts = [unit.part for unit in self._units.values()]
        named = [part for part in parts if isinstance(part, Upstream) and part.name == name]
        return named[-1] if named else None

    def _route(
        self,
        config: Config,
        index: int,
        guests: tuple[Middleware, ...],
        known: Mapping[tuple[str, tuple[Middleware, ...]], Route],
    ) -> Route:
        route, server = config.route[index], config.server
        _, content = _content(config, route.respond.file if route.respond is not None else None)
        told = repr((index, route, server.limit_headers, server.ipv6_prefix, _digest(content)))
        key = (told, guests)
        made = self._routes[key] = known.get(key) or _route(index, route, guests, self._limits(route, server), content)
        return made

    def _limits(self, route: RouteConfig, server: ServerConfig) -> RouteLimits | None:
        limits = route.all_limits()
        if not limits or self.counters is None:
            return None
        style = Style(server.limit_headers)
        return RouteLimits(route_name(route), limits, self.counters, style, server.ipv6_prefix)


def route_name(route: RouteConfig) -> str:
    """What a route is called everywhere: its name, or its path."""
    return route.name or route.path


def path_rule(server: ServerConfig) -> PathRule:
    """How paths are read."""
    return PathRule(
        keep_encoded_slash=server.paths.encoded_slash == "keep",
        keep_empty_segments=server.paths.empty_segments == "keep",
    )


async def _context(config: Config, tls: ClientTls | None) -> ssl.SSLContext | None:
    """What the system trusts is read from files. Raises `ConfigError`."""
    return None if tls is None else await aside(lambda: configured_context(config, tls))


def _content(config: Config, name: str | None) -> tuple[str | None, bytes | None]:
    """The path of a file that is named so, and what it says."""
    return (config.locate(name), config.content(name)) if name is not None else (None, None)


def _digest_all(files: tuple[tuple[str, bytes], ...]) -> str:
    return " ".join(f"{path} {_digest(content)}" for path, content in files)


def _digest(content: bytes | None) -> str:
    return "" if content is None else hashlib.sha256(content).hexdigest()


def admission_of(config: Config) -> Admission:
    """The rules by which requests enter."""
    server = config.server
    return Admission(
        identity_headers=server.identity_headers,
        trusted=TrustedPeers(server.trusted_proxies),
        paths=path_rule(server),
        refuse_aliases=server.header_aliases == "refuse",
        traced=config.tracing is not None,
    )


def bare_routes(config: Config) -> list[Route]:
    """The routes without guests, limits and responses, for who wants to know what they match."""
    return [
        _route(index, msgspec.structs.replace(route, respond=None, redirect=None), (), None, None)
        for index, route in enumerate(config.route)
    ]


def _tracing(config: Config) -> Tracing | None:
    tracing = config.tracing
    return Tracing(tracing.share, round(tracing.slow * 1e6)) if tracing is not None else None


def _route(
    index: int, route: RouteConfig, guests: tuple[Any, ...], limits: RouteLimits | None, content: bytes | None
) -> Route:
    times = RouteTimes(route.timeout, route.per_try_timeout, route.idle_timeout, route.total_timeout, route.hedge_after)
    return Route(
        index=index,
        # By names, things are looked up for each request: the same object is found without a look
        # at its letters.
        name=intern(route_name(route)),
        path=route.path,
        hosts=tuple(route.hosts),
        methods=frozenset(route.methods),
        headers=tuple((name.encode("ascii"), value.encode("utf-8")) for name, value in route.headers.items()),
        upstream=intern(route.upstream or ""),
        chain=Chain(guests, refusal),
        preserve_host=route.preserve_host,
        trailers=frozenset(name.encode("ascii") for name in route.trailers),
        limits=limits,
        upgrades=frozenset(name.encode("ascii") for name in route.upgrades),
        repeatable=IDEMPOTENT | set(route.retry_methods),
        times=times if times != RouteTimes() else None,
        body_bytes=route.body_bytes,
        grpc_web=route.grpc_web,
        scheme=route.scheme or "",
        own=own_response(route.respond, route.redirect, content),
        split=Split(route.split, hash_key(route.split_by) if route.split_by else None) if route.split else None,
        mirror=Mirror(route.mirror.upstream, route.mirror.percent) if route.mirror is not None else None,
    )
