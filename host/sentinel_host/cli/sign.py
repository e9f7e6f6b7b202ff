"""``sentinel keygen`` and ``sentinel sign``: signatures for guests, on the machine that holds the
key.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from sentinel_host.errors import ConfigError
from sentinel_host.hotload.signature import HIGHEST_VERSION
from sentinel_host.hotload.signature import sign as signed
from sentinel_host.sandbox.artefact import parse_artefact, read_file


def keygen(options: argparse.Namespace) -> int:
    """Write ``NAME.key`` for its owner alone and ``NAME.pub``, and print the line for the
    configuration.

    Raises `ConfigError` when either cannot be written; a key is never written over another.
    """
    # Here and below, because a worker is this command too, and most do without.
    from sentinel_host.hotload.keys import PrivateKey, write_private

    key = PrivateKey.generate()
    private, public = Path(f"{options.name}.key"), Path(f"{options.name}.pub")
    write_private(private, key)
    try:
        public.write_bytes(key.public.pem())
    except OSError as error:
        raise ConfigError(f"{public}: {error.strerror}") from None
    print(f"{private}: signs guests; keep it away from the gateway")
    print(f"{public}: key {key.public.id.hex()}, for the configuration:")
    print(f'verify_keys = ["{key.public}"]')
    return 0


def sign(options: argparse.Namespace) -> int:
    """Put a signature at the end of a guest's file, in place of the one that it may have.

    Raises what `sign_file` raises.
    """
    file = Path(options.file)
    name = file.stem if options.name is None else options.name
    key = sign_file(file, name, options.version, Path(options.key))
    print(f"{file}: signed as {name}, version {options.version}, by key {key}")
    return 0


def sign_file(file: Path, name: str, version: int, private: Path) -> str:
    """Sign a guest's file with the key in another; returns the key's id.

    The file is replaced whole, by a rename. Raises `GuestLoadError` when it is no guest's, and
    `ConfigError` when the key cannot be read or the file not be written.
    """
    from sentinel_host.hotload.keys import read_private

    if not 0 <= version <= HIGHEST_VERSION:
        raise ConfigError(f"--version: expected 0 to {HIGHEST_VERSION}")
    key = read_private(private)
    data = read_file(file)
    parse_artefact(data, str(file))
    fresh = file.with_suffix(".signed")
    try:
        fresh.write_bytes(signed(data, str(file), name, version, key))
        shutil.copymode(file, fresh)
        os.replace(fresh, file)
    except OSError as error:
        raise ConfigError(f"{fresh}: {error.strerror}") from None
    return key.public.id.hex()
