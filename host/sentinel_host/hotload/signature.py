"""The signature of a guest's file, in its last section.

After its name, the section ``sentinel:signature`` holds the MessagePack array
``[name, version, key id]`` and the 64 bytes of an Ed25519 signature (RFC 8032), which end the file.

Rule 1: The signature covers the file up to its last 64 bytes, as it is on disk. Nothing is parsed
        and put together again before it is verified, so nothing can be added or moved.
Rule 2: The guest's name is signed, so that one guest's file cannot replace another's. So is the
        version, which only grows (`sentinel_host.hotload.versions`).
Rule 3: The section's statement counts only once the signature is verified.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from sentinel_host.config import Config
from sentinel_host.config.identity import identities
from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.versions import Versions
from sentinel_host.sandbox.binary import MalformedWasm, custom_section, custom_sections, is_component
from sentinel_host.sandbox.text import one_line

if TYPE_CHECKING:
    from sentinel_host.hotload.keys import PrivateKey, PublicKey

SECTION: Final = "sentinel:signature"
HIGHEST_VERSION: Final = (1 << 63) - 1
_SIGNATURE: Final = 64


class Statement(msgspec.Struct, frozen=True, array_like=True):
    """What a signature states: the guest's name, its version and the id of the key."""

    name: str
    version: Annotated[int, msgspec.Meta(ge=0, le=HIGHEST_VERSION)]
    key: bytes

    @property
    def key_id(self) -> str:
        """The key's id as people see it."""
        return self.key.hex()


_decoder = msgspec.msgpack.Decoder(Statement)
_encoder = msgspec.msgpack.Encoder()


def read_statement(data: bytes, path: str) -> Statement | None:
    """What a file's signature states, unverified; None for a file that is not signed.

    Raises `GuestLoadError` for a malformed signature, or one that does not end the file.
    """
    try:
        is_component(data)
        sections = custom_sections(data, SECTION)
    except MalformedWasm as error:
        raise GuestLoadError(f"{path}: {one_line(str(error))}") from None
    if not sections:
        return None
    if len(sections) > 1 or sections[0].end != len(data):
        raise GuestLoadError(f"{path}: its signature is not the last section: the file was changed after it was signed")
    try:
        return _decoder.decode(sections[0].body[:-_SIGNATURE])
    except msgspec.DecodeError as error:
        raise GuestLoadError(f"{path}: the section {SECTION} cannot be read: {error}") from None


def sign(data: bytes, path: str, name: str, version: int, key: PrivateKey) -> bytes:
    """A guest's file with a new signature, which replaces the old one if there is one.

    Raises `GuestLoadError` if it is not WebAssembly.
    """
    try:
        is_component(data)
        sections = custom_sections(data, SECTION)
    except MalformedWasm as error:
        raise GuestLoadError(f"{path}: {one_line(str(error))}") from None
    for section in reversed(sections):
        data = data[: section.begin] + data[section.end :]
    statement = _encoder.encode(Statement(name, version, key.public.id))
    unsigned = (data + custom_section(SECTION, statement + bytes(_SIGNATURE)))[:-_SIGNATURE]
    return unsigned + key.sign(unsigned)


class Verifier:
    """Verifies files by the keys of a configuration, and compares their versions with those that
    have served.
    """

    def __init__(self, keys: Iterable[PublicKey], versions: Versions) -> None:
        self.keys = {key.id: key for key in keys}
        self.versions = versions

    def verify(self, data: bytes, name: str, path: str, *, on_purpose: bool = False) -> Statement:
        """The verified statement of a file's signature. Call `Versions.note` once the guest serves.

        ``on_purpose`` allows a lower version, for a rollback.

        Raises `GuestLoadError` if the file is not signed, is signed by an unknown key or under
        another name, was changed after it was signed, or has a lower version than one that has
        served.
        """
        statement = read_statement(data, path)
        if statement is None:
            raise GuestLoadError(f"{path}: is not signed, and the configuration has verify_keys")
        key = self.keys.get(statement.key)
        if key is None:
            known = ", ".join(sorted(key.hex() for key in self.keys))
            raise GuestLoadError(
                f"{path}: is signed by the key {statement.key_id:.32}, which is not one of verify_keys ({known})"
            )
        file = memoryview(data)
        if not key.verifies(file[:-_SIGNATURE], file[-_SIGNATURE:]):
            raise GuestLoadError(f"{path}: does not match its signature: it was changed after it was signed")
        if statement.name != name:
            raise GuestLoadError(f"{path}: is signed as {one_line(statement.name)!r}, and cannot stand in for {name!r}")
        highest = self.versions.highest(name)
        if statement.version < highest and not on_purpose:
            raise GuestLoadError(
                f"{path}: is version {statement.version}, and version {highest} has served: a downgrade"
            )
        return statement


def verifier_of(config: Config, state: Path | None) -> Verifier | None:
    """The verifier of a configuration; None if it has no keys.

    It remembers versions in the directory ``state``, for this configuration alone. Raises
    `ConfigError` that names a key that cannot be read.
    """
    if not config.guests.verify_keys:
        return None
    # Not at the top: it costs every worker 30 ms and 8 MiB, which gateways without keys need not
    # pay.
    from sentinel_host.hotload.keys import configured_keys

    files = [state / f"versions-{identity}.json" for identity in identities(config.file)] if state is not None else []
    return Verifier(configured_keys(config), Versions(*files))
