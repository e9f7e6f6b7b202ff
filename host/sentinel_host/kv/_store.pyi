from typing import Any, NewType

Store = NewType("Store", object)

class _Lib:
    SNT_KV_BLOCK: int
    SNT_KV_SPACES: int
    SNT_KV_SPACE_NAME: int
    SNT_KV_FULL: int
    SNT_KV_TOO_LARGE: int
    SNT_KV_NOT_A_NUMBER: int
    SNT_KV_UNAVAILABLE: int
    SNT_KV_ABSENT: int

    def snt_kv_size(self, bytes: int, /) -> int: ...
    def snt_kv_make(self, memory: Any, bytes: int, secret: list[int], /) -> Store: ...
    def snt_kv_open(self, memory: Any, size: int, /) -> Store: ...
    def snt_kv_space(self, store: Store, name: bytes, /) -> int: ...
    def snt_kv_set(
        self,
        store: Store,
        space: int,
        quota: int,
        key: bytes,
        length: int,
        value: bytes,
        value_length: int,
        ttl: int,
        now: int,
        /,
    ) -> int: ...
    def snt_kv_used(self, store: Store, space: int, /) -> int: ...
    def snt_kv_capacity(self, store: Store, /) -> int: ...
    def snt_kv_recoveries(self, store: Store, /) -> int: ...

class _Ffi:
    NULL: Any
    def cast(self, cdecl: str, value: object, /) -> Any: ...
    def from_buffer(self, data: object, /) -> Any: ...
    def release(self, data: object, /) -> None: ...

lib: _Lib
ffi: _Ffi
