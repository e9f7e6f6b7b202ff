"""What is installed from wheels: every file that it needs, and a gateway that serves standard
guests.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestbuild.places import BUILD, GUESTS, REPOSITORY
from guestbuild.standard_package import assemble
from sentinel_host.authoring.cache import locked
from tests.packaging.sources import FILES, FOLDERS
from tests.packaging.users import User, a_user
from tests.support.clients import fetch
from tests.support.gateways import GatewayProcess
from tests.support.upstreams import running_upstream

CONFIGURATION = """
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"

[guest.api-key-auth]
config = {{ keys = {{ "demo-key" = "demo" }} }}

[[upstream]]
name = "origin"
targets = ["{target}"]

[[route]]
path = "/"
upstream = "origin"
chain = ["access-log", "api-key-auth"]
"""


def run(*command: str | Path, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def wheel_of(source: Path, out: Path, *environment: str) -> None:
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", out)
    run("env", *environment, *pip, source, cwd=out)


@pytest.fixture(scope="module")
def host_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gateway's wheel, made from its source archive: a working tree would hide what the archive
    lacks.
    """
    folder = tmp_path_factory.mktemp("host")
    source, out = folder / "source", folder / "out"
    products = shutil.ignore_patterns("*.so", "*.egg-info", "__pycache__", "node_modules", "target")
    for name in FOLDERS:
        shutil.copytree(REPOSITORY / name, source / name, ignore=products)
    for name in FILES:
        shutil.copy(REPOSITORY / name, source)
    run(sys.executable, "-c", f"from setuptools import build_meta; build_meta.build_sdist({str(out)!r})", cwd=source)
    (archive,) = out.glob("sentinel_host-*.tar.gz")
    # What mypyc adds is looked at in the package that these tests run on: to compile it again takes
    # a minute.
    wheel_of(archive, out, "SENTINEL_COMPILE=0")
    (wheel,) = out.glob("sentinel_host-*.whl")
    return wheel


@pytest.fixture(scope="module")
def guests_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the standard guests."""
    folder = tmp_path_factory.mktemp("guests")
    with locked(BUILD / "guests.lock"):
        assemble(folder / "package")
    wheel_of(folder / "package", folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_a_wheel_made_from_the_source_archive_is_whole(host_wheel: Path) -> None:
    """Every file of the package, the compiled module, the command, and what authors of guests build
    against.
    """
    with zipfile.ZipFile(host_wheel) as content:
        metadata, names = set(), set()
        for name in content.namelist():
            (metadata if ".dist-info/" in name else names).add(name)
        (entry_points,) = (name for name in metadata if name.endswith("/entry_points.txt"))
        assert content.read(entry_points).decode().split("\n")[:2] == [
            "[console_scripts]",
            "sentinel = sentinel_host.__main__:main",
        ]
    compiled = {name for name in names if name.endswith(".so")}
    modules = {
        f"sentinel_host/{name}"
        for name in (
            "authoring/_steady",
            "fields/_fields",
            "http/_heads",
            "http/client/_pending",
            "http/h2/_hpack",
            "http/server/_section",
            "kv/_store",
            "limiter/_check",
            "limiter/_table",
            "native/_calls",
            "native/_native",
            "observe/_access",
            "upstream/_endpoints",
        )
    }
    assert {name.split(".")[0] for name in compiled} == modules
    host = REPOSITORY / "host"
    package = {
        str(path.relative_to(host))
        for path in (host / "sentinel_host").rglob("*")
        if path.is_file() and path.suffix not in (".so", ".pyc")
    }
    sdk = {name for name in names if name.startswith("sentinel_host/_sdk/")}
    assert names - compiled - sdk == package
    assert sdk == expected_sdk()


def expected_sdk() -> set[str]:
    """What the wheel must have of the SDKs and the contract: all but what develops and tests the
    SDKs themselves.
    """
    listed = subprocess.run(
        ("git", "ls-files", "sdk", "wit"), cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    development = re.compile(
        r"rust/generate-bindings/|assemblyscript/test/|c/tests/|typescript/(?:test/|biome\.jsonc$|tsconfig\.json$)|go/.*_test\.go$|.*/wit$|.*/\.gitignore$|.*/rustfmt\.toml$"
    )
    sources = {name.removeprefix("sdk/") for name in listed.stdout.split()}
    kept = {name for name in sources if not development.match(name)}
    npm = {f"assemblyscript/{name}" for name in kept if name.startswith("wit/") and name.endswith(".wit")}
    return {f"sentinel_host/_sdk/{name}" for name in kept | npm}


def test_the_standard_guests_are_a_wheel_for_every_python(guests_wheel: Path) -> None:
    assert guests_wheel.name.endswith("-py3-none-any.whl")
    built = {path.stem for language in ("rust", "assemblyscript") for path in (GUESTS / language).glob("*.wasm")}
    with zipfile.ZipFile(guests_wheel) as content:
        names = set(content.namelist())
    assert {name for name in names if name.endswith(".wasm")} == {f"sentinel_guests/wasm/{name}.wasm" for name in built}
    assert {name for name in names if name.endswith(".md")} == {f"sentinel_guests/docs/{name}.md" for name in built}
    host, guests = (
        tomllib.loads((REPOSITORY / folder / "pyproject.toml").read_text())["project"]["version"]
        for folder in ("", "guest-examples/package")
    )
    assert host == guests


def wheelhouse() -> Path:
    """Wheels of all that the gateway depends on, fetched once for each list of dependencies."""
    wanted = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    digest = hashlib.sha256("\n".join([sys.version, *wanted]).encode()).hexdigest()
    folder = BUILD / "wheelhouse" / digest[:16]
    with locked(BUILD / "wheelhouse.lock"):
        if not folder.is_dir():
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            command = (sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--dest", partial)
            run(*command, *wanted, cwd=partial)
            partial.rename(folder)
    return folder


@pytest.fixture
def user() -> Iterator[User]:
    """Somebody without rights, with an empty environment."""
    with a_user() as somebody:
        somebody.run(sys.executable, "-m", "venv", "--without-pip", "environment")
        yield somebody


def test_wheels_are_all_that_a_gateway_with_standard_guests_needs(
    user: User, host_wheel: Path, guests_wheel: Path
) -> None:
    """No compiler, Rust or Node, no rights, and no network."""
    # `nox -s tests` has a wheel with the hot path compiled, as users get it.
    wheels = Path(os.environ.get("SENTINEL_WHEEL", host_wheel)), guests_wheel
    python = user.folder / "environment" / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-cache-dir", "--no-index")
    # Python compiles what is imported, which is a tenth of the files.
    user.run(*pip, "--no-compile", "--find-links", wheelhouse(), *wheels)
    sentinel = python.with_name("sentinel")
    files = user.run(python, "-c", "import sentinel_guests; print(*sentinel_guests.__path__)").strip()
    guests = sorted(Path(files, "wasm").glob("*.wasm"))
    told = user.run(sentinel, "inspect", *guests)
    assert [line.split()[1] for line in told.splitlines() if line.startswith("file ")] == [str(path) for path in guests]
    with running_upstream() as upstream:
        (user.folder / "sentinel.toml").write_text(CONFIGURATION.format(target=upstream.url))
        assert "api-key-auth: ok, the standard guest " in user.run(sentinel, "check")
        process = subprocess.Popen(
            user.command(sentinel, "run"),
            cwd=user.folder,
            env=user.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        gateway = GatewayProcess(process, user.folder)
        try:
            gateway.wait(lambda: len(gateway.addresses) == 2, "listeners")
            assert fetch(gateway.public).status == 401
            assert fetch(gateway.public, headers={"x-api-key": "demo-key"}).body == b"hello"
            gateway.wait(lambda: len(gateway.guest_lines("access-log")) == 2, "lines of the access log")
            assert fetch(gateway.admin, "/readyz").status == 200
        finally:
            assert gateway.stop() == 0
        (request,) = upstream.requests
        assert request.values("x-principal") == ["demo"]
