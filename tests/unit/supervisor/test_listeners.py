from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from sentinel_host.config import Config, ServerConfig, TlsConfig
from sentinel_host.config.model import BindConfig
from sentinel_host.errors import ConfigError
from sentinel_host.server import bind
from sentinel_host.supervisor.listeners import Listeners


def config(*addresses: str | BindConfig, admin: str | None = None, tls: TlsConfig | None = None) -> Config:
    return Config("gw.toml", server=ServerConfig(bind=list(addresses), admin=admin, tls=tls))


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    """Nothing was activated."""
    made = Listeners({"public": [], "admin": []})
    yield made
    made.keep([])


def test_an_address_that_stays_keeps_its_socket(listeners: Listeners) -> None:
    first = listeners.open_public(config("127.0.0.1:0", "127.0.0.2:0"))
    second = listeners.open_public(config("127.0.0.2:0", "127.0.0.1:0", "127.0.0.1:0"))
    assert [listening.socket for listening in second[:2]] == [first[1].socket, first[0].socket]
    assert second[2].socket not in {listening.socket for listening in first}
    listeners.keep(second[:1])
    assert first[1].socket.fileno() >= 0
    assert {first[0].socket.fileno(), second[2].socket.fileno()} == {-1}


def test_an_address_that_cannot_be_bound_leaves_the_others_to_be_kept(listeners: Listeners) -> None:
    first = listeners.open_public(config("127.0.0.1:0"))
    with pytest.raises(ConfigError, match=r"203\.0\.113\.1:0"):
        listeners.open_public(config("127.0.0.1:0", "127.0.0.3:0", "203.0.113.1:0"))
    listeners.keep(first)
    assert listeners.open_public(config("127.0.0.1:0"))[0].socket is first[0].socket


def test_an_address_has_its_own_tls_or_that_of_the_server(listeners: Listeners) -> None:
    server, own = TlsConfig("server.pem", "key.pem"), TlsConfig("own.pem", "key.pem")
    opened = listeners.open_public(config("127.0.0.1:0", BindConfig("127.0.0.1:0", own), tls=server))
    assert [listening.tls for listening in opened] == [server, own]


def test_activated_sockets_take_the_place_of_all_addresses() -> None:
    with ExitStack() as stack:
        public, admin = (stack.enter_context(bind("127.0.0.1:0")) for _ in range(2))
        listeners = Listeners({"public": [public], "admin": [admin]})
        assert [listening.socket for listening in listeners.open_public(config("203.0.113.1:80"))] == [public]
        opened = listeners.open_admin(config())
        assert opened is not None
        assert opened.socket is admin
        with pytest.raises(ConfigError, match="has 2"):
            listeners.open_public(config("127.0.0.1:0", "127.0.0.1:0"))
