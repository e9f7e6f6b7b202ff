"""From a guest's file to something that chains can use."""

from __future__ import annotations

from dataclasses import dataclass, field

from wasmtime import InstancePre

from sentinel_host.abi.contract import CONFIGURE
from sentinel_host.errors import GuestError, GuestLoadError
from sentinel_host.sandbox.artefact import Artefact
from sentinel_host.sandbox.cases import Case, parse_cases
from sentinel_host.sandbox.check import CheckedGuest
from sentinel_host.sandbox.compiled import CompiledGuest
from sentinel_host.sandbox.engine import GuestEngine
from sentinel_host.sandbox.grants import NONE, Grants
from sentinel_host.sandbox.instance import Blueprint
from sentinel_host.sandbox.limits import Limits, default_limits
from sentinel_host.sandbox.lines import LineTable, pack_lines
from sentinel_host.sandbox.middleware import GuestMiddleware
from sentinel_host.sandbox.probation import Health
from sentinel_host.sandbox.schema import ConfigSchema, parse_schema
from sentinel_host.sandbox.selftest import run_self_test

# MessagePack of a map without entries: no configuration was written.
NO_CONFIG = b"\x80"


@dataclass(frozen=True, slots=True)
class LoadedGuest:
    """A compiled and checked guest; instances are made from it, by `start_middleware`.

    ``hooks`` are names such as ``on-request``, ``imports`` look like
    ``sentinel:gateway/log@0.1.0#write``; ``language`` and ``sdk`` are what the file says about
    itself, if it does; ``self_test`` is the cases that it brings, ``config_schema`` the schema of
    its configuration; ``code_size`` is bytes of machine code and of what memories begin with, 0 for
    a guest that was compiled in this process.
    """

    name: str
    path: str
    sha256: str
    size: int
    is_component: bool
    hooks: tuple[str, ...]
    imports: tuple[str, ...]
    abi_version: str
    language: str | None
    sdk: str | None
    self_test: tuple[Case, ...]
    config_schema: ConfigSchema | None
    code_size: int
    blueprint: Blueprint = field(repr=False)

    @property
    def health(self) -> Health:
        """How this version does."""
        return self.blueprint.health

    async def start_middleware(
        self, config: bytes = NO_CONFIG, *, on_failure: str = "closed", upstreams: frozenset[str] = frozenset()
    ) -> GuestMiddleware:
        """Start an instance with this configuration, one MessagePack map; each call makes an
        independent pool.

        ``on_failure`` is ``closed`` or ``open``; ``upstreams`` are the names that the guest may
        choose. Raises `GuestLoadError` when the guest fails while it starts, refuses the
        configuration, or fails a case of its self-test.
        """
        made = self._make(config, on_failure, upstreams)
        try:
            await made.start()
        except GuestError as error:
            raise self._refused(error) from error
        try:
            await run_self_test(self.blueprint, self.self_test, config, self.path)
        except BaseException:
            made.close()
            raise
        return made

    def _make(self, config: bytes, on_failure: str, upstreams: frozenset[str]) -> GuestMiddleware:
        if config != NO_CONFIG and CONFIGURE.name not in self.hooks:
            raise GuestLoadError(f"{self.path}: is configured, but exports no {CONFIGURE.name}")
        return GuestMiddleware(self.blueprint, config, on_failure, upstreams)

    def _refused(self, error: GuestError) -> GuestLoadError:
        return GuestLoadError(f"{self.path}: {error.hook}: {error.reason}")


def load_artefact(
    artefact: Artefact, name: str, engine: GuestEngine, limits: Limits | None = None, grants: Grants = NONE
) -> LoadedGuest:
    """Compile and check a guest's file; ``name`` is what the guest is called everywhere else.

    Without ``limits`` it has those of its language. Raises `GuestLoadError`, one line that names
    the file and what is wrong.
    """
    prepared = engine.prepare(artefact, grants.names)
    return _loaded(artefact, prepared, name, artefact.path, engine, limits, grants)


def load_compiled(
    compiled: CompiledGuest,
    name: str,
    path: str,
    engine: GuestEngine,
    limits: Limits | None = None,
    grants: Grants = NONE,
) -> LoadedGuest:
    """As `load_artefact`, for a file that has been compiled already; ``path`` is where it was."""
    prepared = engine.prepare_compiled(compiled, path, grants.names)
    return _loaded(compiled, prepared, name, path, engine, limits, grants)


def _loaded(
    file: Artefact | CompiledGuest,
    prepared: tuple[InstancePre, CheckedGuest],
    name: str,
    path: str,
    engine: GuestEngine,
    limits: Limits | None,
    grants: Grants,
) -> LoadedGuest:
    module, checked = prepared
    lines = LineTable(file.lines if isinstance(file, CompiledGuest) else pack_lines(file))
    return LoadedGuest(
        name=name,
        path=path,
        sha256=file.sha256,
        size=file.size,
        is_component=file.is_component,
        hooks=tuple(entry.hook.name for entry in checked.hooks),
        imports=checked.imports,
        abi_version=checked.version,
        language=file.language,
        sdk=file.sdk,
        self_test=parse_cases(file.self_test, path),
        config_schema=parse_schema(file.config_schema, path),
        code_size=len(file.code) if isinstance(file, CompiledGuest) else 0,
        blueprint=Blueprint(
            name,
            engine,
            module,
            checked,
            default_limits(file.language) if limits is None else limits,
            grants,
            lines,
            version=file.sha256,
        ),
    )
