"""Ed25519 keys: made, written, read. A private key's file is PEM (PKCS#8), a public key's PEM or
``ed25519:BASE64``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from sentinel_host.config import Config
from sentinel_host.config.files import KEY_PREFIX
from sentinel_host.errors import ConfigError

# Tells keys apart and is no secret; a collision would only make a verification fail.
_ID_BYTES: Final = 8


class PublicKey:
    """A key that verifies. ``id`` is the first 8 bytes of the SHA-256 of its 32 bytes."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self._raw = key.public_bytes_raw()
        self.id = hashlib.sha256(self._raw).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return KEY_PREFIX + base64.b64encode(self._raw).decode()

    def pem(self) -> bytes:
        """As a file's content."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def verifies(self, data: bytes | memoryview, signature: bytes | memoryview) -> bool:
        """Whether the signature is this key's, of these bytes."""
        try:
            self._key.verify(signature, data)
        except InvalidSignature:
            return False
        return True


class PrivateKey:
    """A key that signs."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key())

    @classmethod
    def generate(cls) -> PrivateKey:
        """A new one."""
        return cls(Ed25519PrivateKey.generate())

    def pem(self) -> bytes:
        """The key as a file's content. Anyone who reads it can sign."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, data: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(data)


def write_private(path: Path, key: PrivateKey) -> None:
    """Write a key into a new file that only its owner can read.

    Raises `ConfigError` when there is one already, or it cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise ConfigError(f"{path}: exists; a key is never written over another") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    with open(descriptor, "wb") as file:
        file.write(key.pem())


def read_private(path: Path) -> PrivateKey:
    """Raises `ConfigError` for what is no Ed25519 key in PEM."""
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (ValueError, TypeError):
        # TypeError: it is encrypted.
        raise ConfigError(f"{path}: is no private key in PEM without a passphrase") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path}: is not an Ed25519 key")
    return PrivateKey(key)


def configured_keys(config: Config) -> Iterator[PublicKey]:
    """The keys of ``[guests] verify_keys``.

    Raises `ConfigError` that names the first which is none.
    """
    for index, text in enumerate(config.guests.verify_keys):
        try:
            yield _inline(text) if text.startswith(KEY_PREFIX) else _from_file(config, text)
        except ValueError as error:
            raise ConfigError(f"{config.file}: guests.verify_keys[{index}]: {error}") from None


def _inline(text: str) -> PublicKey:
    try:
        raw = base64.b64decode(text.removeprefix(KEY_PREFIX), validate=True)
        return PublicKey(Ed25519PublicKey.from_public_bytes(raw))
    except (binascii.Error, ValueError):
        raise ValueError(f"expected {KEY_PREFIX} and 32 bytes in base64") from None


def _from_file(config: Config, name: str) -> PublicKey:
    path = config.locate(name)
    try:
        key = load_pem_public_key(config.content(name))
    except ValueError:
        raise ValueError(f"{path}: is no public key in PEM; a key itself begins with {KEY_PREFIX}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{path}: is not an Ed25519 key")
    return PublicKey(key)
