"""As much of Markdown as the checks need: headings, links and fenced blocks, by line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

# Columns at which prose wraps.
WIDTH: Final = 100
# Group 1 is the link's text, group 2 its target; images are links here.
LINK: Final = re.compile(r"(?<!\\)\[((?:[^\]\[`]|`[^`]*`)*)\]\(([^()\s]+)\)")
_FENCE: Final = re.compile(r"^(\s*)(`{3,})(.*)$")
_HEADING: Final = re.compile(r"^#{1,6} (.*?)\s*$")
_REMARK: Final = re.compile(r"<!--\s*(.*?)\s*-->")
_CODE: Final = re.compile(r"`[^`]*`")
_RULE: Final = re.compile(r"\|[-:| ]+\|")


@dataclass(slots=True)
class Block:
    """A fenced block: its language, its text, the line where it begins, and the remarks in comments
    right above.
    """

    language: str
    text: str
    line: int
    remarks: list[str] = field(default_factory=list)


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    current: Block | None = None
    indent = fence = ""
    remarks: list[str] = []
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        match = _FENCE.match(line)
        if current is None:
            if match:
                indent, fence = match[1], match[2]
                current, lines = Block(match[3].strip().partition(",")[0], "", number, remarks), []
                remarks = []
            elif line.strip():
                remark = _REMARK.fullmatch(line.strip())
                remarks = [*remarks, remark[1]] if remark else []
        elif match and match[2] == fence and not match[3]:
            current.text = "".join(f"{each.removeprefix(indent)}\n" for each in lines)
            yield current
            current = None
        else:
            lines.append(line)


def torn_tables(text: str) -> Iterator[int]:
    """The lines where a table begins without a head and a rule: a blank line ends the table
    before.
    """
    lines = dict(prose(text))
    for number, line in lines.items():
        begins = line.startswith("|") and not lines.get(number - 1, "").startswith("|")
        if begins and not _RULE.fullmatch(lines.get(number + 1, "").strip()):
            yield number


def prose(text: str) -> Iterator[tuple[int, str]]:
    """The lines outside of fenced blocks, with their numbers."""
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        match = _FENCE.match(line)
        if match and not fence:
            fence = match[2]
        elif match and match[2] == fence:
            fence = ""
        elif not fence:
            yield number, line


def long_lines(text: str) -> Iterator[int]:
    """Numbers of the lines of prose beyond `WIDTH` columns. Tables may be wider, and targets of
    links do not count.
    """
    for number, line in prose(text):
        if len(LINK.sub(r"[\1]", line)) > WIDTH and not line.lstrip().startswith("|"):
            yield number


def links(text: str) -> Iterator[tuple[int, str]]:
    """Line and target of each link, those in code aside."""
    inside = [match.span() for match in _CODE.finditer(without_blocks(text))]
    for match in LINK.finditer(without_blocks(text)):
        if not any(begin < match.start() < end for begin, end in inside):
            yield text.count("\n", 0, match.start()) + 1, match[2]


def without_blocks(text: str) -> str:
    """The page with spaces in place of its fenced blocks: every other character stands where it
    stood.
    """
    outside = dict(prose(text))
    lines = [outside.get(number, " " * len(line)) for number, line in enumerate(text.splitlines(), 1)]
    return "\n".join(lines) + "\n"


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for _, line in prose(text):
        if match := _HEADING.match(line):
            slug = re.sub(r"[^\w\- ]", "", LINK.sub(r"\1", match[1]).lower()).replace(" ", "-")
            number, unique = 0, slug
            while unique in found:
                number += 1
                unique = f"{slug}-{number}"
            found.add(unique)
    return found
