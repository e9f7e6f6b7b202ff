from __future__ import annotations

import os
import re

from sentinel_host.http.rules.request_ids import RequestIds


def test_ids_are_digits_and_no_two_are_alike() -> None:
    ids = RequestIds()
    made = [ids.next() for _ in range(1000)]
    assert all(re.fullmatch(r"[0-9a-f]{32}", each) for each in made)
    assert len(set(made)) == len(made)


def test_a_forked_child_makes_others() -> None:
    ids = RequestIds()
    ids.next()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, ids.next().encode())
        os._exit(0)
    os.waitpid(child, 0)
    with os.fdopen(reading) as told:
        os.close(writing)
        assert told.read() != ids.next()
