"""The admin side's routes: ordinary Quart, reachable only through the admin listener."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Protocol

from prometheus_client import CONTENT_TYPE_LATEST
from quart import Blueprint, Quart, Response, request

from sentinel_host.control.metrics import render
from sentinel_host.control.snapshot import Snapshot
from sentinel_host.hotload.state import GuestState


class Overview(Protocol):
    """The whole gateway, of which the process that serves the admin side may be any part."""

    async def snapshot(self) -> Snapshot:
        """The counts of all workers, those that have ended included."""

    async def faults(self) -> list[str]:
        """Why the gateway is not ready, one line each; none when it is."""

    async def guests(self) -> dict[int, list[GuestState]]:
        """The guests of each worker, by the worker's number."""


def install_admin(app: Quart, overview: Overview, hosts: Iterable[str]) -> None:
    """Add ``/healthz``, ``/readyz`` and ``/metrics`` to an application; to be called before it serves.

    Whatever the admin listener is asked must name an IP address, localhost or one of ``hosts`` as its Host: a page in
    a browser can point a name of its own at this listener (DNS rebinding), but not an address.
    """
    admin = Blueprint("admin", __name__)
    allowed = frozenset(host.lower() for host in hosts) | {"localhost"}

    async def check_host() -> Response | None:
        host = _host(request.headers.get("host", ""))
        if host in allowed or _is_address(host):
            return None
        return Response("the Host of an admin request is an IP address or localhost\n", 421, mimetype="text/plain")

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
        return Response(render(await overview.snapshot()), content_type=CONTENT_TYPE_LATEST)

    for view in (healthz, readyz, metrics):
        admin.add_url_rule(f"/{view.__name__}", view_func=view)
    app.before_request(check_host)
    app.register_blueprint(admin)


def guest_faults(faults: dict[str, str]) -> list[str]:
    """What ``/readyz`` says about guests that are not in service."""
    return [f"guest {name} is not in service: {reason}" for name, reason in faults.items()]


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
