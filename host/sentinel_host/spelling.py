"""What a misspelt name may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence that says that nothing is called ``name``: the name most like it, or
    nothing.

    >>> did_you_mean("workes", ["workers", "grace"])
    '; did you mean `workers`?'
    """
    # Case is a common slip, and counts for nothing here.
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f"; did you mean `{by_lower[near[0]]}`?" if near else ""
