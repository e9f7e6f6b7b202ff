"""What a built guest is: its hooks, the grants that it needs, its size."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from sentinel_host.abi.contract import PACKAGE
from sentinel_host.authoring.loading import load
from sentinel_host.sandbox import GuestEngine, LoadedGuest
from sentinel_host.sandbox.grants import ALL


@dataclass(frozen=True, slots=True)
class GuestReport:
    """A guest's file as `sentinel build` tells of it; ``grants`` are those that its imports ask
    for, ``size`` bytes.
    """

    file: str
    language: str | None
    hooks: tuple[str, ...]
    grants: tuple[str, ...]
    size: int
    self_test: int
    has_schema: bool
    sha256: str

    def fields(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        rows = {
            "hooks": ", ".join(self.hooks) or "none",
            "grants": ", ".join(self.grants) or "none needed",
            "size": f"{self.size:,} bytes",
            "self-test": f"{self.self_test} cases" if self.self_test else "none",
            "config": "has a schema" if self.has_schema else "no schema",
        }
        return "\n".join(f"  {key:10} {value}" for key, value in rows.items())


def describe(file: Path) -> GuestReport:
    """Hold a guest's file to the contract, and tell what it is. Raises `GuestLoadError`."""
    guest = load(file, GuestEngine(), ALL)
    return GuestReport(
        file=str(file),
        language=guest.language,
        hooks=guest.hooks,
        grants=grants_of(guest),
        size=guest.size,
        self_test=len(guest.self_test),
        has_schema=guest.config_schema is not None,
        sha256=guest.sha256,
    )


def grants_of(guest: LoadedGuest) -> tuple[str, ...]:
    """The grants that a guest's imports ask for."""
    interfaces = {name.removeprefix(f"{PACKAGE}/").partition("@")[0] for name in guest.imports}
    return tuple(sorted(interfaces - {"log"}))
