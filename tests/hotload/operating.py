"""What is done to a gateway whose one guest has versions, and what it tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sentinel_host.cli import main
from tests.hotload.failing import TOKEN, digest
from tests.hotload.versions import put as put_guest
from tests.supervisor.support import wait_until
from tests.support.clients import Answer, fetch
from tests.support.gateways import GatewayProcess


def put(gateway: GatewayProcess, data: bytes) -> None:
    """A new version, renamed into place."""
    put_guest(gateway, data, "versioned")


def ask(gateway: GatewayProcess, client: str = "192.0.2.1", method: str = "GET") -> tuple[int, bytes]:
    """What a client gets."""
    answer = fetch(gateway.public, method=method, headers={"x-forwarded-for": client})
    return answer.status, answer.body


def wait_for_answer(gateway: GatewayProcess, name: str, times: int = 1) -> None:
    """Wait until a version has answered so many requests in a row."""

    def is_it() -> bool:
        return all(ask(gateway)[1] == name.encode() for _ in range(times))

    wait_until(is_it, f"answers of {name}")


def wait_for_digest(gateway: GatewayProcess, data: bytes, canary: bytes | None = None) -> None:
    """Wait until every worker runs that version, and beside it that canary or none."""
    expected = {(digest(data), digest(canary) if canary is not None else None)}

    def is_it() -> bool:
        return {(worker["sha256"], worker["canary"]) for worker in told(gateway)["workers"]} == expected

    wait_until(is_it, f"{digest(data)[:12]} everywhere")


def admin(gateway: GatewayProcess, path: str, method: str = "GET", token: str | None = TOKEN) -> Answer:
    """What the admin side answers."""
    headers = {"authorization": f"Bearer {token}"} if token is not None else {}
    return fetch(gateway.admin, path, method=method, headers=headers)


def told(gateway: GatewayProcess) -> Mapping[str, Any]:
    """What the admin side tells of the guest."""
    (guest,) = admin(gateway, "/guests").json()["guests"]
    return dict(guest)


def command(gateway: GatewayProcess, *arguments: str) -> int:
    """Run the command against a gateway; returns the exit code."""
    host, port = gateway.admin
    return main([*arguments, "--config", str(gateway.folder / "sentinel.toml"), "--admin", f"{host}:{port}"])
