"""The admin side: its routes, ordinary Quart, reachable only through the admin listener."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Awaitable, Callable

from quart import Blueprint, Quart, Response, request

from sentinel_host.control import sessions
from sentinel_host.control.access import AdminAccess
from sentinel_host.control.dashboard import add_dashboard
from sentinel_host.control.operations import Operations
from sentinel_host.control.overview import Overview
from sentinel_host.control.token import explain_token, is_authorised

# Run before a request: its refusal, or None.
Check = Callable[[], Awaitable[Response | None]]


def install_admin(app: Quart, overview: Overview, access: AdminAccess) -> None:
    """Add the admin routes to an application; to be called before it serves.

    All but ``/healthz``, ``/readyz``, ``/metrics`` and the dashboard's page need ``Authorization:
    Bearer TOKEN``, or a session; without a token they cannot be had. Whatever the admin listener is
    asked must name an IP address, localhost or one of the hosts as its Host: a page in a browser
    can point a name of its own at this listener (DNS rebinding), but not an address. A request
    without a Host, as health checks on HTTP/1.0 are, is no browser's.
    """
    admin = Blueprint("admin", __name__)
    operations = Operations(overview, lambda: "" if access.token is None else explain_token(access.token))
    is_open = _add_operations(admin, operations) | add_dashboard(admin, lambda: access.token)
    app.before_request(_host_check(access.hosts))
    app.before_request(_token_check(access, is_open))
    app.register_blueprint(admin)


def _add_operations(admin: Blueprint, operations: Operations) -> set[str]:
    """Add a route for each; returns the paths that need no token."""
    for operation, view in operations.all:
        name = f"{operation.method} {operation.rule}".replace(".", "-")
        admin.add_url_rule(operation.rule, name, view, methods=[operation.method])
    return {operation.rule for operation, _ in operations.all if operation.is_open}


def _host_check(hosts: tuple[str, ...]) -> Check:
    """The refusal, 421, of a request whose Host is neither an address, localhost nor one of
    ``hosts``.
    """
    allowed = frozenset(host.lower() for host in hosts) | {"localhost"}

    async def check_host() -> Response | None:
        # The scope's: Quart makes an empty one of none.
        fields = [value for name, value in request.scope["headers"] if name == b"host"]
        host = _host(fields[0].decode("latin-1")) if fields else "localhost"
        if host in allowed or _is_address(host):
            return None
        return Response("the Host of an admin request is an IP address or localhost\n", 421, mimetype="text/plain")

    return check_host


def _token_check(access: AdminAccess, is_open: set[str]) -> Check:
    """The refusal, 401 or 403, of a request to a path that is not open without the token of
    now.
    """

    async def check_token() -> Response | None:
        if request.path in is_open:
            return None
        token = access.token
        if token is None:
            return Response("this gateway has no admin token\n", 403, mimetype="text/plain")
        if is_authorised(request.headers.get("authorization", ""), token) or _is_signed_in(token):
            return None
        refused = Response("the admin token is missing or wrong\n", 401, mimetype="text/plain")
        # A browser's script asks by itself, and no dialog of the browser's would help.
        if sessions.HEADER not in request.headers:
            refused.headers["www-authenticate"] = 'Bearer realm="sentinel admin"'
        return refused

    return check_token


def _is_signed_in(token: str) -> bool:
    cookie, proof = request.cookies.get(sessions.COOKIE, ""), request.headers.get(sessions.HEADER, "")
    return sessions.is_valid(token, cookie, proof, time.time())


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
