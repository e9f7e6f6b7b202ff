"""Which addresses guests' calls may reach."""

from __future__ import annotations

import socket

import pytest

from sentinel_host.gateway.addresses import AllowedAddresses

PLAIN = AllowedAddresses([], None)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "0.0.0.0",
        "::",
        "::ffff:0.0.0.0",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "224.0.0.1",
        "ff02::1",
    ],
)
def test_what_is_this_machines_or_its_links_is_denied(address: str) -> None:
    assert not PLAIN(address, 80)


@pytest.mark.parametrize(
    "address", ["192.0.2.1", "10.0.0.1", "192.168.1.1", "2001:db8::1", "fd12::1", "64:ff9b::c000:201"]
)
def test_others_are_allowed(address: str) -> None:
    assert PLAIN(address, 80)


def test_networks_lift_the_rule_for_themselves_only() -> None:
    allowed = AllowedAddresses(["127.0.0.0/8", "fe80::/64"], None)
    assert allowed("127.0.0.1", 80)
    assert allowed("::ffff:127.0.0.1", 80)
    assert allowed("fe80::1", 80)
    assert not allowed("::1", 80)
    assert not allowed("169.254.1.1", 80)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_the_admin_listener_is_denied_whatever_is_allowed(host: str) -> None:
    allowed = AllowedAddresses(["127.0.0.0/8"], (host, 8081))
    assert not allowed("127.0.0.1", 8081)
    assert not allowed("127.9.9.9", 8081)
    assert allowed("127.0.0.1", 8082)
    assert allowed("192.0.2.1", 8081)


def test_the_admin_listener_at_another_address_of_this_machine() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        own = probe.getsockname()[0]
    assert not AllowedAddresses(["0.0.0.0/0"], ("0.0.0.0", 8081))(own, 8081)
