from __future__ import annotations

import pytest

from sentinel_host.errors import ConfigError
from sentinel_host.http.client import Target, client_context


@pytest.mark.parametrize(
    ("url", "target", "authority"),
    [
        ("http://example.org", Target("http", "example.org", 80), b"example.org"),
        ("https://example.org/", Target("https", "example.org", 443), b"example.org"),
        ("http://example.org:80", Target("http", "example.org", 80), b"example.org"),
        ("https://Example.org:80", Target("https", "example.org", 80), b"example.org:80"),
        ("http://127.0.0.1:9000", Target("http", "127.0.0.1", 9000), b"127.0.0.1:9000"),
        ("http://[::1]:9000", Target("http", "::1", 9000), b"[::1]:9000"),
        ("http://my_service:1", Target("http", "my_service", 1), b"my_service:1"),
    ],
)
def test_targets(url, target, authority):
    assert Target.parse(url) == target
    assert target.authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "//example.org",
        "ftp://example.org",
        "unix:/tmp/socket",
        "http://",
        "http://:80",
        "http://user@example.org",
        "http://user:secret@example.org",
        "http://@example.org",
        "http://example.org/path",
        "http://example.org?",
        "http://example.org#",
        "http://example.org:",
        "http://example.org:0",
        "http://example.org:65536",
        "http://example.org:http",
        "http://example.org:-1",
        "http://exa mple.org",
        "http://exa\tmple.org",
        "http://example.org\r\n",
        "http://ex%61mple.org",
        "http://exämple.org",
        "http://a..b",
        "http://-a",
        "http://[::1",
        "http://[fe80::1%25eth0]",
        "http://[::g]",
        "http://a,b",
    ],
)
def test_refused_targets(url):
    with pytest.raises(ConfigError, match=r"^upstream target "):
        Target.parse(url)


@pytest.mark.parametrize("url", ["http://u:hidden@a", "http://u:x/hidden@a", "http://u:hid\nhidden@a", "u:hidden@a:80"])
def test_no_message_shows_a_password(url):
    with pytest.raises(ConfigError, match=r"^upstream target ") as refused:
        Target.parse(url)
    assert "hidden" not in str(refused.value)


def test_a_ca_that_is_missing_or_empty_is_refused(tmp_path):
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing\n")
    with pytest.raises(ConfigError, match=r"empty\.pem: it holds no certificate$"):
        client_context(str(empty))
    with pytest.raises(ConfigError, match=r"missing\.pem: No such file or directory$"):
        client_context(str(tmp_path / "missing.pem"))


@pytest.mark.parametrize(
    ("url", "path"),
    [("http+unix:///run/app.sock", "/run/app.sock"), ("http+unix:///run/a%20b", "/run/a b")],
)
def test_a_unix_socket_is_a_target(url, path):
    target = Target.parse(url)
    assert (target.scheme, target.path, target.authority) == ("http", path, b"localhost")
    assert str(target) == f"http+unix://{path}"
    assert target.is_fixed


@pytest.mark.parametrize(
    "url",
    [
        "http+unix://",
        "http+unix://host/run/app.sock",
        "http+unix:run/app.sock",
        "http+unix:///run/app.sock?x",
        "http+unix:///run/app.sock#x",
        "http+unix:///run%00/app.sock",
        "http+unix:///" + "x" * 107,
    ],
)
def test_what_is_no_path_of_a_socket_is_refused(url):
    with pytest.raises(ConfigError, match=r"expected http\+unix:///|at most 107 bytes"):
        Target.parse(url)


@pytest.mark.parametrize(("url", "fixed"), [("http://192.0.2.1", True), ("http://[::1]:80", True), ("http://a", False)])
def test_addresses_are_fixed_and_names_are_not(url, fixed):
    assert Target.parse(url).is_fixed is fixed
