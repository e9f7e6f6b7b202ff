"""Sentinel, Envoy, nginx and HAProxy before three endpoints, set up alike as far as each can be.

Each balances by least requests, asks an endpoint's ``/health`` every second, takes it out after two
failures and puts it back after two successes, waits one second for a try and tries up to three
endpoints. nginx has no active checks and takes an endpoint out for five seconds, as do the others'
passive checks.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.bench.contestants import ROOT
from tests.bench.processes import Server, free_port, server, tool

_SENTINEL = """\
[server]
bind = ["127.0.0.1:{port}"]

[guests]
directory = "{folder}/none"
watch = false

[[upstream]]
name = "origin"
targets = [{targets}]
connect_timeout = "1s"
response_timeout = "1s"
eject = {{ time = "5s" }}
check = {{ path = "/health", interval = "1s", timeout = "1s", down = 2, up = 2 }}

[[route]]
path = "/"
upstream = "origin"
timeout = "5s"
per_try_timeout = "1s"
"""
_NGINX = """\
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi;
  uwsgi_temp_path {folder}/nginx-uwsgi;
  scgi_temp_path {folder}/nginx-scgi;
  keepalive_requests 1000000;
  upstream origin {{
    zone origin 64k;
    least_conn;
{servers}
    keepalive 64;
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_connect_timeout 1s;
      proxy_read_timeout 1s;
      proxy_next_upstream error timeout http_502 http_503 http_504;
      proxy_next_upstream_tries 3;
    }}
  }}
}}
"""
_HAPROXY = """\
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 1s
  timeout check 1s
  retries 2
  option redispatch 1
  retry-on all-retryable-errors 502 503 504
  http-reuse always
frontend public
  bind 127.0.0.1:{port}
  default_backend origin
backend origin
  balance leastconn
  option httpchk GET /health
  default-server check inter 1s fall 2 rise 2 observe layer7 error-limit 5 on-error mark-down
{servers}
"""
_EXTENSIONS = "type.googleapis.com/envoy.extensions"


@contextlib.contextmanager
def sentinel(folder: Path, core: int, endpoints: Sequence[int]) -> Iterator[Server]:
    """One worker, in process."""
    port = free_port()
    targets = ", ".join(f'"http://127.0.0.1:{endpoint}"' for endpoint in endpoints)
    config = folder / "sentinel.toml"
    (folder / "none").mkdir(exist_ok=True)
    config.write_text(_SENTINEL.format(port=port, folder=folder, targets=targets))
    command = [sys.executable, "-m", "sentinel_host", "run", "--config", str(config)]
    environment = {"XDG_CACHE_HOME": str(folder)}
    with server("sentinel", command, port, folder, core, cwd=ROOT, environment=environment) as running:
        yield running


@contextlib.contextmanager
def nginx(folder: Path, core: int, endpoints: Sequence[int]) -> Iterator[Server]:
    """One worker process."""
    port = free_port()
    servers = "\n".join(f"    server 127.0.0.1:{endpoint} max_fails=2 fail_timeout=5s;" for endpoint in endpoints)
    config = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(_NGINX.format(port=port, folder=folder, servers=servers, user=user))
    with server("nginx", [tool("nginx"), "-c", str(config)], port, folder, core) as running:
        yield running


@contextlib.contextmanager
def haproxy(folder: Path, core: int, endpoints: Sequence[int]) -> Iterator[Server]:
    """One thread."""
    port = free_port()
    servers = "\n".join(f"  server e{number} 127.0.0.1:{each}" for number, each in enumerate(endpoints))
    config = folder / "haproxy.cfg"
    config.write_text(_HAPROXY.format(port=port, servers=servers))
    with server("haproxy", [tool("haproxy"), "-db", "-f", str(config)], port, folder, core) as running:
        yield running


@contextlib.contextmanager
def envoy(folder: Path, core: int, endpoints: Sequence[int]) -> Iterator[Server]:
    """One worker thread."""
    port = free_port()
    config = folder / "envoy.json"
    config.write_text(json.dumps(_bootstrap(port, endpoints)))
    options = ["-c", str(config), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
    program = Path(sys.executable).parent / "envoy"
    with server("envoy", [str(program), *options], port, folder, core) as running:
        yield running


def _bootstrap(port: int, endpoints: Sequence[int]) -> dict[str, Any]:
    def address(number: int) -> dict[str, Any]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    retry = {
        "retry_on": "gateway-error,reset,connect-failure,refused-stream",
        "num_retries": 2,
        "per_try_timeout": "1s",
        "retry_host_predicate": [
            {
                "name": "previous",
                "typed_config": {"@type": f"{_EXTENSIONS}.retry.host.previous_hosts.v3.PreviousHostsPredicate"},
            }
        ],
        "host_selection_retry_max_attempts": 5,
    }
    route = {"cluster": "origin", "timeout": "5s", "retry_policy": retry}
    manager = {
        "@type": f"{_EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "public",
        "route_config": {
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_EXTENSIONS}.filters.http.router.v3.Router"},
            }
        ],
    }
    cluster = {
        "name": "origin",
        "type": "STATIC",
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
        "load_assignment": {
            "cluster_name": "origin",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(each)}} for each in endpoints]}],
        },
        "circuit_breakers": {
            "thresholds": [{"retry_budget": {"budget_percent": {"value": 20}, "min_retry_concurrency": 3}}]
        },
        "outlier_detection": {
            "consecutive_5xx": 5,
            "consecutive_gateway_failure": 2,
            "enforcing_consecutive_gateway_failure": 100,
            "interval": "1s",
            "base_ejection_time": "5s",
            "max_ejection_percent": 50,
        },
        "health_checks": [
            {
                "timeout": "1s",
                "interval": "1s",
                "unhealthy_threshold": 2,
                "healthy_threshold": 2,
                "http_health_check": {"path": "/health"},
            }
        ],
    }
    network = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    listener = {"name": "public", "address": address(port), "filter_chains": [{"filters": [network]}]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


CONTESTANTS = {"sentinel": sentinel, "envoy": envoy, "nginx": nginx, "haproxy": haproxy}
