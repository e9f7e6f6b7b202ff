"""Parsing the command line. Each command lives in a module of its own, which is loaded when it is
called.
"""

from __future__ import annotations

import argparse
import gc
import io
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final, TypeAlias

from sentinel_host.cli.descriptors import reserve
from sentinel_host.errors import SentinelError
from sentinel_host.spelling import did_you_mean

_NO_THREAD: Final = "can't start new thread"
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

# Only a supervisor executes this command.
_WORKER: Final = "worker"
_TOLD_JSON: Final = "for programs: one JSON object on standard output"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the ``sentinel`` command; returns the exit code: 0, or 1 with one line on stderr for each
    error.
    """
    reserve()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # As stderr does: names and messages of guests may have characters that the terminal's
        # encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _worker_parser().parse_args(given[1:]) if given[:1] == [_WORKER] else parse_command(given)
    try:
        return int(options.command(options)) or _flush()
    except SentinelError as error:
        print(f"sentinel: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        # The system refused a process, a descriptor or memory before anything served.
        print(f"sentinel: {error}", file=sys.stderr)
        return 1
    except RuntimeError as error:
        # threading has no error of its own for what the system refuses.
        if str(error) != _NO_THREAD:
            raise
        print(f"sentinel: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _flush() -> int:
    """Flush stdout. Returns 1 if that fails."""
    try:
        sys.stdout.flush()
    except OSError as error:
        print(f"sentinel: standard output: {error.strerror}", file=sys.stderr)
        # Python would try once more at its end.
        sys.stdout = io.StringIO()
        return 1
    return 0


def parse_command(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line. Exits as argparse does, with a suggestion for a misspelt command."""
    known = parser()
    if not arguments:
        known.print_help(sys.stderr)
        known.exit(2)
    name = arguments[0]
    commands = command_parsers(known)
    if not name.startswith("-") and name not in commands:
        known.exit(2, f"sentinel: there is no command {name!r}{did_you_mean(name, commands)}\n")
    return known.parse_args(arguments)


def command_parsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of the commands, by name."""
    (commands,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return dict(commands.choices)


def _worker_parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(prog=f"sentinel {_WORKER}")
    command.add_argument("--control", metavar="FD", type=int, required=True)
    command.set_defaults(command=_command("worker", "worker"))
    return command


class _Version(argparse.Action):
    """Looks the versions up only for ``--version``, and not whenever a command starts."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print them and exit."""
        from sentinel_host.cli.version import versions

        print(versions())
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """Every command that is listed, with its arguments."""
    parser = argparse.ArgumentParser(prog="sentinel", description="An API gateway whose middleware is WebAssembly.")
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version, and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_configuration(commands)
    _add_authoring(commands)
    _add_inspect(commands)
    _add_running(commands)
    _add_signing(commands)
    return parser


def _add_configuration(commands: Commands) -> None:
    """The commands that read a configuration."""
    command = commands.add_parser("run", help="serve a configuration, or proxy everything to one upstream")
    source = command.add_mutually_exclusive_group()
    source.add_argument("--config", metavar="FILE", default="sentinel.toml", help="default: %(default)s")
    source.add_argument("--upstream", metavar="URL", help="no configuration: proxy everything there, through no guest")
    command.add_argument("--bind", metavar="ADDRESS", help="listen there instead of where the configuration says")
    command.set_defaults(command=_command("run", "run"))

    command = commands.add_parser("check", help="check a configuration and every guest that it names")
    command.add_argument("--config", metavar="FILE", default="sentinel.toml", help="default: %(default)s")
    command.add_argument("--json", action="store_true", help=_TOLD_JSON)
    command.set_defaults(command=_command("check", "check"))

    command = commands.add_parser("route", help="say which route a request gets, and why the others do not")
    command.add_argument("method", metavar="METHOD", help="the request's method")
    command.add_argument("url", metavar="URL", help="its URL, or a path")
    command.add_argument(
        "-H", "--header", metavar="FIELD", action="append", default=[], help="a header field, as NAME: VALUE"
    )
    command.add_argument("--config", metavar="FILE", default="sentinel.toml", help="default: %(default)s")
    command.add_argument("--json", action="store_true", help=_TOLD_JSON)
    command.add_argument("--run", action="store_true", help="run its guests here, and show what each changes")
    command.set_defaults(command=_command("route", "route"))

    command = commands.add_parser("diff", help="say what another configuration would change")
    command.add_argument("new", metavar="NEW.toml", help="the other configuration")
    _add_remote(command)
    command.add_argument("--running", action="store_true", help="compare with what a gateway that runs serves")
    command.add_argument("--json", action="store_true", help=_TOLD_JSON)
    command.set_defaults(command=_command("diff", "diff"))


def _add_inspect(commands: Commands) -> None:
    command = commands.add_parser("inspect", help="show what a guest's artefact holds")
    command.add_argument("file", metavar="FILE.wasm", nargs="+", help="guests' files")
    command.add_argument("--json", action="store_true", help="for programs: one JSON object per file")
    command.set_defaults(command=_command("inspect", "inspect"))


def _add_running(commands: Commands) -> None:
    """The commands for a gateway that runs."""
    command = commands.add_parser("guests", help="show the guests of a gateway that runs")
    _add_remote(command)
    command.add_argument("--json", action="store_true", help="everything, as JSON")
    command.set_defaults(command=_command("remote", "guests"))

    for action, told in (
        ("rollback", "go back to the previous version of a guest, or end its canary"),
        ("promote", "let a guest's canary, or its rolled-back version, serve every request"),
    ):
        command = commands.add_parser(action, help=told)
        command.add_argument("name", metavar="NAME", help="the guest's name")
        _add_remote(command)
        command.set_defaults(command=_command("remote", "act"), action=action)

    command = commands.add_parser("upstreams", help="show the upstreams' endpoints of a gateway that runs")
    _add_remote(command)
    command.add_argument("--json", action="store_true", help="everything, as JSON")
    command.set_defaults(command=_command("remote", "upstreams"))

    for action, told in (
        ("drain", "drain an endpoint: it gets no new requests"),
        ("undrain", "end the drain of an endpoint"),
    ):
        command = commands.add_parser(action, help=told)
        command.add_argument("upstream", metavar="UPSTREAM", help="the upstream's name")
        command.add_argument("endpoint", metavar="ENDPOINT", help="as `sentinel upstreams` shows it")
        _add_remote(command)
        command.set_defaults(command=_command("remote", "drain"), action=action)


def _add_signing(commands: Commands) -> None:
    """The commands that sign guests."""
    command = commands.add_parser("top", help="show a gateway that runs, live: routes, endpoints, guests")
    _add_remote(command)
    command.add_argument("--json", action="store_true", help="once, everything, as JSON")
    command.set_defaults(command=_command("top", "top"))

    command = commands.add_parser("keygen", help="make a key that signs guests: NAME.key, secret, and NAME.pub")
    files = "name of the files; default: %(default)s"
    command.add_argument("name", metavar="NAME", nargs="?", default="sentinel", help=files)
    command.set_defaults(command=_command("sign", "keygen"))

    command = commands.add_parser("sign", help="sign a guest's file, in place")
    command.add_argument("file", metavar="FILE.wasm", help="the guest's file")
    command.add_argument("--key", metavar="FILE.key", required=True, help="as `sentinel keygen` makes it")
    command.add_argument("--version", metavar="N", type=int, required=True, help="higher than what serves")
    command.add_argument("--name", help="the guest's name, by default the file's without .wasm")
    command.set_defaults(command=_command("sign", "sign"))


def _command(module: str, name: str) -> Callable[[argparse.Namespace], int]:
    """A function of a module in `sentinel_host.cli`, imported when called: most commands do not
    need the engine.
    """

    def call(options: argparse.Namespace) -> int:
        # Loading modules makes almost no garbage, and collecting takes an eighth of the start.
        gc.disable()
        try:
            function: Callable[[argparse.Namespace], int] = getattr(import_module(f"sentinel_host.cli.{module}"), name)
        finally:
            gc.enable()
        return function(options)

    return call


def _add_authoring(commands: Commands) -> None:
    """The commands for a guest's project."""
    command = commands.add_parser("new", help="make a guest's project: manifest, guest, tests, configuration")
    command.add_argument("name", metavar="NAME", help="the guest's name, and the folder to make")
    languages = ("rust", "assemblyscript", "typescript", "javascript", "python", "go", "c", "zig")
    command.add_argument("--language", choices=languages, default="rust", help="default: %(default)s")
    command.add_argument("--json", action="store_true", help=_TOLD_JSON)
    command.set_defaults(command=_command("authoring", "new"))

    command = commands.add_parser("build", help="build a guest's project; say what is missing, or what was built")
    command.add_argument("directory", metavar="DIR", nargs="?", default=".", help="the project; default: here")
    command.add_argument("--debug", action="store_true", help="have traps name the lines of sources; a larger file")
    command.add_argument("--sign", metavar="FILE.key", help="sign the file, as `sentinel sign` does")
    command.add_argument("--version", metavar="N", type=int, help="of the signature; default: the time in seconds")
    command.add_argument("--json", action="store_true", help=_TOLD_JSON)
    command.set_defaults(command=_command("authoring", "build"))

    told_place = "a guest's file, or its project, which is built first; default: here"
    command = commands.add_parser("test", help="run a guest's tests, self-test and case tables, without a gateway")
    command.add_argument("place", metavar="FILE.wasm|DIR", nargs="?", default=".", help=told_place)
    command.add_argument(
        "--cases",
        metavar="FILE",
        action="append",
        default=[],
        help="a case table; default: cases/*.json of the project",
    )
    command.add_argument(
        "--guest-config", metavar="JSON", help="the guest's configuration, for self-test cases without one"
    )
    command.add_argument("--junit", metavar="FILE", help="write the outcomes as JUnit's XML, too")
    command.add_argument(
        "--fuzz",
        metavar="N",
        type=int,
        nargs="?",
        const=10_000,
        default=0,
        help="make N odd requests, too; by itself 10,000",
    )
    command.add_argument("--seed", metavar="N", type=int, default=0, help="of the odd requests; default: %(default)s")
    command.add_argument("--json", action="store_true", help=_TOLD_JSON)
    command.set_defaults(command=_command("trial", "test"))

    command = commands.add_parser("dev", help="build a guest on save, and serve it before an echo or an upstream")
    command.add_argument("directory", metavar="DIR", nargs="?", default=".", help="the project; default: here")
    command.add_argument("--upstream", metavar="URL", help="default: one that answers with what it was asked")
    command.add_argument("--bind", metavar="ADDRESS", default="127.0.0.1:8080", help="default: %(default)s")
    command.add_argument("--json", action="store_true", help="for programs: one JSON object per event")
    command.set_defaults(command=_command("dev", "dev"))


def _add_remote(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config", metavar="FILE", default="sentinel.toml", help="the gateway's; default: %(default)s"
    )
    command.add_argument("--admin", metavar="ADDRESS", help="the admin side, if not where the configuration says")
