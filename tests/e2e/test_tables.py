"""Tables for people: columns stand below each other, in colour or without."""

from __future__ import annotations

from sentinel_host.authoring.paint import Paint
from sentinel_host.cli.tables import figure, state_cell, table

ROWS = [("a", state_cell("serving"), figure(7)), ("longer", state_cell("down"), figure(1234))]


def test_figures_stand_at_the_right() -> None:
    assert table(("NAME", "STATE", "CALLS"), ROWS, Paint(False)) == [
        "NAME    STATE    CALLS",
        "a       serving      7",
        "longer  down      1234",
    ]


def test_colours_do_not_move_columns() -> None:
    plain, painted = (table(("NAME", "STATE", "CALLS"), ROWS, Paint(colours)) for colours in (False, True))
    assert "\x1b[32mserving\x1b[0m" in painted[1]
    assert "\x1b[31mdown\x1b[0m" in painted[2]
    for style in ("\x1b[0m", "\x1b[2m", "\x1b[31m", "\x1b[32m"):
        painted = [line.replace(style, "") for line in painted]
    assert painted == plain
