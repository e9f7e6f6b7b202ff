"""Sentinel's peers: Envoy with proxy-wasm filters, Caddy, and Quart with a middleware chain in
plain Python.

Each is set up as its users would for one worker, at its cheapest where there is a choice: Envoy
writes its log through a buffer, without the fields that nobody asked for; Caddy keeps as many idle
connections as it has clients.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.processes import Server, free_port, server, tool

_CADDYFILE = """\
{{
  admin off
  auto_https off
  persist_config off
}}
{site} {{
  bind 127.0.0.1
  {tls}
  reverse_proxy 127.0.0.1:{upstream} {{
    transport http {{
      keepalive_idle_conns_per_host 512
    }}
  }}
}}
"""

_EXTENSIONS = "type.googleapis.com/envoy.extensions"
# The time and the message, as our own lines have: Envoy's default adds thread, logger and source
# line.
_ENVOY_LOG = "%Y-%m-%dT%T.%e %v"


def filter_chain(count: int) -> list[tuple[str, str]]:
    """Filters and their configurations that do what the same number of our guests do."""
    chain = [("access-log", ""), ("api-key-auth", "demo-key demo"), ("header-injection", "x-gateway sentinel")]
    chain += [("header-injection", f"x-extra-{number} sentinel") for number in range(1, 6)]
    return chain[:count]


@contextlib.contextmanager
def envoy(
    name: str,
    folder: Path,
    core: int,
    behind: int,
    filters: Sequence[tuple[str, str]] = (),
    artefacts: Mapping[str, Path] | None = None,
    *,
    share: bool = False,
    limit: int | None = None,
    http2: bool = False,
    http3: tuple[Path, Path] | None = None,
) -> Iterator[Server]:
    """Envoy with one worker; filters write their lines to ``NAME.out``.

    ``limit`` is a number of requests an hour, for all clients together: cheaper than one for each,
    as ours is. With ``http2`` it speaks that with its upstream. With ``http3``, a certificate and
    its key, it speaks that with clients too, at the same port. With ``share`` filters of equal code
    live in one VM, which needs filters that tell their configurations apart.
    """
    port = free_port()
    chain = [
        _wasm(place, filter_name, configuration, (artefacts or {})[filter_name], share)
        for place, (filter_name, configuration) in enumerate(filters)
    ]
    if limit is not None:
        chain.insert(0, _local_limit(limit))
    config = folder / f"{name}.json"
    config.write_text(json.dumps(_bootstrap(port, behind, chain, http2=http2, http3=http3)))
    log = ["--log-path", str(folder / f"{name}.out"), "--log-format", _ENVOY_LOG, "--log-level", "info"]
    options = ["-c", str(config), "--concurrency", "1", "--disable-hot-restart", "--file-flush-interval-msec", "1000"]
    with server(name, [in_environment("envoy"), *options, *log], port, folder, core) as running:
        yield running


def _wasm(place: int, name: str, configuration: str, artefact: Path, share: bool) -> dict[str, Any]:
    vm = {
        "vm_id": "shared" if share else f"vm-{place}",
        "runtime": "envoy.wasm.runtime.v8",
        "code": {"local": {"filename": str(artefact)}},
    }
    plugin = {
        "name": f"{name}-{place}",
        "root_id": f"{name}-{place}",
        "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration},
        "vm_config": vm,
    }
    typed = {"@type": f"{_EXTENSIONS}.filters.http.wasm.v3.Wasm", "config": plugin}
    return {"name": f"{name}-{place}", "typed_config": typed}


def _local_limit(requests: int) -> dict[str, Any]:
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    typed = {
        "@type": f"{_EXTENSIONS}.filters.http.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "limit",
        "token_bucket": {"max_tokens": requests, "tokens_per_fill": requests, "fill_interval": "3600s"},
        "filter_enabled": always,
        "filter_enforced": always,
    }
    return {"name": "envoy.filters.http.local_ratelimit", "typed_config": typed}


def _bootstrap(
    port: int,
    behind: int,
    filters: list[dict[str, Any]],
    *,
    http2: bool = False,
    http3: tuple[Path, Path] | None = None,
) -> dict[str, Any]:
    def address(number: int) -> dict[str, Any]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    routes = [{"name": "main", "match": {"prefix": "/"}, "route": {"cluster": "origin"}}]
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{_EXTENSIONS}.filters.http.router.v3.Router"},
    }
    manager = {
        "@type": f"{_EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "public",
        "use_remote_address": True,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [*filters, router],
    }
    network = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    endpoint = {"endpoint": {"address": address(behind)}}
    cluster: dict[str, Any] = {
        "name": "origin",
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": "origin", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if http2:
        options = "extensions.upstreams.http.v3.HttpProtocolOptions"
        cluster["typed_extension_protocol_options"] = {
            f"envoy.{options}": {
                "@type": f"type.googleapis.com/envoy.{options}",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        }
    listeners = [{"name": "public", "address": address(port), "filter_chains": [{"filters": [network]}]}]
    if http3 is not None:
        listeners.append(_datagrams(port, manager, *http3))
    return {"static_resources": {"listeners": listeners, "clusters": [cluster]}}


def _datagrams(port: int, manager: dict[str, Any], certificate: Path, key: Path) -> dict[str, Any]:
    """A listener for HTTP/3 with the manager of another."""
    pair = {"certificate_chain": {"filename": str(certificate)}, "private_key": {"filename": str(key)}}
    transport = {
        "@type": f"{_EXTENSIONS}.transport_sockets.quic.v3.QuicDownstreamTransport",
        "downstream_tls_context": {"common_tls_context": {"tls_certificates": [pair]}},
    }
    typed = {**manager, "stat_prefix": "datagrams", "codec_type": "HTTP3", "http3_protocol_options": {}}
    return {
        "name": "datagrams",
        "address": {"socket_address": {"protocol": "UDP", "address": "127.0.0.1", "port_value": port}},
        "udp_listener_config": {"quic_options": {}},
        "filter_chains": [
            {
                "transport_socket": {"name": "envoy.transport_sockets.quic", "typed_config": transport},
                "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": typed}],
            }
        ],
    }


@contextlib.contextmanager
def caddy(folder: Path, core: int, behind: int, http3: tuple[Path, Path] | None = None) -> Iterator[Server]:
    """Caddy as a plain proxy on one thread of Go. With ``http3``, a certificate and its key, it
    speaks that and TLS.
    """
    port = free_port()
    config = folder / "Caddyfile"
    site = f"http://127.0.0.1:{port}" if http3 is None else f"https://:{port}"
    tls = "" if http3 is None else f"tls {http3[0]} {http3[1]}"
    config.write_text(_CADDYFILE.format(site=site, tls=tls, upstream=behind))
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder), "GOMAXPROCS": "1"}
    command = [in_environment("caddy"), "run", "--adapter", "caddyfile", "--config", str(config)]
    with server("caddy", command, port, folder, core, environment=home) as running:
        yield running


@contextlib.contextmanager
def python_chain(folder: Path, core: int, behind: int) -> Iterator[Server]:
    """Stock Hypercorn on uvloop with Quart and the three middlewares in Python; lines go to
    ``quart.out``.
    """
    port = free_port()
    options = ["--bind", f"127.0.0.1:{port}", "--worker-class", "uvloop", "--workers", "1"]
    command = [sys.executable, "-m", "hypercorn", *options, "tests.bench.quart_chain:app"]
    environment = {"UPSTREAM": f"http://127.0.0.1:{behind}"}
    root = Path(__file__).resolve().parents[2]
    with server("quart", command, port, folder, core, cwd=root, environment=environment) as running:
        yield running


def in_environment(name: str) -> str:
    """A command that a package of this environment brings, though the environment is not
    activated.
    """
    path = Path(sys.executable).parent / name
    return str(path) if os.access(path, os.X_OK) else tool(name)
