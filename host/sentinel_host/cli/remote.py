"""Commands for a running gateway: its guests and upstreams, rollbacks, promotions and drains."""

from __future__ import annotations

import argparse
import http.client
import json
import os
from typing import Any, Final
from urllib.parse import quote

import msgspec

from sentinel_host.authoring.paint import Paint
from sentinel_host.cli.tables import Cell, endpoint_table, figure, state_cell, table
from sentinel_host.config import Config, load_config, read_files
from sentinel_host.config.verify import split_address
from sentinel_host.control.guests import GuestView
from sentinel_host.control.token import admin_token
from sentinel_host.control.upstreams import UpstreamView
from sentinel_host.errors import ConfigError, SentinelError
from sentinel_host.hotload.cache import cache_directory

# A rollback waits until every worker has started its instances.
_TIMEOUT: Final = 30
_HASH: Final = 12


def guests(options: argparse.Namespace) -> int:
    """Print a table of the guests, or with ``--json`` what the admin side answers."""
    answer = ask(options, "GET", "/guests")
    if options.json:
        print(json.dumps(answer, indent=2))
    else:
        print("\n".join(_guest_table(msgspec.convert(answer["guests"], list[GuestView]), Paint.of())))
    return 0


def act(options: argparse.Namespace) -> int:
    """Roll a guest back, or promote it; ``options.action`` says which."""
    print(ask(options, "POST", f"/guests/{options.name}/{options.action}")["done"])
    return 0


def upstreams(options: argparse.Namespace) -> int:
    """Print a table of the upstreams' endpoints, or with ``--json`` what the admin side answers."""
    answer = ask(options, "GET", "/upstreams")
    if options.json:
        print(json.dumps(answer, indent=2))
    else:
        print("\n".join(endpoint_table(msgspec.convert(answer["upstreams"], list[UpstreamView]), Paint.of())))
    return 0


def drain(options: argparse.Namespace) -> int:
    """Drain an endpoint, or end its drain; ``options.action`` says which."""
    upstream, endpoint = (quote(name, safe="") for name in (options.upstream, options.endpoint))
    print(ask(options, "POST", f"/upstreams/{upstream}/{endpoint}/{options.action}")["done"])
    return 0


def ask(options: argparse.Namespace, method: str, path: str, body: bytes | None = None) -> Any:
    """What the admin side answers. Raises `SentinelError` if there is no gateway, or it refuses."""
    config = load_config(options.config)
    host, port = _address(config, options.admin)
    config = read_files(config, "server.admin_token_file")
    token = admin_token(config, os.environ, cache_directory(config), make=False)
    if token is None:
        raise ConfigError(f"{config.file}: there is no admin token: has this user started the gateway on this machine?")
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    try:
        connection.request(method, path, body, headers={"authorization": f"Bearer {token}"})
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise SentinelError(f"no answer from the admin side at {host}:{port}: {error}") from None
    finally:
        connection.close()
    if response.headers.get_content_type() != "application/json":
        raise SentinelError(f"{host}:{port} answered {response.status}: {body[:200].decode(errors='replace').strip()}")
    answer = json.loads(body)
    if response.status != 200:
        raise SentinelError(answer["error"])
    return answer


def _address(config: Config, override: str | None) -> tuple[str, int]:
    address = override or config.server.admin
    if address is None:
        raise ConfigError(f"{config.file}: server.admin: there is none, so the gateway cannot be asked")
    try:
        host, port = split_address(address)
    except ValueError as error:
        raise ConfigError(f"--admin: {error}") from None
    # A gateway that listens on every address also listens on the loopback address.
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port


def _guest_table(found: list[GuestView], paint: Paint) -> list[str]:
    header = ("NAME", "STATE", "VERSION", "HASH", "LANGUAGE", "HOOKS", "GRANTS", "SINCE", "CALLS", "FAILURES")
    lines = []
    for line, guest in zip(table(header, list(map(_row, found)), paint), [None, *found], strict=True):
        lines.append(line)
        lines += [f"    {remark}" for remark in _remarks(guest)] if guest is not None else []
    return lines


def _row(guest: GuestView) -> tuple[Cell | str, ...]:
    return (
        guest.name,
        state_cell(guest.state),
        "-" if guest.version is None else str(guest.version),
        guest.sha256[:_HASH] or "-",
        guest.language or "-",
        ",".join(guest.hooks) or "-",
        ",".join(guest.grants) or "-",
        guest.since or "-",
        figure(guest.calls),
        figure(guest.failures),
    )


def _remarks(guest: GuestView) -> list[str]:
    remarks = []
    if guest.canary is not None:
        remarks.append(f"canary {guest.canary.sha256[:_HASH]} gets {guest.canary.weight} % since {guest.canary.since}")
    if guest.previous is not None:
        remarks.append(f"before: {guest.previous[:_HASH]}")
    if guest.rolled_back is not None:
        remarks.append(f"rolled back: {guest.rolled_back[:_HASH]}, until its file changes")
    if guest.last_error:
        remarks.append(f"last error: {guest.last_error}")
    if len({(worker.sha256, worker.canary) for worker in guest.workers}) > 1:
        remarks += [f"worker {worker.worker}: {worker.state} {worker.sha256[:_HASH]}" for worker in guest.workers]
    return remarks
