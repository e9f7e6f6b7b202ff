"""A name service that fails for a while, in front of several workers."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hotload.failing import TOKEN
from tests.supervisor.support import config, exists, kill, launched, starts, wait_until, workers
from tests.support.clients import fetch
from tests.support.clocks import PATIENCE
from tests.support.gateways import GatewayProcess, write_config
from tests.support.nameservers import SERVFAIL, NameServer, name_server
from tests.support.upstreams import Upstream, running_upstream

WORKERS = 4
# Has this machine's resolv.conf for the command alone.
WITH_RESOLV_CONF = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"')
MAY_MOUNT = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with running_upstream() as running:
        yield running


@pytest.fixture
def server() -> Iterator[NameServer]:
    with name_server() as running:
        yield running


def statuses(gateway: GatewayProcess) -> Counter[int]:
    return Counter(fetch(gateway.public).status for _ in range(40))


@pytest.mark.skipif(not MAY_MOUNT, reason="only root may give a process another resolv.conf")
def test_what_cannot_be_resolved_for_a_while_is_not_missed(
    upstream: Upstream, server: NameServer, tmp_path: Path
) -> None:
    """Not by a worker that is started meanwhile, nor by a configuration that is loaded
    meanwhile.
    """
    server.known["web.test"] = ["127.0.0.1"]
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text(f"nameserver {server.address}\n")
    port = upstream.url.rpartition(":")[2]
    more = f'admin_token = "{TOKEN}"'
    text = config(f"http://web.test:{port}", workers=WORKERS, more=more).replace("watch = false", "watch = true")
    file = write_config(tmp_path, text)
    with launched(file, before=(*WITH_RESOLV_CONF, str(resolv_conf))) as gateway:
        gateway.wait(lambda: len(gateway.addresses) == 2 and starts(gateway) == WORKERS, "every worker", PATIENCE)
        assert statuses(gateway) == {200: 40}
        server.known["web.test"] = SERVFAIL
        gateway.wait_for_log("web.test cannot be looked up, its last addresses are used")
        pid = next(pid for pid in workers(gateway).values() if exists(pid))
        kill(pid)
        wait_until(lambda: starts(gateway) == WORKERS + 1, "a new worker")
        assert statuses(gateway) == {200: 40}
        write_config(tmp_path, text.replace('path = "/"', 'path = "/"\ntimeout = "50s"'))
        gateway.wait_for_log("was reloaded, and serves")
        assert statuses(gateway) == {200: 40}
