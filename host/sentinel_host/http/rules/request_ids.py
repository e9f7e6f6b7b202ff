"""Ids of requests that come without one."""

from __future__ import annotations

import os
from typing import Final

_DIGITS: Final = 32
# To ask the kernel for each takes longer than all else about it.
_AT_ONCE: Final = 256


class RequestIds:
    """Makes ids: 128 random bits as 32 hexadecimal digits.

    A child that is forked makes others than its parent.

    >>> ids = RequestIds()
    >>> len(ids.next()), ids.next() == ids.next()
    (32, False)
    """

    __slots__ = ("_digits", "_used")

    def __init__(self) -> None:
        self._digits = ""
        self._used = 0
        os.register_at_fork(after_in_child=self._forget)

    def next(self) -> str:
        """An id that nobody else has."""
        begin = self._used
        if begin == len(self._digits):
            self._digits = os.urandom(_AT_ONCE * _DIGITS // 2).hex()
            begin = 0
        self._used = begin + _DIGITS
        return self._digits[begin : begin + _DIGITS]

    def _forget(self) -> None:
        self._digits = ""
        self._used = 0
