"""Signatures: every byte counts, so do the name, the version and the key, and nothing may stand
behind them.
"""

from __future__ import annotations

import base64
import logging
import os
import stat
from pathlib import Path

import pytest

from sentinel_host.config import Config, parse_config, read_files
from sentinel_host.errors import ConfigError, GuestLoadError
from sentinel_host.hotload.keys import PrivateKey, configured_keys, read_private, write_private
from sentinel_host.hotload.signature import SECTION, Verifier, read_statement, sign, verifier_of
from sentinel_host.hotload.versions import Versions
from sentinel_host.sandbox.binary import COMPONENT_HEADER, custom_section, custom_sections
from tests.wat import index

KEY, OTHER = PrivateKey.generate(), PrivateKey.generate()
CORE = index.wasm("good/echo")
COMPONENT = COMPONENT_HEADER + custom_section("note", b"a component need not be whole to be signed")
FILES = pytest.mark.parametrize("data", [CORE, COMPONENT], ids=["core", "component"])


def verifier() -> Verifier:
    return Verifier([KEY.public], Versions())


def signed(data: bytes = CORE, name: str = "echo", version: int = 3, key: PrivateKey = KEY) -> bytes:
    return sign(data, "echo.wasm", name, version, key)


def refusal(data: bytes, name: str = "echo") -> str:
    with pytest.raises(GuestLoadError) as refused:
        verifier().verify(data, name, "echo.wasm")
    assert str(refused.value).startswith("echo.wasm: ")
    return str(refused.value)


def config(*keys: str, file: str = "sentinel.toml") -> Config:
    text = '[[upstream]]\nname = "o"\ntargets = ["http://h"]\n[[route]]\npath = "/"\nupstream = "o"\n'
    return parse_config(f"[guests]\nverify_keys = {list(keys)}\n{text}", file)


@FILES
def test_what_was_signed_is_what_was_there_and_then_the_signature(data: bytes) -> None:
    file = signed(data)
    (section,) = custom_sections(file, SECTION)
    assert file[: section.begin] == data
    assert section.end == len(file)
    statement = verifier().verify(file, "echo", "echo.wasm")
    assert (statement.name, statement.version, statement.key) == ("echo", 3, KEY.public.id)
    assert read_statement(data, "echo.wasm") is None


def test_a_file_that_is_signed_again_has_one_signature() -> None:
    file = signed(signed(version=3), version=4)
    assert len(custom_sections(file, SECTION)) == 1
    assert file == signed(version=4)


def test_a_file_without_a_signature_is_refused() -> None:
    assert "is not signed" in refusal(CORE)


@FILES
def test_no_byte_can_be_changed(data: bytes) -> None:
    file = signed(data)
    for at in range(len(file)):
        changed = bytearray(file)
        changed[at] ^= 1
        refusal(bytes(changed))


def test_nothing_can_be_taken_away_or_added() -> None:
    file = signed()
    for end in range(len(file)):
        refusal(file[:end])
    assert "not the last section" in refusal(file + custom_section("more", b""))
    assert "not the last section" in refusal(file + signed()[len(CORE) :])
    refusal(file + b"\0")


def test_a_signature_cannot_be_carried_to_another_file() -> None:
    (section,) = custom_sections(signed(), SECTION)
    assert "changed after it was signed" in refusal(index.wasm("good/counter") + signed()[section.begin :])


def test_a_key_that_is_not_configured_is_named() -> None:
    message = refusal(signed(key=OTHER))
    assert OTHER.public.id.hex() in message
    assert KEY.public.id.hex() in message


def test_a_signature_under_the_id_of_another_key_is_refused() -> None:
    forged = signed(key=OTHER).replace(OTHER.public.id, KEY.public.id)
    assert "changed after it was signed" in refusal(forged)


def test_one_guest_cannot_stand_in_for_another() -> None:
    assert "is signed as 'echo', and cannot stand in for 'api-key-auth'" in refusal(signed(), "api-key-auth")


@pytest.mark.parametrize("body", [b"", bytes(63), bytes(64), bytes(200), b"\x93\xa4echo\xff\xc4\x00" + bytes(64)])
def test_a_section_that_holds_no_statement_is_refused(body: bytes) -> None:
    assert "cannot be read" in refusal(CORE + custom_section(SECTION, body))


def test_a_lower_version_is_a_downgrade_once_a_higher_one_has_served() -> None:
    holder = verifier()
    for version in (3, 5, 5):
        statement = holder.verify(signed(version=version), "echo", "echo.wasm")
        holder.versions.note({statement.name: statement.version})
    # One that was verified and did not serve bars nothing.
    holder.verify(signed(version=9), "echo", "echo.wasm")
    holder.verify(signed(version=6), "echo", "echo.wasm")
    with pytest.raises(GuestLoadError, match="is version 4, and version 5 has served: a downgrade"):
        holder.verify(signed(version=4), "echo", "echo.wasm")
    holder.versions.allow("echo", 4)
    holder.verify(signed(version=4), "echo", "echo.wasm")


def test_versions_are_kept_over_restarts_and_processes(tmp_path: Path) -> None:
    file, link = tmp_path / "versions.json", tmp_path / "by-another-path.json"
    first, second = Versions(file, link), Versions(link)
    first.note({"a": 5})
    second.note({"b": 7})
    first.note({"b": 6, "a": 4})
    third = Versions(file)
    assert (third.highest("a"), third.highest("b"), third.highest("c")) == (5, 7, 0)
    third.allow("b", 2)
    assert Versions(file).highest("b") == 2
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600


def test_versions_that_cannot_be_read_or_kept_are_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "versions.json").write_text("{")
    assert Versions(tmp_path / "versions.json").highest("a") == 0
    assert "cannot be read" in caplog.text
    with caplog.at_level(logging.ERROR):
        versions = Versions(tmp_path / "missing" / "versions.json")
        versions.note({"a": 1})
    assert "cannot be written" in caplog.text
    assert versions.highest("a") == 1


def test_a_private_key_is_its_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    write_private(path, KEY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_private(path).public.id == KEY.public.id
    with pytest.raises(ConfigError, match="exists"):
        write_private(path, OTHER)
    assert read_private(path).public.id == KEY.public.id


def test_public_keys_stand_in_the_configuration_or_in_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "b.pub").write_bytes(OTHER.public.pem())
    found = configured_keys(read_files(config(str(KEY.public), "keys/b.pub", file=str(tmp_path / "sentinel.toml"))))
    assert [key.id for key in found] == [KEY.public.id, OTHER.public.id]
    assert verifier_of(config(), None) is None


BAD_KEYS = {
    "no base64": "ed25519:???",
    "too short": "ed25519:" + base64.b64encode(bytes(31)).decode(),
    "no such file": "none.pub",
    "no PEM": "text",
    "a private key": "private",
    "another algorithm": "ecdsa",
}
ECDSA = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7Ltkbo
N79R9Q==
-----END PUBLIC KEY-----
"""


@pytest.mark.parametrize("key", BAD_KEYS.values(), ids=list(BAD_KEYS))
def test_what_is_no_key_is_refused_by_its_place(key: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("ed25519")
    (tmp_path / "private").write_bytes(KEY.pem())
    (tmp_path / "ecdsa").write_text(ECDSA)
    with pytest.raises(ConfigError, match=r"sentinel\.toml: guests\.verify_keys\[1\]: "):
        verifier_of(read_files(config(str(KEY.public), key, file=str(tmp_path / "sentinel.toml"))), None)
