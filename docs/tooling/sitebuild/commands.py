"""The reference of the command line, from its argparse parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Final

from sentinel_host.cli.main import parser

_INTRODUCTION: Final = """\
# Commands

`sentinel COMMAND` exits with 0, or with 1 and one line on stderr for each error. Wrong arguments
exit with 2. `sentinel COMMAND --help` shows what is here, and `sentinel --version` the version.
"""


def page() -> str:
    """The page's Markdown: each command with its arguments.

    argparse's own text is not used: it differs between versions of Python.
    """
    parts = [_INTRODUCTION]
    for name, help_text, command in commands():
        rows = [f"| `{_written(argument)}` | {_help(argument)} |" for argument in arguments(command)]
        parts += [f"## `sentinel {name}`", "", f"{help_text[0].upper()}{help_text[1:]}.", ""]
        parts += ["| argument | |", "|---|---|", *rows, ""]
    return "\n".join(parts).rstrip() + "\n"


def commands() -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Name, help and parser of each command that the help lists."""
    for action in parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice in action._choices_actions:
                yield choice.dest, choice.help or "", action.choices[choice.dest]


def arguments(command: argparse.ArgumentParser) -> list[argparse.Action]:
    """What a command takes, but for ``--help``."""
    return [action for action in command._actions if not isinstance(action, argparse._HelpAction)]


def _written(argument: argparse.Action) -> str:
    metavar = argument.metavar if isinstance(argument.metavar, str) else argument.dest.upper()
    if not argument.option_strings:
        return f"{metavar} …" if argument.nargs == "+" else metavar
    option = argument.option_strings[0]
    return option if argument.nargs == 0 else f"{option} {metavar}"


def _help(argument: argparse.Action) -> str:
    text = (argument.help or "") % vars(argument)
    needed = argument.required and argument.option_strings
    return f"{text}; needed" if needed and text else "needed" if needed else text
