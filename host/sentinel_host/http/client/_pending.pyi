def has_no_pending_input(descriptor: int, /) -> bool:
    """Whether a socket is open, in order, and has nothing to read: neither bytes nor an end of stream.

    Does not wait, and reads nothing. Raises `OverflowError` for what cannot be a descriptor.
    """
