"""A gateway for one guest that is being written: built on save, served at once, and everything that
happens told.

Rule 1: what serves stays until something better is there. A build that fails changes nothing.
Rule 2: a build goes into the gateway's folder only once it was held to the contract, and after the
        configuration grants what it imports.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tomllib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from sentinel_host.authoring.echo import echo
from sentinel_host.authoring.language import Build
from sentinel_host.authoring.observed import Exchange, Observed
from sentinel_host.authoring.project import Project
from sentinel_host.authoring.report import GuestReport, describe
from sentinel_host.authoring.sdk import LINKS
from sentinel_host.authoring.toml_text import table
from sentinel_host.config import load_config, read_files
from sentinel_host.embedding import ServedGateway, serve_gateway
from sentinel_host.errors import ConfigError, SentinelError
from sentinel_host.gateway.app import Gateway
from sentinel_host.http.server import Connections, ServerLimits
from sentinel_host.sandbox import GuestLines
from sentinel_host.server import Endpoint, address_of, bind
from sentinel_host.server.serve import serve as serve_application

# Editors save in several steps, which a person does not notice as a wait.
_LOOK_EVERY: Final = 0.2
_GRACE: Final = 1.0


class Told(Protocol):
    """What happens, as it happens."""

    def building(self, name: str) -> None: ...

    def built(self, report: GuestReport, seconds: float) -> None: ...

    def failed(self, reason: str, *, serves: bool) -> None:
        """A build, or a guest that the gateway does not take; ``serves`` when an older one goes
        on.
        """

    def serving(self, url: str, configuration: str) -> None:
        """The first guest serves; ``configuration`` is what a gateway of the user's needs for
        it.
        """

    def swapped(self) -> None:
        """The newest guest serves."""

    def exchange(self, exchange: Exchange) -> None: ...

    def lines(self, lines: GuestLines, dropped: int) -> None: ...

    def remark(self, level: str, message: str) -> None:
        """What the gateway itself logs."""


@dataclass(frozen=True, slots=True)
class DevOptions:
    """Where to listen, and the upstream's URL; without one an echo is the upstream."""

    bind: str
    upstream: str | None = None


async def develop(project: Project, options: DevOptions, told: Told, stop: asyncio.Event) -> None:
    """Build and serve the project's guest, and follow its edits, until ``stop`` is set.

    Returns after the first build if that fails and ``stop`` is set. Raises `SentinelError` when
    there can be no gateway.
    """
    session = _Session(project, options, told)
    seen = session.sources()
    while not await session.build():
        # Nothing serves yet: the next edit may make it.
        seen = await session.changed(seen, stop)
        if stop.is_set():
            return
    async with session.serve() as gateway:
        while not stop.is_set():
            seen = await session.changed(seen, stop)
            if not stop.is_set() and await session.build():
                await session.swap(gateway)


class _Session:
    def __init__(self, project: Project, options: DevOptions, told: Told) -> None:
        self._project = project
        self._options = options
        self._told = told
        self._folder = project.folder / LINKS / "dev"
        self._fresh = self._folder / "build" / f"{project.name}.wasm"
        self._served = self._folder / "guests" / f"{project.name}.wasm"
        self._configuration = self._folder / "sentinel.toml"
        self._report: GuestReport | None = None
        self._upstream = options.upstream or ""
        self._is_serving = False

    def sources(self) -> dict[Path, tuple[int, int]]:
        """The files whose changes ask for a build, with what tells that one changed."""
        found: dict[Path, tuple[int, int]] = {}
        for name in (*self._project.language.sources, "sentinel.toml"):
            path = self._project.folder / name
            for file in [path] if path.is_file() else sorted(path.rglob("*")):
                with contextlib.suppress(OSError):
                    status = file.stat()
                    found[file] = (status.st_mtime_ns, status.st_size)
        return found

    async def changed(self, seen: dict[Path, tuple[int, int]], stop: asyncio.Event) -> dict[Path, tuple[int, int]]:
        """The sources once they differ from ``seen`` and have held still for one look, or ``stop``
        is set.
        """
        before = seen
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_EVERY)
            now = await asyncio.to_thread(self.sources)
            if now != seen and now == before:
                return now
            before = now
        return seen

    async def build(self) -> bool:
        """Build, and put the guest where the gateway finds it; whether there is a new one to
        serve.
        """
        name, loop = self._project.name, asyncio.get_running_loop()
        self._told.building(name)
        began = loop.time()
        build = Build(self._project.folder, name, self._fresh, debug=True)
        try:
            await asyncio.to_thread(self._project.language.build, build)
            report = await asyncio.to_thread(describe, self._fresh)
            self._report = report
            self._told.built(report, loop.time() - began)
            if self._upstream:
                self._write_configuration()
            self._publish()
        except (SentinelError, OSError) as error:
            self._told.failed(str(error), serves=self._is_serving)
            return False
        return True

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[ServedGateway]:
        """A gateway before the upstream."""
        async with contextlib.AsyncExitStack() as stack:
            if not self._upstream:
                self._upstream = await stack.enter_async_context(_served_echo())
            self._write_configuration()
            config = read_files(load_config(self._configuration))
            gateway = Gateway(
                config,
                self._told.lines,
                read_config=lambda: load_config(self._configuration),
                observe=lambda guest: Observed(guest, self._told.exchange),
            )
            served = await stack.enter_async_context(serve_gateway(gateway, config))
            self._gateway = gateway
            self._is_serving = True
            self._told.serving(served.urls[0], self._to_paste())
            if fault := self._fault():
                self._told.failed(fault, serves=False)
            yield served

    async def swap(self, gateway: ServedGateway) -> None:
        """Wait until the gateway serves what was built last, or says why it does not."""
        assert self._report is not None
        before = self._state()
        gateway.reload()
        while self._state().sha256 != self._report.sha256:
            if (fault := self._fault()) and self._state().failed_loads > before.failed_loads:
                self._told.failed(fault, serves=True)
                return
            await asyncio.sleep(0.02)
        self._told.swapped()

    def _state(self) -> Any:
        return next(state for state in self._gateway.guest_states() if state.name == self._project.name)

    def _fault(self) -> str:
        return str(self._state().error)

    def _publish(self) -> None:
        self._served.parent.mkdir(parents=True, exist_ok=True)
        copy = self._fresh.with_suffix(".copy")
        shutil.copyfile(self._fresh, copy)
        os.replace(copy, self._served)

    def _settings(self) -> dict[str, Any]:
        """The guest's table: what the project's own configuration says, and every grant that it
        needs.
        """
        own = self._project.folder / "sentinel.toml"
        settings: dict[str, Any] = {}
        if own.is_file():
            try:
                settings = dict(tomllib.loads(own.read_text()).get("guest", {}).get(self._project.name, {}))
            except (tomllib.TOMLDecodeError, OSError) as error:
                raise ConfigError(f"{own}: {error}") from None
        grants = sorted({*settings.get("grants", []), *(self._report.grants if self._report else ())})
        return settings | ({"grants": grants} if grants else {})

    def _write_configuration(self) -> None:
        name = self._project.name
        parts = [
            table("[server]", {"bind": [self._options.bind]}),
            table("[guests]", {"directory": "guests"}),
            # A guest that is being written fails now and then, and still the newest is the one to
            # try.
            table(f"[guest.{name}]", self._settings() | {"revert": False}),
            table("[[upstream]]", {"name": "upstream", "targets": [self._upstream]}),
            table("[[route]]", {"path": "/", "upstream": "upstream", "chain": [name]}),
        ]
        text = "\n".join(parts)
        with contextlib.suppress(FileNotFoundError):
            if self._configuration.read_text() == text:
                return
        self._configuration.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._configuration.with_suffix(".new")
        fresh.write_text(text)
        os.replace(fresh, self._configuration)

    def _to_paste(self) -> str:
        name, settings = self._project.name, self._settings()
        guest = table(f"[guest.{name}]", settings) + "\n" if settings else ""
        return f'{guest}[[route]]\npath = "/"\nupstream = "origin"\nchain = ["{name}"]\n'


@contextlib.asynccontextmanager
async def _served_echo() -> AsyncIterator[str]:
    stop, ready = asyncio.Event(), asyncio.Event()
    socket = bind("127.0.0.1:0")
    serving = asyncio.create_task(
        serve_application(
            echo,
            [Endpoint("public", socket, None, owned=True)],
            Connections(ServerLimits()),
            shutdown=stop.wait,
            grace=_GRACE,
            ready=ready.set,
        )
    )
    try:
        await ready.wait()
        yield f"http://{address_of(socket)}"
    finally:
        stop.set()
        await serving
        socket.close()
