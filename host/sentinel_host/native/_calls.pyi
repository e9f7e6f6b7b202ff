def bind(call: int, output: int, /) -> None:
    """Say where ``snt_call`` and ``snt_guest_output`` are, for all that follows."""

def call(guest: int, slot: int, first: bytes, second: bytes, flag: bool, label: bytes, /) -> bytes | int | None:
    """``snt_call`` of the instance at an address, which may not be closed meanwhile.

    ``None`` stands for an empty answer, a number for all that ``snt_call`` returns beside a plain length.
    """
