from __future__ import annotations

import ipaddress

import pytest

from sentinel_host.limiter import AddressKeys, address_key, key_function
from sentinel_host.messages import Headers, RequestHead


def head(
    client: str = "192.0.2.1", headers: Headers | None = None, route: str = "/", authority: str = "example.org"
) -> RequestHead:
    return RequestHead("GET", "/", None, headers or [], "http", authority, client, "id", route, "1.1")


@pytest.mark.parametrize(
    ("one", "other", "prefix", "same"),
    [
        ("192.0.2.1", "192.0.2.1", 64, True),
        ("192.0.2.1", "192.0.2.2", 64, False),
        ("::ffff:192.0.2.1", "192.0.2.1", 64, True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", 64, False),
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", 64, True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", 64, False),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", 56, True),
        ("2001:db8:0:100::1", "2001:db8:0:200::1", 56, False),
        ("2001:db8::1", "2001:db8::2", 128, False),
        ("2001:db8::4", "2001:db8::7", 126, True),
        ("fe80::1%eth0", "fe80::1%eth1", 64, True),
        ("", "192.0.2.1", 64, False),
        ("unix:", "", 64, False),
    ],
)
def test_addresses_of_one_client_have_one_key(one: str, other: str, prefix: int, same: bool) -> None:
    assert (address_key(one, prefix) == address_key(other, prefix)) is same


@pytest.mark.parametrize("prefix", range(1, 129))
def test_a_key_holds_the_network_and_nothing_else(prefix: int) -> None:
    address = ipaddress.IPv6Address("2001:db8:a5a5:5a5a:ffff:1234:5678:9abc")
    network = ipaddress.IPv6Network((address, prefix), strict=False)
    assert address_key(str(address), prefix) == address_key(str(network.broadcast_address), prefix)
    assert address_key(str(address), prefix) == address_key(str(network.network_address), prefix)
    neighbour = ipaddress.IPv6Address(int(address) ^ (1 << 128 - prefix))
    assert address_key(str(address), prefix) != address_key(str(neighbour), prefix)


def test_no_other_text_reads_like_an_address() -> None:
    """Four bytes of a Unix peer's name were once the key of an IPv4 address."""
    assert address_key("abc") != address_key("63.97.98.99")
    assert address_key("192.0.2.1\0") != address_key("192.0.2.1")


def test_each_part_reads_its_own() -> None:
    first = head("192.0.2.1", [(b"x-api-key", b"one")], "/a", "EXAMPLE.org")
    second = head("192.0.2.2", [(b"x-api-key", b"two")], "/b", "example.com")
    for part in ("client-ip", "header:X-API-Key", "route", "host"):
        key = key_function([part])
        assert key(first) == key(first)
        assert key(first) != key(second)
    host = key_function(["host"])
    for authority in ("example.org", "example.org:81", "example.org.", "EXAMPLE.org.:80"):
        # All of these match a route for the host: a client that spells it in another way has no
        # other count.
        assert host(first) == host(head(authority=authority))
    assert host(head(authority="[::1]:80")) == host(head(authority="[::1]")) == b"[::1]"


def test_a_missing_header_and_an_empty_one_are_one_client() -> None:
    key = key_function(["header:x-api-key"])
    assert key(head()) == key(head(headers=[(b"x-api-key", b"")])) == b""


def test_the_value_that_a_guest_appended_counts() -> None:
    key = key_function(["header:x-principal"])
    assert key(head(headers=[(b"x-principal", b"forged"), (b"other", b""), (b"x-principal", b"real")])) == b"real"


def test_parts_do_not_run_into_each_other() -> None:
    key = key_function(["header:a", "header:b"])
    assert key(head(headers=[(b"a", b"1"), (b"b", b"23")])) != key(head(headers=[(b"a", b"12"), (b"b", b"3")]))
    assert key(head(headers=[(b"a", b"1:1")])) != key(head(headers=[(b"a", b"1"), (b"b", b"1")]))


@pytest.mark.parametrize(
    ("parts", "prefix", "message"),
    [
        ([], 64, "needs a key"),
        (["ip"], 64, "unknown key 'ip'"),
        (["header:"], 64, "unknown key"),
        (["header:a b"], 64, "unknown key"),
        (["client-ip"], 0, "prefix must be"),
        (["client-ip"], 129, "prefix must be"),
    ],
)
def test_unknown_keys_are_refused_by_name(parts: list[str], prefix: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        key_function(parts, prefix)


def test_addresses_that_take_turns_keep_their_keys() -> None:
    addresses = AddressKeys(56)
    turns = ["", "192.0.2.1", "192.0.2.1", "", "2001:db8::1", "192.0.2.1", "2001:db8:0:1::", "unix:", "2001:db8::1"]
    assert [addresses.of(address) for address in turns] == [address_key(address, 56) for address in turns]
