"""Environment variables in the strings of a configuration."""

from __future__ import annotations

import pytest

from sentinel_host.config import parse_config
from sentinel_host.errors import ConfigError

VARIABLES = {
    "HOST": "origin.example",
    "EMPTY": "",
    "TOKEN": "s3cret-token",
    "REFERS": "${HOST}",
    "QUOTED": "it's 'quoted'",
    "BYTES": "\udcff",
    "SHORT": "x",
    "LINES": "first\nsecond",
}
BASE = """
[guest.a]
config = { text = '%s' }

[[upstream]]
name = "origin"
targets = ["http://127.0.0.1:9000"]

[[route]]
path = "/"
upstream = "origin"
"""


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("plain", "plain"),
        ("${HOST}", "origin.example"),
        ("http://${HOST}:80/${TOKEN}", "http://origin.example:80/s3cret-token"),
        ("${HOST}${HOST}", "origin.exampleorigin.example"),
        ("${EMPTY}", ""),
        ("${HOST:-default}", "origin.example"),
        ("${UNSET:-default}", "default"),
        ("${EMPTY:-default}", "default"),
        ("${UNSET:-}", ""),
        ("${UNSET:-a:-b $c {d}", "a:-b $c {d"),
        ("$${HOST}", "${HOST}"),
        ("$$${HOST}", "$${HOST}"),
        ("$${${HOST}}", "${origin.example}"),
        ("${REFERS}", "${HOST}"),
        ("$HOST $", "$HOST $"),
        ("{host}", "{host}"),
        ("$$", "$$"),
        ("${LINES}", "first\nsecond"),
    ],
)
def test_what_a_string_means(written: str, meant: str) -> None:
    assert parse_config(BASE % written, "gw.toml", VARIABLES).guest["a"].config == {"text": meant}


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("${UNSET}", "the environment variable UNSET is not set"),
        ("${HOST} ${UNSET}", "the environment variable UNSET is not set"),
        ("${BYTES}", "the environment variable BYTES is not UTF-8"),
        ("${}", "expected ${NAME}, ${NAME:-DEFAULT}, or $${ for ${ itself"),
        ("${1}", "expected ${NAME}"),
        ("${A B}", "expected ${NAME}"),
        ("${HOST", "expected ${NAME}"),
        ("${HOST-x}", "expected ${NAME}"),
        ("${HOST:-${OTHER}}", "expected ${NAME}"),
    ],
)
def test_what_is_refused_by_file_and_key(written: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_config(BASE % written, "gw.toml", VARIABLES)
    assert str(refused.value).startswith(f"gw.toml: guest.a.config.text: {complaint}")


def test_strings_everywhere_are_read_and_keys_are_not() -> None:
    text = """
[server]
bind = ["127.0.0.1:${PORT}", { address = "127.0.0.1:${TLS_PORT:-8443}", tls = { cert = "${DIR}/c", key = "${DIR}/k" } }]
admin_token = "${TOKEN}"
grace = "${GRACE}"

[guest.a]
config = { "${KEY}" = [{ deep = ["${DIR}"] }], number = 5, date = 2024-01-01 }

[[upstream]]
name = "origin"
targets = ["http://${HOST}:9000"]

[[route]]
path = "/${DIR}"
upstream = "${UPSTREAM}"
"""
    variables = {"PORT": "80", "DIR": "d", "TOKEN": "t", "GRACE": "5s", "HOST": "h", "UPSTREAM": "origin"}
    config = parse_config(text, "gw.toml", variables)
    assert config.server.bind[0] == "127.0.0.1:80"
    assert getattr(config.server.bind[1], "tls", None).cert == "d/c"
    assert (config.server.admin_token, config.server.grace) == ("t", 5)
    assert config.guest["a"].config["${KEY}"] == [{"deep": ["d"]}]
    assert config.upstream[0].targets == ["http://h:9000"]
    assert (config.route[0].path, config.route[0].upstream) == ("/d", "origin")


def test_a_key_that_is_no_bare_one_is_quoted_in_errors() -> None:
    with pytest.raises(ConfigError, match=r"^gw\.toml: guest\.a\.config\.'demo key'\[0\]: the environment variable X "):
        parse_config('[guest.a]\nconfig = { "demo key" = ["${X}"] }', "gw.toml", {})


SECRET = "hidden'se\"cret\\1"


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('[server]\nbind = ["${SECRET}"]', "server.bind[0]"),
        ('[server]\nbind = ["h:${SECRET}"]', "server.bind[0]"),
        ('[server]\ngrace = "${SECRET}"', "server.grace"),
        ('[server]\nheader_aliases = "${SECRET}"', "server.header_aliases"),
        ('[server]\nworkers = "${SECRET}"', "server.workers"),
        ('[server]\ntrusted_proxies = ["${SECRET}"]', "server.trusted_proxies[0]"),
        ('[server]\nlimit_store = "${SECRET}"', "server.limit_store"),
        ('[guest.a]\nupstreams = ["${SECRET}"]', "guest.a.upstreams[0]"),
        ('[[upstream]]\nname = "/${SECRET}"\ntargets = ["http://h"]', "upstream[0].name"),
        ('[[upstream]]\nname = "o"\ntargets = ["http://h:${SECRET}"]', "upstream[0].targets[0]"),
        ('[[upstream]]\nname = "o"\ntargets = ["http://h"]\nhash = "${SECRET}"\nbalance = "hash"', "upstream[0].hash"),
        ('[[route]]\npath = "/ ${SECRET}"\nupstream = "origin"', "route[0].path"),
        ('[[route]]\npath = "/"\nupstream = "${SECRET}"', "route[0].upstream"),
    ],
)
@pytest.mark.parametrize(
    "secret", ["hidden", "'hidden'", 'a"hidden', SECRET, "hidden\nhidden", "x:hidden", "\u00e9hidden"]
)
def test_no_error_repeats_what_a_variable_holds(line: str, key: str, secret: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_config(line, "gw.toml", {"SECRET": secret})
    message = str(refused.value)
    assert message.startswith(f"gw.toml: {key}")
    assert "hidden" not in message


def test_errors_about_another_key_name_the_variable() -> None:
    text = '[[upstream]]\nname = "${STAGE}"\ntargets = ["http://h"]\n[[route]]\npath = "/"\nupstream = "origin"'
    with pytest.raises(ConfigError) as refused:
        parse_config(text, "gw.toml", {"STAGE": "production"})
    assert str(refused.value) == "gw.toml: route[0].upstream: no upstream is named 'origin' (known: ${STAGE})"


@pytest.mark.parametrize("value", ["route", "gw.toml", "upstream"])
def test_file_and_key_stay_readable(value: str) -> None:
    text = '[guest.a]\nconfig = { text = "${X}" }\n[[route]]\npath = "/"\nupstream = "origin"'
    with pytest.raises(ConfigError, match=r"^gw\.toml: route\[0\]\.upstream: no "):
        parse_config(text, "gw.toml", {"X": value})
