"""URLs of the store that limits are shared through."""

from __future__ import annotations

import pytest

from sentinel_host.config.load import parse_config
from sentinel_host.config.store import store_fault
from sentinel_host.errors import ConfigError


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://127.0.0.1/0",
        "redis://127.0.0.1:6379/",
        "redis://[::1]:6379/15",
        "rediss://user:pa%2Fss%23%3F%40@store.example:6380/1",
        "redis://:p@ss@store_1.example.",
        "redis://:pass:word@store",
        "redis:///0",
        "redis://store/?db=3",
        "rediss://store?ssl_cert_reqs=none&ssl_ca_certs=ca.pem",
        "unix:///run/redis.sock",
        "unix://user:secret@/run/redis.sock?db=1",
    ],
)
def test_urls_of_a_store(url: str) -> None:
    assert store_fault(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:6379",
        "http://secret@store",
        "redis:store",
        "redis://:se#cret@store/0",
        "redis://se#cret:word@store/0",
        "redis://:se/cret@store:6379/0",
        "redis://se/cret:word@store:6379/0",
        "redis://:se?cret@store/0",
        "redis://se?cret:word@store/0",
        "redis://:se cret@store",
        "redis://:se\ncret@store",
        "redis://:secret@store:port",
        "redis://:secret@store:65536",
        "redis://:secret@store:0",
        "redis://:secret@store:-1",
        "redis://:secret@store:",
        "redis://:secret@[::1",
        "redis://:secret@[::x]",
        "redis://:secret@st!ore",
        "redis://:secret@store/secret",
        "redis://:secret@store/0/1",
        "redis://:secret@store?db=secret",
        "redis://:secret@store?secret=1",
        "redis://:secret@store?secret",
        "rediss://:secret@store?ssl_cert_reqs=secret",
        "unix://secret",
        "unix://secret.sock/0",
        "unix://",
    ],
)
def test_a_url_that_is_none_is_refused_without_its_password(url: str) -> None:
    """Most of them passed, and strict limits were local ones from then on: nobody was told why."""
    with pytest.raises(ConfigError) as raised:
        parse_config(f"[server]\nlimit_store = {url!r}".replace("'", '"'), "gw.toml")
    text = str(raised.value)
    assert text.startswith("gw.toml: server.limit_store: ")
    assert "secret" not in text
    assert "cret" not in text
    assert "port '" not in text
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
