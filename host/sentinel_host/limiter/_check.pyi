from typing import overload

class Check:
    """Calls ``snt_limit_check_now`` on one table: both are told by their addresses, and both must outlive this."""

    def __new__(cls, function: int, table: int, /) -> Check: ...
    @overload
    def __call__(self, limit: bytes, key: bytes, /) -> int:
        """Count one request of ``key``: a verdict as one number. ``limit`` is the bytes of an ``snt_limit``.

        Raises `TypeError` when it has not the length of one.
        """

    @overload
    def __call__(self, limit: bytes, key: bytes, begun: object, /) -> object:
        """Count one request of ``key``. Of one that is allowed, a header field: ``begun``, which is a name and a value,
        with what `state_member` adds behind the value. Of one that is refused, a number: in how many whole seconds one
        may succeed, rounded up.
        """

def state_member(name: bytes, packed: int, /) -> bytes:
    """A verdict as a member of ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers-11 section 4): ``name``, which is a
    String of structured fields already, how many requests remain, and the whole seconds until the reset, rounded up.
    """
