from __future__ import annotations

from sentinel_host.memo import Memo


def test_a_full_memo_forgets_all_but_what_it_began_with() -> None:
    memo = Memo[str, int](3, pinned={"always": 0})
    known = memo.known
    for number in range(1, 3):
        memo.keep(str(number), number)
    assert known == {"always": 0, "1": 1, "2": 2}
    memo.keep("3", 3)
    assert known == {"always": 0, "3": 3}
    assert memo.known is known


def test_the_newest_result_is_kept_however_many_came_before() -> None:
    memo = Memo[tuple[int], int](8)
    for number in range(1000):
        memo.keep((number,), number)
        assert memo.known[(number,)] == number
        assert len(memo.known) <= 8


def test_long_keys_are_not_kept() -> None:
    memo = Memo[bytes, bool](8, longest=4)
    memo.keep(b"12345", True)
    memo.keep(b"1234", True)
    assert memo.known == {b"1234": True}
