"""How far a response is, in the order in which its messages come.

Plain numbers and no enums: every request compares them dozens of times, and in compiled code a
comparison of numbers is one instruction, where a member of an enum is looked up by its name.
"""

from __future__ import annotations

from typing import Final

BEFORE_HEAD: Final = 0
# The application has given the head, which waits for the first body message.
HEAD_HELD: Final = 1
BODY: Final = 2
TRAILERS: Final = 3
DONE: Final = 4
