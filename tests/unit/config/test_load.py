from __future__ import annotations

from pathlib import Path

import pytest

from sentinel_host.config import ChainEntry, load_config, parse_config, quick_config
from sentinel_host.errors import ConfigError
from sentinel_host.supervisor.source import parse_source, read_source

SECTIONS = "server, guests, guest, upstream, route, tracing, otlp, log, access_log"
BASE = """
[[upstream]]
name = "origin"
targets = ["http://127.0.0.1:9000"]

[[route]]
path = "/"
upstream = "origin"
"""


def test_defaults() -> None:
    config = parse_config(BASE, "gw.toml")
    assert config.server.bind == ["127.0.0.1:8080"]
    assert config.server.identity_headers == ["x-principal"]
    assert config.guests.directory == "guests"
    assert config.upstream[0].connect_timeout == 5


def test_the_keys_that_scripts_rely_on() -> None:
    text = """
[server]
bind = ["127.0.0.1:0", { address = "[::1]:8443", tls = { cert = "c.pem", key = "k.pem" } }]
admin = "127.0.0.1:8081"
workers = 1
trusted_proxies = ["10.0.0.0/8", "::1"]
identity_headers = ["x-principal", "x-tenant"]

[guests]
directory = "elsewhere"

[guest.api-key-auth]
config = { keys = { "demo-key" = "demo" } }
on_failure = "open"
memory = "32MiB"
upstreams = ["origin"]

[[upstream]]
name = "origin"
targets = ["http://127.0.0.1:9000", "https://[::1]:9443", "https://example.org/"]
response_timeout = "1.5s"

[[route]]
path = "/"
upstream = "origin"
chain = ["access-log", { guest = "header-injection", config = { request = { set = { "x-gateway" = "sentinel" } } } }]
"""
    config = parse_config(text, "gw.toml")
    assert config.guest["api-key-auth"].memory == 32 << 20
    assert config.upstream[0].response_timeout == 1.5
    assert config.route[0].entries()[0] == ChainEntry("access-log")
    assert config.route[0].entries()[1].config["request"]["set"] == {"x-gateway": "sentinel"}


@pytest.mark.parametrize(
    ("extra", "complaint"),
    [
        ("x =", "gw.toml: Invalid value (at "),
        (
            "[sever]",
            f"gw.toml: sever: unknown section, expected one of {SECTIONS}; did you mean `server`?",
        ),
        (
            "[zebra]",
            f"gw.toml: zebra: unknown section, expected one of {SECTIONS}",
        ),
        ("[server]\nbnd = 1", "gw.toml: server: unknown key `bnd`; did you mean `bind`?"),
        ("[server]\nWorkers = 1", "gw.toml: server: unknown key `Workers`; did you mean `workers`?"),
        ("[server]\nzebra = 1", "gw.toml: server: unknown key `zebra`"),
        ("[server.paths]\nempty_segment = 1", "gw.toml: server.paths: unknown key `empty_segment`; did you mean"),
        (
            '[[server.bind]]\naddress = "h:1"\ntsl = {}',
            "gw.toml: server.bind[0]: unknown key `tsl`; did you mean `tls`?",
        ),
        (
            '[server.tls]\ncert = "c"\nkey = "k"\ncertificates = [{ crt = "d" }]',
            "gw.toml: server.tls.certificates[0]: unknown key `crt`; did you mean `cert`?",
        ),
        ("[guest.a.http]\nallwo = []", "gw.toml: guest.a.http: unknown key `allwo`; did you mean `allow`?"),
        ("[guest.a.revert]\nshar = 1", "gw.toml: guest.a.revert: unknown key `shar`; did you mean `share`?"),
        ("[server]\nbind = 3", "gw.toml: server.bind: expected `array`"),
        ("[server]\nbind = [3]", "gw.toml: server.bind[0]: expected"),
        ('[server]\nbind = ["localhost"]', "gw.toml: server.bind[0]: expected an address"),
        ('[server]\nbind = ["h:99999"]', "gw.toml: server.bind[0]: expected an address"),
        ("[server]\nbind = []", "gw.toml: server.bind: at least one"),
        ('[server]\nadmin = "127.0.0.1:8080"', "gw.toml: server.admin: 127.0.0.1:8080 is taken by server.bind[0]"),
        ('[server]\ntrusted_proxies = ["proxy"]', "gw.toml: server.trusted_proxies[0]: 'proxy' is no address"),
        ('[server]\nidentity_headers = ["X-User"]', "gw.toml: server.identity_headers[0]: 'X-User' is not"),
        ('[server.limits]\nhead_bytes = "5x"', "gw.toml: server.limits.head_bytes: expected a size"),
        ("[server.limits]\nhead_time = 5", "gw.toml: server.limits.head_time: expected a duration"),
        ('[server]\nquic_bind = "x"', "gw.toml: server.quic_bind: expected an address"),
        ('[server]\nquic_bind = "127.0.0.1:1"', "gw.toml: server.quic_bind: HTTP/3 is always encrypted"),
        ("[server.limits]\nidle_frames = 0", "gw.toml: server.limits.idle_frames: expected at least 1, got 0"),
        ('[server.limits]\nbody_progress = "0B"', "gw.toml: server.limits.body_progress: expected at least 1, got 0"),
        ("[guest.a]\nbodies = 0", "gw.toml: guest.a.bodies: expected 1 to 10000"),
        ("[guest.a]\nmemory = 5", "gw.toml: guest.a.memory: expected a size"),
        ('[guest.a]\nstart_deadline = "2m"', 'gw.toml: guest.a.start_deadline: expected "1ms" to "60s"'),
        ('[guest.a]\nmemory = "1KiB"', "gw.toml: guest.a.memory: expected at least one page"),
        ('[guest.a]\non_failure = "shut"', "gw.toml: guest.a.on_failure: invalid enum value 'shut'"),
        ('[guest.a]\nupstreams = ["b"]', "gw.toml: guest.a.upstreams[0]: no upstream is named 'b' (known: origin)"),
        ('[guest.a]\ngrants = ["clok"]', "gw.toml: guest.a.grants[0]: no grant is named 'clok' (known: clock, "),
        ('[guest.a]\nkv = "1B"', "gw.toml: guest.a.kv: expected 128 bytes"),
        ('[guest.a]\ngrants = ["kv"]\nkv = "9MiB"', "gw.toml: server.kv_memory: the guests' quotas come to 9437184"),
        ('[guest.a.http]\nallow = ["http://h/p"]', "gw.toml: guest.a.http.allow[0]: expected only"),
        ('[guest.a.http]\nnetworks = ["h"]', "gw.toml: guest.a.http.networks[0]: 'h' is no address"),
        ('[guest.a.http]\ntimeout = "2m"', "gw.toml: guest.a.http.timeout: expected"),
        (
            '[guest.a.http]\nallow = ["https://h"]\nkey = "k"',
            "gw.toml: guest.a.http.cert: cert and key go together",
        ),
        (
            '[[upstream]]\nname = "b"\ntargets = ["https://h"]\ncert = "c"',
            "gw.toml: upstream[1].key: cert and key go together",
        ),
        (
            '[[upstream]]\nname = "b"\ntargets = ["http://h"]\ncert = "c"\nkey = "k"',
            "gw.toml: upstream[1].cert: has no effect: no target is https",
        ),
        (
            '[[upstream]]\nname = "b"\ntargets = ["http://h"]\nserver_name = "h"',
            "gw.toml: upstream[1].server_name: has no effect: no target is https",
        ),
        (
            '[[upstream]]\nname = "b"\ntargets = ["https://h"]\nserver_name = "a b"',
            "gw.toml: upstream[1].server_name: 'a b' is not a host name",
        ),
        (
            '[[upstream]]\nname = "b"\ntargets = ["http://h"]\nprotocol = "http/2"\nproxy_protocol = "v2"',
            "gw.toml: upstream[1].proxy_protocol: does not go with protocol = 'http/2'",
        ),
        (
            '[[upstream]]\nname = "b"\ntargets = ["https://h"]\nprotocol = "auto"\nproxy_protocol = "v1"',
            "gw.toml: upstream[1].proxy_protocol: does not go with protocol = 'auto'",
        ),
        (
            '[[upstream]]\nname = "b"\ntargets = ["http://h"]\nproxy_protocol = "v3"',
            "gw.toml: upstream[1].proxy_protocol: invalid enum value 'v3'",
        ),
        ("[guest.a.http]\ncalls = 0", "gw.toml: guest.a.http.calls: expected 1 to 1000"),
        ("[guest.a.limits]\nheaders = 0", "gw.toml: guest.a.limits.headers: expected 1 to 1024"),
        ('[guest.a.limits]\ncontext = "2MiB"', "gw.toml: guest.a.limits.context: expected 1 to 1048576"),
        ("[guest.a.limits]\nedits = 1", "gw.toml: guest.a.limits: unknown key `edits`"),
        ('[server]\nkv_memory = "1B"', "gw.toml: server.kv_memory: expected"),
        ('[guest."../a"]', "gw.toml: guest.../a: not a name"),
        ("guest = 5", "gw.toml: "),
        ('[[upstream]]\nname = "origin"\ntargets = []', "gw.toml: upstream[1].name: 'origin' is taken"),
        ('[[upstream]]\nname = "b"\ntargets = []', "gw.toml: upstream[1].targets: at least one"),
        ('[[upstream]]\nname = "b"\ntargets = ["ftp://x"]', "gw.toml: upstream[1].targets[0]: expected http://"),
        ('[[upstream]]\nname = "b"\ntargets = ["http://x/y"]', "gw.toml: upstream[1].targets[0]: expected only"),
        ('[[upstream]]\nname = "b"\ntargets = ["http://u@x"]', "gw.toml: upstream[1].targets[0]: expected only"),
        ('[[route]]\npath = "/x"', "gw.toml: route[1]: one of upstream, split, respond, redirect is needed"),
        ('[[route]]\npath = "/x"\nupstream = "y"', "gw.toml: route[1].upstream: no upstream is named 'y'"),
        ('[[route]]\npath = "x"\nupstream = "origin"', "gw.toml: route[1].path: path does not begin with a slash"),
        ('[[route]]\npath = "/%61"\nupstream = "origin"', "gw.toml: route[1].path: write it in its canonical form"),
        ('[[route]]\npath = "/"\nupstream = "origin"', "gw.toml: route[1]: matches exactly what route[0] matches"),
        ('[[route]]\npath = "/x"\nname = "/"\nupstream = "origin"', "gw.toml: route[1].name: '/' is taken by route[0]"),
        ('[[route]]\npath = "/x"\nupstream = "origin"\nchain = [5]', "gw.toml: route[1].chain[0]: expected"),
        ('[[route]]\npath = "/x"\nupstream = "origin"\nchain = ["a/b"]', "gw.toml: route[1].chain[0]: 'a/b' is not"),
        ('[[route]]\npath = "/x"\nupstream = "origin"\nhosts = ["A"]', "gw.toml: route[1].hosts[0]: 'A' is no"),
        ('[[route]]\npath = "/x"\nupstream = "origin"\nmethods = ["G T"]', "gw.toml: route[1].methods[0]: 'G T'"),
    ],
)
def test_refuses_with_file_and_key(extra: str, complaint: str) -> None:
    text = f"{extra}\n{BASE}" if extra == "guest = 5" else f"{BASE}\n{extra}"
    with pytest.raises(ConfigError) as refused:
        parse_config(text, "gw.toml")
    assert str(refused.value).startswith(complaint)
    assert "\n" not in str(refused.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9")
    with pytest.raises(ConfigError, match=r"latin\.toml: not UTF-8 at byte 2"):
        load_config(tmp_path / "latin.toml")


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    """Editors on Windows write one; the first key was answered "Invalid statement (at line 1,
    column 1)".
    """
    (tmp_path / "marked.toml").write_text(BASE, encoding="utf-8-sig")
    assert load_config(tmp_path / "marked.toml").route == parse_config(BASE, "marked.toml").route
    assert parse_source(read_source(str(tmp_path / "marked.toml"), None, None)).route[0].path == "/"


SECRETS = ["http://user:hidden@host", "http://user:hid/hidden@host:80", "http://user:a@hidden@host", "user:hidden@host"]
SECRETS += ["http://user:p#hidden@host", "http://user:hidden@[::1", "http://user:hidden@host:port", "//u:hidden@host"]
SECRETS += ["ftp://hidden@host/x?y", "http://us\u00e9r:hidden@host", "http://user:hidden@", "http://a:hid den@hidden@b"]


@pytest.mark.parametrize("url", SECRETS)
def test_no_message_shows_a_password(url: str) -> None:
    """The whole URL stood in the message, and so in the logs of whoever starts the gateway."""
    texts = (
        BASE.replace("http://127.0.0.1:9000", url),
        f'{BASE}\n[guest.a.http]\nallow = ["{url}"]',
    )
    for text in texts:
        assert url in text
        with pytest.raises(ConfigError, match=r"expected only scheme, host and port") as refused:
            parse_config(text, "gw.toml")
        assert "hidden" not in str(refused.value)
        assert "***@" in str(refused.value)
    with pytest.raises(ConfigError, match="--upstream") as refused:
        quick_config(url)
    assert "hidden" not in str(refused.value)


def test_quick_start_proxies_everything() -> None:
    config = quick_config("https://example.org")
    assert config.route[0].path == "/"
    with pytest.raises(ConfigError, match=r"--upstream: upstream\[0\]\.targets\[0\]: expected http://"):
        quick_config("example.org")


@pytest.mark.parametrize("workers", [0, -1, 1025])
def test_a_number_of_workers_that_makes_no_sense(workers: int) -> None:
    with pytest.raises(ConfigError, match=rf"gw\.toml: server\.workers: expected 1 to 1024, got {workers}"):
        parse_config(f"[server]\nworkers = {workers}\n{BASE}", "gw.toml")


def test_several_workers() -> None:
    assert parse_config(f"[server]\nworkers = 4\n{BASE}", "gw.toml").server.workers == 4
