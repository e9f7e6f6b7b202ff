"""A gateway to which everything happens that `docs/how-to/find-faults.md` tells of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.hotload.failing import ALWAYS, version
from tests.hotload.versions import put
from tests.support.clients import fetch
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import running_upstream
from tests.wat import index

TOKEN: Final = "the-token-of-this-test"
_CONFIG: Final = """
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
admin_token = "the-token-of-this-test"
trusted_proxies = ["127.0.0.1"]

[guests]
cache = "cache"

[guest.slow]
deadline = "20ms"

[[upstream]]
name = "orders"
targets = ["DEAD", "ALIVE"]

[[route]]
path = "/orders"
upstream = "orders"

[[route]]
path = "/trap"
upstream = "orders"
chain = ["trap"]

[[route]]
path = "/slow"
upstream = "orders"
chain = ["slow"]

[[route]]
path = "/releases"
upstream = "orders"
chain = ["released"]
"""


@contextmanager
def troubled(folder: Path) -> Iterator[GatewayProcess]:
    """The gateway, once all of it has happened."""
    with running_upstream() as alive:
        with running_upstream() as dead:
            text = _CONFIG.replace("DEAD", dead.url).replace("ALIVE", alive.url)
        guests: dict[str, Path | bytes] = {
            "trap": index.wasm("hostile/unreachable"),
            "slow": index.wasm("hostile/loop_far"),
            "released": version("one"),
        }
        file = write_config(folder, text, guests)
        with sentinel_run(file) as gateway:
            _trouble(gateway, file, text)
            yield gateway


def _trouble(gateway: GatewayProcess, file: Path, text: str) -> None:
    # A guest is put into quarantine when half of its last 200 calls failed, of three clients at
    # least.
    for number in range(110):
        fetch(gateway.public, "/trap", headers={"x-forwarded-for": f"192.0.2.{number}"})
    for path in ("/slow", "/nowhere", "/orders", "/orders", "/orders", "/orders"):
        fetch(gateway.public, path)
    put(gateway, version("two", ALWAYS), "released")
    number = 0
    while not any("was rolled back, and" in line for line in list(gateway.log)):
        number = (number + 1) % 200
        fetch(gateway.public, "/releases", headers={"x-forwarded-for": f"192.0.2.{number}"})
    file.write_text(text.replace("upstream =", "upsteam ="))
    gateway.wait_for_log("upsteam")
