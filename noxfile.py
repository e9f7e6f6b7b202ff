"""Sentinel's development sessions: `nox -l` lists them, plain `nox` runs every check."""

from __future__ import annotations

import functools
import os
import shutil
import sys
import sysconfig
from collections.abc import Callable, Iterable
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
TOOLING = ROOT / "guest-examples" / "tooling"
sys.path[:0] = [str(TOOLING), str(ROOT / "host")]

from guestbuild import interpreters  # noqa: E402
from sentinel_host.authoring import debian, go_toolchain, node, rust_toolchain, stamps  # noqa: E402
from sentinel_host.errors import ToolchainError  # noqa: E402

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "generated", "native", "sdk", "docs", "tests"]

PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
DEPENDENCIES: list[str] = PYPROJECT["project"]["dependencies"]
PACKAGING = tuple(ROOT / name for name in ("pyproject.toml", "setup.py"))
DIST = ROOT / "dist"
PACKAGED = ("host/native", "host/sentinel_host", "sdk", "wit")
CRATES = tuple(
    ROOT / place
    for place in (
        "sdk/rust",
        "sdk/rust/generate-bindings",
        "guest-examples/rust",
        "tests/conformance/rust",
        "tests/bench/proxy_wasm/rust",
    )
)
C_TESTS = tuple(
    f"host/native{part}/tests"
    for part in ("", "/access", "/calls", "/endpoints", "/fields", "/heads", "/hpack", "/kv", "/limiter", "/section")
)
FUZZERS = tuple(f"host/native/{part}/tests" for part in ("calls", "heads", "hpack"))
BINDINGS = ROOT / "sdk" / "rust" / "generate-bindings"
CARGO_TARGET = {"CARGO_TARGET_DIR": str(ROOT / "build" / "cargo" / "native")}

# Processes of tests that share one core with two busy loops.
_STRESSED = 6

# The languages of the standard guests, and of the demo's.
STANDARD = ("rust", "assemblyscript")

# What tests talk to that is none of ours: commands and their packages of Debian.
TEST_PEERS = {
    "curl": "curl",
    "h2load": "nghttp2-client",
    "nginx": "nginx",
    "openssl": "openssl",
    "redis-server": "redis-server",
    "systemd-analyze": "systemd",
    "wrk": "wrk",
}

# What runs on every interpreter: requests through the whole gateway and its guests, over every
# protocol; the commands.
COMPAT_TESTS = ("tests/e2e", "tests/http2/test_gateway.py", "tests/http3", "tests/supervisor/test_restarts.py")

# The browser of a test that is left out where it is missing and nobody is root: command and package
# of Debian.
BROWSER = "chromium-headless-shell"

# What a benchmark measures against, by its name: commands and the packages of Debian that bring
# them.
BENCH_PEERS: dict[str, dict[str, str]] = {
    "guest-call": {},
    "gateway": {"nginx": "nginx", "wrk": "wrk"},
    "stream": {"nginx": "nginx", "curl": "curl"},
    "balance": {"nginx": "nginx", "wrk": "wrk", "h2load": "nghttp2-client", "valgrind": "valgrind"},
    "instructions": {"nginx": "nginx", "h2load": "nghttp2-client", "valgrind": "valgrind"},
    "observe": {"nginx": "nginx", "wrk": "wrk", "h2load": "nghttp2-client", "valgrind": "valgrind"},
    "limiter": {"nginx": "nginx", "wrk": "wrk"},
    "start": {},
    "sandbox": {},
    "http2": {"nginx": "nginx", "h2load": "nghttp2-client"},
    "http3": {"nginx": "nginx", "openssl": "openssl"},
    "grpc": {"nginx": "nginx", "h2load": "nghttp2-client", "curl": "curl"},
    "failover": {"nginx": "nginx", "haproxy": "haproxy"},
    "floods": {"nginx": "nginx", "h2load": "nghttp2-client"},
    "bodies": {},
    "swap": {"nginx": "nginx", "wrk": "wrk"},
    "peers": {"nginx": "nginx", "wrk": "wrk", "h2load": "nghttp2-client"},
    "scale": {"nginx": "nginx", "wrk": "wrk"},
}


def session(function: Callable[[nox.Session], None]) -> Callable[[nox.Session], None]:
    """Register a session whose missing tools end it with their message instead of a stack trace."""

    @functools.wraps(function)
    def guarded(session: nox.Session) -> None:
        try:
            function(session)
        except ToolchainError as error:
            session.error(str(error))

    return nox.session(guarded)


@session
def lint(session: nox.Session) -> None:
    """Style and import direction of the Python, formatting and clippy of the Rust."""
    install(session, group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", env={"PYTHONPATH": str(ROOT / "host")})
    cargo, environment = rust_toolchain.for_linting()
    for crate in CRATES:
        with session.chdir(crate):
            run_cargo(session, [*cargo, "fmt", "--all", "--check"], environment)
            clippy = [*cargo, "clippy", "--quiet", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]
            run_cargo(session, clippy, environment)


@session
def types(session: nox.Session) -> None:
    """mypy --strict on the package and on the guest tooling."""
    install(session, [*DEPENDENCIES, *group("types")])
    session.run("mypy")


@session
def generated(session: nox.Session) -> None:
    """Files made by a script are what it makes today.

    Each script writes its file when run without --check.
    """
    install_package(session)
    # The pages of the standard guests have tables from the schemas in their files.
    install(session, group("guests"))
    build_guests(session, *STANDARD)
    session.run("python", "tests/vectors/generate.py", "--check")
    session.run("python", "docs/tooling", "--check")
    bindings = ["run", "--quiet", "--locked", "--manifest-path", str(BINDINGS / "Cargo.toml"), "--", "--check"]
    run_cargo(session, [*rust_toolchain.cargo_command(), *bindings], rust_toolchain.rust_environment())


@session
def docs(session: nox.Session) -> None:
    """Write the reference anew and build the site into build/docs; `-- --check` wants no change.

    The build is strict. A page that is stale fails the check.
    """
    install_package(session)
    install(session, [*group("docs"), *group("guests")])
    build_guests(session, *STANDARD)
    session.run("python", "docs/tooling", *session.posargs)


@session
def native(session: nox.Session) -> None:
    """The C compiles without warnings; its own tests pass under sanitizers.

    The sanitizers are those of addresses and of undefined behaviour.
    """
    provide_compiler()
    install(session, [*PYPROJECT["build-system"]["requires"], *DEPENDENCIES])
    session.run("python", "host/native/check_warnings.py")
    for tests in C_TESTS:
        session.run("python", f"{tests}/run.py", *session.posargs)


@session
def fuzz(session: nox.Session) -> None:
    """libFuzzer looks for what the C misreads: answers of guests, heads, header blocks.

    `-- [SECONDS] [--keep]`, the seconds for each.
    """
    debian.provide("clang", "libclang-rt-dev", commands=("clang",))
    for tests in FUZZERS:
        session.run("python", f"{tests}/fuzz.py", *session.posargs)


@session
def guests(session: nox.Session) -> None:
    """Build the example guests into build/guests, but for those whose sources are unchanged."""
    # Guests in Go are made by what takes modules apart in the package.
    install_package(session)
    install(session, group("guests"))
    build_guests(session)


@session
def wheels(session: nox.Session) -> None:
    """Build dist/: sentinel-host as wheel and source archive, and the wheel sentinel-guests.

    The latter has the standard guests.
    """
    build_wheels(session)
    session.run("python", "-m", "build", "--sdist", "--outdir", str(DIST), str(ROOT))
    session.log("pip install dist/*.whl")


@session
def newcomer(session: nox.Session) -> None:
    """From the wheels to a guest's first request; `-- [--json FILE] [--language NAME]`."""
    build_wheels(session)
    session.run("python", "tests/newcomer.py", *map(str, sorted(DIST.glob("*.whl"))), *session.posargs)


@session
def sdk(session: nox.Session) -> None:
    """The SDKs' own tests and those of the example guests.

    They are run by cargo test, npm test and go test; those in C run under sanitizers.
    """
    provide_compiler()
    # The vectors are packed for C by a library that the SDK does not use.
    install(session, [requirement for requirement in DEPENDENCIES if requirement.startswith("msgpack")])
    session.run("python", "sdk/c/tests/run.py")
    go = go_toolchain.find()
    environment = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    with session.chdir(ROOT / "sdk" / "go"):
        for arguments in (("vet", "./..."), ("test", "./...")):
            session.run(str(go.command), *arguments, env=environment, external=True)
    cargo = rust_toolchain.cargo_command()
    for workspace in ("sdk/rust", "guest-examples/rust"):
        with session.chdir(ROOT / workspace):
            run_cargo(
                session, [*cargo, "test", "--quiet", "--locked", "--workspace"], rust_toolchain.rust_environment()
            )
    for package in ("sdk/assemblyscript", "sdk/typescript", "guest-examples/assemblyscript"):
        node.install(ROOT / package)
        with session.chdir(ROOT / package):
            session.run("npm", "test", "--silent", external=True)


@session
def tests(session: nox.Session) -> None:
    """Every Python test, on the package as users install it; arguments go to pytest.

    The guests are freshly built.

    `-- --stress [--seed N]` runs them beside two busy loops, pinned to one core, in an order made
    by the seed.
    """
    provide_test_peers()
    install_package(session)
    install(session, group("test"))
    build_guests(session)
    stress = "--stress" in session.posargs
    runner = ["python", "-m", "tests.stress" if stress else "pytest"]
    # More than there are cores, for half of their time they wait; beside the busy loops there are
    # more, for the loops never do. A file's tests share what they set up, and keep their order.
    count = _STRESSED if stress else len(os.sched_getaffinity(0)) + 1
    workers = ["-n", str(count), "--dist", "loadfile", "--no-loadscope-reorder", "--max-worker-restart", "0"]
    arguments = [argument for argument in session.posargs if argument != "--stress"]
    built = build_wheel(session, "python", interpreters.TAG)
    # Each of many processes would compile all tests once more where Python is told to keep nothing.
    environment = {"SENTINEL_WHEEL": str(built), "PYTHONDONTWRITEBYTECODE": ""}
    session.run(*runner, *workers, *arguments, env=environment)


@session
def compat(session: nox.Session) -> None:
    """Run the end-to-end tests on every CPython from 3.11 on found here, or on `-- 3.12 …`.

    Each gets a package that is built for it.
    """
    provide_compiler()
    provide_test_peers()
    install_package(session)
    install(session, group("guests"))
    build_guests(session)
    found = [
        python
        for python in interpreters.installed()
        if not session.posargs or python.version.rpartition(".")[0] in session.posargs
    ]
    for python in found:
        session.log(f"CPython {python.version}: {python.path}")
    for python in found:
        environment = Path(session.virtualenv.location).with_name(f"compat-{python.tag}")
        session.run(sys.executable, "-m", "virtualenv", "--quiet", "--python", python.path, environment, external=True)
        compatible = str(environment / "bin" / "python")
        wheel = build_wheel(session, compatible, python.tag)
        pip = (compatible, "-m", "pip", "--quiet", "--disable-pip-version-check", "install")
        session.run(*pip, *DEPENDENCIES, *group("test"), external=True)
        session.run(*pip, "--force-reinstall", "--no-deps", str(wheel), external=True)
        session.run(compatible, "-m", "pytest", "-n", "2", "--dist", "loadfile", *COMPAT_TESTS, external=True)


@session
def demo(session: nox.Session) -> None:
    """A gateway, three guests and a sample upstream to try with curl; `-- --check` probes them."""
    install_package(session)
    install(session, group("guests"))
    # A newcomer waits for no compilers of languages that the demo has no guest in.
    build_guests(session, *STANDARD)
    session.run("python", "guest-examples/demo/run.py", *session.posargs)


@session
def bench(session: nox.Session) -> None:
    """One benchmark: `-- NAME [--quick] [--json FILE]`, where NAME is a module of tests/bench."""
    name, *arguments = session.posargs or [""]
    if name not in BENCH_PEERS:
        session.error(f"usage: nox -s bench -- NAME [--quick] [--json FILE]; NAME is one of {', '.join(BENCH_PEERS)}")
    for command, package in BENCH_PEERS[name].items():
        debian.provide(package, commands=(command,))
    install_package(session)
    install(session, group("bench"))
    build_guests(session)
    session.run("python", "-m", f"tests.bench.{name.replace('-', '_')}", *arguments)


def group(name: str) -> list[str]:
    return list(nox.project.dependency_groups(PYPROJECT, name))


def build_guests(session: nox.Session, *languages: str) -> None:
    """The example guests in these languages, or in all."""
    only = [argument for language in languages for argument in ("--only", language)]
    session.run("python", str(TOOLING), "build", *only)


def build_wheels(session: nox.Session) -> None:
    """Both packages' wheels, in an empty ``dist/``."""
    install_package(session)
    install(session, [*group("guests"), *group("wheels"), "virtualenv"])
    build_guests(session, *STANDARD)
    standard = ROOT / "build" / "sentinel-guests"
    session.run("python", str(TOOLING), "package", str(standard))
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    shutil.copy(build_wheel(session, "python", interpreters.TAG), DIST)
    session.run("python", "-m", "build", "--wheel", "--outdir", str(DIST), str(standard))


def run_cargo(session: nox.Session, command: list[str], environment: dict[str, str]) -> None:
    session.run(*command, env=environment | CARGO_TARGET, external=True)


def provide_test_peers() -> None:
    for command, package in TEST_PEERS.items():
        debian.provide(package, commands=(command,))
    if debian.can_install():
        debian.provide(BROWSER, commands=(BROWSER,))


def provide_compiler() -> None:
    debian.provide("gcc", "libc6-dev", commands=("gcc",))
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        debian.provide(f"python{sys.version_info.major}.{sys.version_info.minor}-dev")


def install(session: nox.Session, requirements: Iterable[str]) -> None:
    """Install requirements into the session's environment."""
    wanted = sorted(requirements)
    once(session, "requirements", "\n".join(wanted), lambda: session.install(*wanted))


def install_package(session: nox.Session) -> None:
    """Install the package as a user would, again whenever any file of it changed; all sessions
    share one build.
    """
    provide_compiler()
    tag = interpreters.TAG
    inputs = package_digest(tag)

    def install_wheel() -> None:
        wheel = build_wheel(session, "python", tag)
        session.install(*DEPENDENCIES)
        # By force: it has the version of the one before.
        session.install("--force-reinstall", "--no-deps", str(wheel))

    once(session, "package", inputs, install_wheel)


def package_digest(tag: str) -> str:
    return stamps.tree_digest([*PACKAGING, *(ROOT / place for place in PACKAGED)], f"{tag} {sysconfig.get_platform()}")


def build_wheel(session: nox.Session, python: str, tag: str) -> Path:
    """The package's wheel for an interpreter, as a user would build it; made again whenever any
    file of it changed.
    """
    wheels = ROOT / "build" / "wheels" / tag / package_digest(tag)[:16]
    if not any(wheels.glob("*.whl")):
        # setuptools keeps what it copied for an earlier wheel, and would ship modules that no
        # longer exist.
        for stale in (*(ROOT / "build").glob("lib*"), wheels.parent):
            shutil.rmtree(stale, ignore_errors=True)
        command = (python, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(wheels), ".")
        session.run_install(*command, external=True)
    (wheel,) = wheels.glob("*.whl")
    return wheel


def once(session: nox.Session, what: str, state: str, install: Callable[[], None]) -> None:
    """Skip an installation that left this environment in the same state: nox alone would run pip
    every time.
    """
    installed = Path(session.virtualenv.location, f"installed-{what}.txt")
    if installed.is_file() and installed.read_text() == state:
        return
    install()
    installed.write_text(state)
