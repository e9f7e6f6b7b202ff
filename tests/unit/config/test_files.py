"""Which files a configuration names, what is read of them, and what stays of it when the
configuration changes.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sentinel_host.config import Config, fixed_changes, parse_config, read_files, with_fixed
from sentinel_host.config.files import as_file, named_files
from sentinel_host.config.identity import identities
from sentinel_host.errors import ConfigError

ROUTE = '[[upstream]]\nname = "o"\ntargets = ["http://a"]\n[[route]]\npath = "/"\nupstream = "o"\n'
TLS = '[server]\ntls = { cert = "c", key = "k" }\n'
OWN = 'bind = ["127.0.0.1:1", { address = "127.0.0.1:2", tls = { cert = "/own/c", key = "own/k" } }]\n'
CALLS = '[guest.g]\ngrants = [GRANTS]\n[guest.g.http]\nallow = ["TARGET"]\nca = "ca"\n' + ROUTE
ROWS = {
    "none": (ROUTE, {}),
    "a certificate": (TLS + ROUTE, {"server.tls.cert": "f/c", "server.tls.key": "f/k"}),
    "certificates": (
        TLS + OWN + ROUTE,
        {
            "server.tls.cert": "f/c",
            "server.tls.key": "f/k",
            "server.bind[1].tls.cert": "/own/c",
            "server.bind[1].tls.key": "f/own/k",
        },
    ),
    "one that no address needs": (
        TLS + 'bind = [{ address = "127.0.0.1:2", tls = { cert = "c", key = "k" } }]\n' + ROUTE,
        {"server.bind[0].tls.cert": "f/c", "server.bind[0].tls.key": "f/k"},
    ),
    "a token": ('[server]\nadmin_token_file = "t"\n' + ROUTE, {"server.admin_token_file": "f/t"}),
    "keys": (
        '[guests]\nverify_keys = ["ed25519:AAAA", "release.pub"]\n' + ROUTE,
        {"guests.verify_keys[1]": "f/release.pub"},
    ),
    "authorities": (
        ROUTE.replace('["http://a"]', '["http://a", "HTTPS://b"]\nca = "ca"'),
        {"upstream[0].ca": "f/ca"},
    ),
    "a certificate for an upstream": (
        ROUTE.replace('["http://a"]', '["https://b"]\ncert = "c"\nkey = "k"'),
        {"upstream[0].cert": "f/c", "upstream[0].key": "f/k"},
    ),
    "a certificate of a guest": (
        CALLS.replace("GRANTS", '"http-client"')
        .replace("TARGET", "https://a")
        .replace('"ca"', '"ca"\ncert = "c"\nkey = "k"')
        + 'chain = ["g"]\n',
        {"guest.g.http.ca": "f/ca", "guest.g.http.cert": "f/c", "guest.g.http.key": "f/k"},
    ),
    "authorities without TLS": (ROUTE.replace('["http://a"]', '["http://a"]\nca = "ca"'), {}),
    "authorities of a guest": (
        CALLS.replace("GRANTS", '"http-client"').replace("TARGET", "https://a") + 'chain = ["g"]\n',
        {"guest.g.http.ca": "f/ca"},
    ),
    "authorities of a guest that has no grant": (
        CALLS.replace("GRANTS", "").replace("TARGET", "https://a") + 'chain = ["g"]\n',
        {},
    ),
    "authorities of a guest without TLS": (
        CALLS.replace("GRANTS", '"http-client"').replace("TARGET", "http://a") + 'chain = ["g"]\n',
        {},
    ),
    "authorities of a guest that no route names": (
        CALLS.replace("GRANTS", '"http-client"').replace("TARGET", "https://a"),
        {},
    ),
}


@pytest.mark.parametrize(("text", "expected"), ROWS.values(), ids=[name.replace(" ", "-") for name in ROWS])
def test_the_files_that_are_needed(text: str, expected: dict[str, str]) -> None:
    assert dict(named_files(parse_config(text, "f/sentinel.toml"))) == expected


def configured(folder: Path, cert: str = "c") -> Config:
    text = f'[server]\ntls = {{ cert = "{cert}", key = "k" }}\n{ROUTE}'
    return read_files(parse_config(text, str(folder / "sentinel.toml")))


def test_what_files_say_is_part_of_what_a_configuration_says(tmp_path: Path) -> None:
    for name in ("c", "k", "other"):
        (tmp_path / name).write_text(f"first {name}")
    first = configured(tmp_path)
    assert first == configured(tmp_path)
    assert first.content("c") == b"first c"
    (tmp_path / "k").write_text("second k")
    second = configured(tmp_path)
    assert second != first
    assert fixed_changes(first, second) == []
    assert with_fixed(first, second) == second
    # A listener keeps the files that it was opened with, also when they are gone.
    third = configured(tmp_path, "other")
    assert fixed_changes(first, third) == ["server.tls"]
    assert with_fixed(first, third).files == {str(tmp_path / "c"): b"first c", str(tmp_path / "k"): b"second k"}
    (tmp_path / "c").unlink()
    with pytest.raises(ConfigError, match=r"sentinel\.toml: server\.tls\.cert: .*/c: No such file or directory$"):
        configured(tmp_path)


def test_content_as_a_file() -> None:
    with as_file(b"content") as path, open(path, "rb") as file:
        assert file.read() == b"content"
    assert not os.path.exists(path)


def test_a_gateway_is_known_by_its_real_path_and_by_the_written_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "first" / "sentinel.toml"
    file.parent.mkdir()
    file.touch()
    (name,) = identities(str(file))
    monkeypatch.chdir(file.parent)
    assert identities("sentinel.toml") == [name]
    link = tmp_path / "link"
    link.symlink_to("first")
    real, written = identities(str(link / "sentinel.toml"))
    assert real == name
    link.unlink()
    (tmp_path / "second").mkdir()
    link.symlink_to("second")
    moved = identities(str(link / "sentinel.toml"))
    assert moved[1] == written
    assert moved[0] not in (real, written)
