from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sentinel_host.errors import ToolchainError


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment plus ``extra``, without the variables that would displace cargo's
    per-target flags.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _DISPLACING}
    return inherited | dict(extra)


# With either of the first two set, cargo ignores CARGO_TARGET_<triple>_RUSTFLAGS, which names our
# sysroot.
_DISPLACING = frozenset({"RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"})


def note(text: str) -> None:
    """Tell the person at the terminal about a slow step; standard output belongs to results."""
    print(text, file=sys.stderr, flush=True)


def run(
    command: Sequence[str],
    what: str,
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    timeout: float | None = None,
) -> None:
    """Run a step that ``what`` names in the error; ``timeout`` is in seconds.

    Its output is shown only on failure, and kept in ``log`` if that is given. Raises
    ToolchainError.
    """
    try:
        done = _run(command, cwd, environment, timeout)
    except FileNotFoundError:
        raise ToolchainError(f"{what}: {command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise ToolchainError(f"{what}: no end after {timeout:g} s: {shlex.join(command)}") from None
    output = done.stdout.decode(errors="replace").strip()
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(output + "\n")
    if done.returncode != 0:
        place = f"; its whole output is in {log}" if log is not None else ""
        failure = f"{what} failed (exit code {done.returncode}): {shlex.join(command)}{place}"
        raise ToolchainError(f"{failure}\n{shortened(output.splitlines())}")


def attempt(
    command: Sequence[str], *, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """The exit code of a command, and what it printed to either output.

    Raises ToolchainError if the command is missing.
    """
    try:
        done = _run(command, cwd, environment, None)
    except FileNotFoundError:
        raise ToolchainError(f"{command[0]} is not installed") from None
    return done.returncode, done.stdout.decode(errors="replace").strip()


def _run(
    command: Sequence[str], cwd: Path | None, environment: Mapping[str, str] | None, timeout: float | None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command,
        cwd=cwd,
        env=clean_environment(environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
        check=False,
    )


def shortened(lines: Sequence[str]) -> str:
    """Both ends of an output: npm says first what is wrong, compilers say it last."""
    if len(lines) <= _HEAD + _TAIL:
        return "\n".join(lines)
    return "\n".join([*lines[:_HEAD], f"[{len(lines) - _HEAD - _TAIL} lines left out]", *lines[-_TAIL:]])


# Together a screenful, so that the message above them is still in sight.
_HEAD, _TAIL = 12, 36


def capture(command: Sequence[str], *, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """The standard output of a query, stripped.

    Raises ToolchainError if the command is missing or fails.
    """
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=clean_environment(environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise ToolchainError(f"{command[0]} is not installed") from None
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip()
        raise ToolchainError(f"{shlex.join(command)} failed (exit code {done.returncode}): {reason}")
    return done.stdout.decode(errors="replace").strip()
