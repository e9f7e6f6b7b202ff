"""The admin side's routes: ordinary Quart, reachable only through the admin listener."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from quart import Blueprint, Response

from sentinel_host.control.metrics import ConnectionCounts, GatewayCollector
from sentinel_host.gateway import Gateway


def install_admin(gateway: Gateway, connections: ConnectionCounts) -> None:
    """Add ``/healthz``, ``/readyz`` and ``/metrics`` to the application; to be called before it serves."""
    registry = CollectorRegistry()
    registry.register(GatewayCollector(gateway, connections))
    admin = Blueprint("admin", __name__)

    async def healthz() -> Response:
        """The process answers."""
        return Response("ok\n", mimetype="text/plain")

    async def readyz() -> Response:
        """Every guest that the routes name is in service; 503 names those that are not."""
        faults = gateway.generation.faults
        if not faults:
            return Response("ready\n", mimetype="text/plain")
        text = "".join(f"guest {name} is not in service: {reason}\n" for name, reason in faults.items())
        return Response(text, status=503, mimetype="text/plain")

    async def metrics() -> Response:
        """Prometheus text format."""
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    for view in (healthz, readyz, metrics):
        admin.add_url_rule(f"/{view.__name__}", view_func=view)
    gateway.register_blueprint(admin)
