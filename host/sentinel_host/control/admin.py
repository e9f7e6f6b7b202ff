"""The admin side's routes: ordinary Quart, reachable only through the admin listener."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST
from quart import Blueprint, Quart, Response, request

from sentinel_host.config import Config
from sentinel_host.control.guests import view_guests
from sentinel_host.control.metrics import render
from sentinel_host.control.snapshot import Snapshot, merge
from sentinel_host.control.token import admin_token, is_authorised
from sentinel_host.control.upstreams import endpoint_numbers, key_named, view_upstreams
from sentinel_host.errors import SentinelError
from sentinel_host.hotload.rollout import RolloutController
from sentinel_host.hotload.state import GuestState
from sentinel_host.observe import Taken
from sentinel_host.upstream import EndpointTable

_log = logging.getLogger("sentinel.control")

# What probes and scrapers ask for, which know no token.
_OPEN: Final = ("/healthz", "/readyz", "/metrics")


@dataclass(slots=True)
class AdminAccess:
    """Who may ask: the names of the admin side, and the token that it asks for, ``None`` for
    none.
    """

    hosts: tuple[str, ...] = ()
    token: str | None = None

    @classmethod
    def of(
        cls, config: Config, environment: Mapping[str, str], directory: Path | None, *, make_token: bool
    ) -> AdminAccess:
        """As it is configured; see `admin_token`. Raises `ConfigError`."""
        address = config.server.admin
        if address is None:
            return cls()
        token = admin_token(config, environment, directory, make=make_token, needed=False)
        return cls((address.rpartition(":")[0],), token)

    def renew(self, config: Config) -> Callable[[], None]:
        """Look at the token's file anew; returns what has another token count. Raises
        `ConfigError`.
        """
        if config.server.admin is None or config.server.admin_token_file is None:
            return lambda: None
        token = admin_token(config, {}, None, make=False)

        def count() -> None:
            if token != self.token:
                self.token = token
                _log.info("%s: server.admin_token_file: another token is asked for from now on", config.file)

        return count


class Overview(Protocol):
    """The whole gateway, of which the process that serves the admin side may be any part."""

    async def snapshot(self) -> Snapshot:
        """The counts of all workers, those that have ended included."""

    async def faults(self) -> list[str]:
        """Why the gateway is not ready, one line each; none when it is."""

    @property
    def rollouts(self) -> RolloutController:
        """Decides which versions serve."""

    @property
    def endpoints(self) -> EndpointTable:
        """What is known of every upstream's endpoints."""

    async def guests(self) -> dict[int, list[GuestState]]:
        """What each worker tells of the guests that routes name."""

    async def records(self, after: Mapping[int, int], *, watch: bool) -> dict[int, Taken]:
        """By worker, the records of requests from the numbers ``after`` on, 0 where there is none.

        With ``watch`` requests are recorded for some seconds that would not be.
        """


def install_admin(app: Quart, overview: Overview, access: AdminAccess) -> None:
    """Add the admin routes to an application; to be called before it serves.

    All but ``/healthz``, ``/readyz`` and ``/metrics`` need ``Authorization: Bearer TOKEN``; without
    a token they cannot be had. Whatever the admin listener is asked must name an IP address,
    localhost or one of the hosts as its Host: a page in a browser can point a name of its own at
    this listener (DNS rebinding), but not an address. A request without a Host, as health checks on
    HTTP/1.0 are, is no browser's.
    """
    admin = Blueprint("admin", __name__)
    allowed = frozenset(host.lower() for host in access.hosts) | {"localhost"}

    async def check_host() -> Response | None:
        # The scope's: Quart makes an empty one of none.
        hosts = [value for name, value in request.scope["headers"] if name == b"host"]
        host = _host(hosts[0].decode("latin-1")) if hosts else "localhost"
        if host in allowed or _is_address(host):
            return None
        return Response("the Host of an admin request is an IP address or localhost\n", 421, mimetype="text/plain")

    async def check_token() -> Response | None:
        if request.path in _OPEN:
            return None
        token = access.token
        if token is None:
            return Response("this gateway has no admin token\n", 403, mimetype="text/plain")
        if is_authorised(request.headers.get("authorization", ""), token):
            return None
        refused = Response("the admin token is missing or wrong\n", 401, mimetype="text/plain")
        refused.headers["www-authenticate"] = 'Bearer realm="sentinel admin"'
        return refused

    async def healthz() -> Response:
        """The process answers."""
        return Response("ok\n", mimetype="text/plain")

    async def readyz() -> Response:
        """Every worker serves, with every guest that the routes name; 503 says what is missing."""
        faults = await overview.faults()
        if not faults:
            return Response("ready\n", mimetype="text/plain")
        return Response("".join(f"{fault}\n" for fault in faults), status=503, mimetype="text/plain")

    async def metrics() -> Response:
        """Prometheus text format."""
        counted = await overview.snapshot()
        told = merge([counted, endpoint_numbers(counted.upstreams, overview.endpoints)])
        return Response(render(told), content_type=CONTENT_TYPE_LATEST)

    async def guests() -> Response:
        """The guests in service, as JSON."""
        told = view_guests(await overview.guests(), await overview.snapshot(), overview.rollouts)
        return _json({"guests": told})

    async def upstreams() -> Response:
        """The upstreams and their endpoints, as JSON."""
        return _json({"upstreams": view_upstreams((await overview.snapshot()).upstreams, overview.endpoints)})

    async def drain(name: str, endpoint: str, action: str) -> Response:
        """Give an endpoint no new requests, or again some."""
        try:
            key = key_named((await overview.snapshot()).upstreams, name, endpoint)
            overview.endpoints.drain(key, action == "drain")
        except LookupError as error:
            return _json({"error": str(error)}, 404)
        told = "gets no new requests" if action == "drain" else "gets requests"
        return _json({"done": f"upstream {name}: {endpoint} {told}"})

    async def act(name: str, action: str) -> Response:
        """Roll a guest back, or promote it."""
        if not overview.rollouts.wants(name):
            return _json({"error": f"no route names a guest {name!r}"}, 404)
        try:
            rollouts = overview.rollouts
            done = await (rollouts.rollback if action == "rollback" else rollouts.promote)(name)
        except SentinelError as error:
            return _json({"error": str(error)}, 409)
        return _json({"done": done})

    for view in (healthz, readyz, metrics):
        admin.add_url_rule(f"/{view.__name__}", view_func=view)
    admin.add_url_rule("/guests", view_func=guests)
    admin.add_url_rule("/upstreams", view_func=upstreams)
    # An endpoint is named by a URL: its slashes are part of the name.
    at = "/upstreams/<name>/<path:endpoint>/<any(drain, undrain):action>"
    admin.add_url_rule(at, view_func=drain, methods=["POST"])
    admin.add_url_rule("/guests/<name>/<any(rollback, promote):action>", view_func=act, methods=["POST"])
    app.before_request(check_host)
    app.before_request(check_token)
    app.register_blueprint(admin)


def guest_faults(faults: dict[str, str]) -> list[str]:
    """What ``/readyz`` says about guests that are not in service."""
    return [f"guest {name} is not in service: {reason}" for name, reason in faults.items()]


def _json(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content) + b"\n", status, content_type="application/json")


def _host(value: str) -> str:
    """The host of a Host field, in lower case and without brackets and port."""
    if value.startswith("["):
        return value[1:].partition("]")[0].lower()
    return value.partition(":")[0].lower()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
