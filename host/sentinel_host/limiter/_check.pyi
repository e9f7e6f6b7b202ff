class Check:
    """Calls ``snt_limit_check_now`` on one table: both are told by their addresses, and both must outlive this."""

    def __new__(cls, function: int, table: int, /) -> Check: ...
    def __call__(self, limit: bytes, key: bytes, /) -> int:
        """Count one request of ``key``: a verdict as one number. ``limit`` is the bytes of an ``snt_limit``.

        Raises `TypeError` when it has not the length of one.
        """

def state_member(name: bytes, packed: int, /) -> bytes:
    """A verdict as a member of ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers-11 section 4): ``name``, which is a
    String of structured fields already, how many requests remain, and the whole seconds until the reset, rounded up.
    """
