"""Rules for ``[server]``."""

from __future__ import annotations

from typing import Final

from sentinel_host.config.files import tls_entries
from sentinel_host.config.model import BindConfig, Config, TlsConfig
from sentinel_host.config.store import store_fault
from sentinel_host.config.verify.faults import fail, split_address, verify_network
from sentinel_host.grammar import is_field_name_text

# With zero of one of these no request would be served.
_POSITIVE: Final = (
    "head_bytes",
    "header_count",
    "body_progress",
    "requests_per_connection",
    "pipelined_requests",
    "connections",
    "connections_per_client",
    "streams_per_connection",
    "idle_frames",
    "idle_frames_per_second",
)
# More than the processors of any machine.
_MOST_WORKERS: Final = 1024


def verify_server(config: Config) -> None:
    """Raises `ConfigError` for the first key that is wrong."""
    server = config.server
    _verify_addresses(config)
    for index, entry in enumerate(server.bind):
        if isinstance(entry, BindConfig):
            for number, network in enumerate(entry.proxy_protocol):
                verify_network(config, f"server.bind[{index}].proxy_protocol[{number}]", network)
    for at, tls in tls_entries(config):
        _verify_tls(config, at, tls)
    if server.quic_bind is not None:
        _verify_quic(config, server.quic_bind)
    if server.admin_token is not None and server.admin_token_file is not None:
        raise fail(config, "server.admin_token_file", "there is an admin_token already")
    if not 1 <= server.workers <= _MOST_WORKERS:
        raise fail(config, "server.workers", f"expected 1 to {_MOST_WORKERS}, got {server.workers}")
    for index, proxy in enumerate(server.trusted_proxies):
        verify_network(config, f"server.trusted_proxies[{index}]", proxy)
    for index, name in enumerate(server.identity_headers):
        if not is_field_name_text(name):
            raise fail(config, f"server.identity_headers[{index}]", f"{name!r} is not a lower-case header name")
    _verify_limits(config)


def _verify_addresses(config: Config) -> None:
    server = config.server
    addresses = [
        (f"server.bind[{index}]", entry.address if isinstance(entry, BindConfig) else entry)
        for index, entry in enumerate(server.bind)
    ]
    if not addresses:
        raise fail(config, "server.bind", "at least one address is needed")
    if server.admin is not None:
        addresses.append(("server.admin", server.admin))
    seen: dict[tuple[str, int], str] = {}
    for at, address in addresses:
        try:
            parsed = split_address(address)
        except ValueError as error:
            raise fail(config, at, str(error)) from None
        if parsed in seen and parsed[1]:
            raise fail(config, at, f"{address} is taken by {seen[parsed]}")
        seen[parsed] = at


def _verify_tls(config: Config, at: str, tls: TlsConfig) -> None:
    if not tls.alpn:
        raise fail(config, f"{at}.alpn", "at least one protocol is needed")
    if tls.client_ca is None and tls.client_certificate != "require":
        raise fail(config, f"{at}.client_certificate", "without client_ca no client is asked for a certificate")


def _verify_quic(config: Config, address: str) -> None:
    try:
        split_address(address)
    except ValueError as error:
        raise fail(config, "server.quic_bind", str(error)) from None
    if config.server.tls is None:
        raise fail(config, "server.quic_bind", "HTTP/3 is always encrypted: server.tls is needed")
    if config.server.tls.client_ca is not None:
        raise fail(config, "server.quic_bind", "HTTP/3 asks no client for a certificate, as server.tls.client_ca does")


def _verify_limits(config: Config) -> None:
    server = config.server
    for name in _POSITIVE:
        amount = getattr(server.limits, name)
        if amount is not None and amount < 1:
            raise fail(config, f"server.limits.{name}", f"expected at least 1, got {amount}")
    if server.limit_store is not None and (reason := store_fault(server.limit_store)):
        raise fail(config, "server.limit_store", reason)
    if not 1 <= server.limit_slots <= 1 << 28:
        raise fail(config, "server.limit_slots", f"expected 1 to {1 << 28}")
    if not 1 << 12 <= server.kv_memory <= 1 << 36:
        raise fail(config, "server.kv_memory", 'expected "4KiB" to "64GiB"')
    if not 1 <= server.ipv6_prefix <= 128:
        raise fail(config, "server.ipv6_prefix", "expected 1 to 128")
