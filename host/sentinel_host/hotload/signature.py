"""Who signed a guest's file: its last section says so, over every byte before the signature itself.

The section ``sentinel:signature`` holds, after its name, the MessagePack array ``[name, version, key id]`` and then the
64 bytes of an Ed25519 signature (RFC 8032), which end the file.

Rule 1: what is signed is the file up to its last 64 bytes, as it stands: nothing is taken apart and put together again
        before it is verified, and nothing can be put before, behind or between.
Rule 2: the name is signed, so that one guest's file cannot stand in for another's; so is the version, which only grows
        (`sentinel_host.hotload.versions`).
Rule 3: what the section says is believed only once the signature is.
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
    """What a file's signature states, believed by nobody yet; None for a file that is not signed.

    Raises `GuestLoadError` for a signature that is not the end of the file, or is none.
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
    """A guest's file with a signature, in place of the one that it may have.

    Raises `GuestLoadError` when it is not WebAssembly.
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
    """Holds files to the keys of a configuration, by their ids, and to the versions that have served."""

    def __init__(self, keys: Iterable[PublicKey], versions: Versions) -> None:
        self.keys = {key.id: key for key in keys}
        self.versions = versions

    def verify(self, data: bytes, name: str, path: str, *, on_purpose: bool = False) -> Statement:
        """What the file's signature states, which is true; once the guest serves, `Versions.note` is to be told.

        ``on_purpose`` is for what is to serve in place of a newer version: that it is lower is the point.

        Raises `GuestLoadError` for a file that is not signed, not by one of the keys, was changed, was signed under
        another name, or is of a lower version than one that has served.
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
    """The verifier that a configuration asks for, None without keys; ``state`` is where it remembers versions, for this
    configuration alone.

    Raises `ConfigError` that names the key which cannot be read.
    """
    if not config.guests.verify_keys:
        return None
    # Not at the top: 30 ms and 8 MiB in every worker, which gateways without keys do without.
    from sentinel_host.hotload.keys import configured_keys

    files = [state / f"versions-{identity}.json" for identity in identities(config.file)] if state is not None else []
    return Verifier(configured_keys(config), Versions(*files))
