"""The admin token, and where it comes from.

In this order: ``[server] admin_token``, the file that ``admin_token_file`` names, the environment,
and a file that is made once for each configuration. Only its owner can read that file, so that the
``sentinel`` command finds it on the same machine and other users do not. Each gateway has a token
of its own.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import os
import re
import secrets
import stat
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from sentinel_host.config import Config
from sentinel_host.config.identity import identities
from sentinel_host.errors import ConfigError

_log = logging.getLogger("sentinel.control")

ENVIRONMENT: Final = "SENTINEL_ADMIN_TOKEN"
_FILE: Final = "admin-token-{}"
# 16 characters cannot be guessed over a network. The characters are those that a header can carry.
_TOKEN: Final = re.compile(r"[\x21-\x7e]{16,512}").fullmatch


def admin_token(
    config: Config, environment: Mapping[str, str], directory: Path | None, *, make: bool, needed: bool = True
) -> str | None:
    """The token; ``None`` when none is configured and none could be made.

    With ``make`` a missing file in ``directory`` is made. It is no error that ``directory`` cannot
    be entered unless a token is ``needed``. Raises `ConfigError` for a token that is too short, and
    for a file that cannot be read or is not its owner's alone. The file that is configured has been
    read already.
    """
    server = config.server
    if server.admin_token is not None:
        return _checked(server.admin_token, f"{config.file}: server.admin_token")
    if server.admin_token_file is not None:
        content = config.content(server.admin_token_file)
        where = f"{config.file}: server.admin_token_file: {config.locate(server.admin_token_file)}"
        return _checked(content.decode("utf-8-sig", errors="replace"), where)
    if ENVIRONMENT in environment:
        return _checked(environment[ENVIRONMENT], ENVIRONMENT)
    if directory is None:
        return None
    files = [directory / _FILE.format(identity) for identity in identities(config.file)]
    if make:
        _make(files)
    for file in files:
        try:
            found = file.stat()
            break
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            if not needed:
                return None
            raise ConfigError(f"{file}: {error.strerror}") from None
    else:
        return None
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"{file}: is not a file of this user alone (mode 0600)")
    return _checked(_read(file), str(file))


def is_authorised(field: str, token: str) -> bool:
    """Whether an Authorization field holds the token; takes as long whatever it holds (RFC 6750
    section 2.1).
    """
    scheme, _, given = field.partition(" ")
    matches = is_token(given.strip(), token)
    return scheme.lower() == "bearer" and matches


def explain_token(token: str) -> str:
    """What a request brings to be recorded: made of the token, which it does not betray."""
    return hmac.new(token.encode(), b"explain", sha256).hexdigest()[:32]


def is_token(given: str, token: str) -> bool:
    """Whether what is given is the token; takes as long whatever it is."""
    return hmac.compare_digest(given.encode(errors="replace"), token.encode())


def _checked(token: str, source: str) -> str:
    token = token.strip()
    if not _TOKEN(token):
        raise ConfigError(f"{source}: expected 16 to 512 visible ASCII characters")
    return token


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        return ""


def _make(files: list[Path]) -> None:
    """One token under all these names, whole or not at all: another process may look for it at the
    same time.
    """
    file = files[0]
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = next((file for file in files if file.exists()), None)
        if known is None:
            _make_one(file)
            known = file
        for other in files:
            with contextlib.suppress(FileExistsError):
                os.link(known, other, follow_symlinks=False)
    except OSError as error:
        _log.warning("there is no admin token: %s: %s; a server.admin_token would do", file, error.strerror)


def _make_one(file: Path) -> None:
    fresh = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with open(descriptor, "w", encoding="ascii") as out:
            out.write(secrets.token_urlsafe(32))
        # Another process may have made the file first: its token counts.
        with contextlib.suppress(FileExistsError):
            os.link(fresh, file)
    finally:
        fresh.unlink()
