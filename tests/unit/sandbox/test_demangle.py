"""Mangled names of Rust, and what only looks like them."""

from __future__ import annotations

import random

import pytest

from sentinel_host.sandbox.demangle import demangle

NAMES = {
    # As a guest's name section has them.
    "_ZN14host_functions4trap17h91ed40295f787aa9E": "host_functions::trap",
    "_RNvCsfLfy6EI15iL_7___rustc10rust_panic": "__rustc::rust_panic",
    "_RNvNtCsgXGp5Oqx2Ny_4core9panicking9panic_fmt": "core::panicking::panic_fmt",
    "_RNCNvNtCsebHcaeoSrxy_3std9panicking13panic_handler0B5_": "std::panicking::panic_handler::{closure#0}",
    "_RINvNtNtCsebHcaeoSrxy_3std3sys9backtrace26___rust_end_short_backtraceNCNvNtB6_9panicking13panic_handler0zEB6_": (
        "std::sys::backtrace::__rust_end_short_backtrace<std::panicking::panic_handler::{closure#0}, !>"
    ),
    "_RNvMsa_NtCsgXGp5Oqx2Ny_4core3fmtNtB5_9Formatter9write_str": "<core::fmt::Formatter>::write_str",
    "_RNvXs1_NvNtCsebHcaeoSrxy_3std9panicking13panic_handlerNtB5_16StaticStrPayloadNtNtCsgXGp5Oqx2Ny_4core5panic12"
    "PanicPayload8take_box": (
        "<std::panicking::panic_handler::StaticStrPayload as core::panic::PanicPayload>::take_box"
    ),
    "_RNvXs5_NtNtCsgXGp5Oqx2Ny_4core3str6traitsINtNtNtB9_3ops5range5RangejEINtNtNtB9_5slice5index10SliceIndexeE"
    "5index": ("<core::ops::range::Range<usize> as core::slice::index::SliceIndex<str>>::index"),
    # The legacy scheme's escapes.
    "_ZN72_$LT$host..Guest$u20$as$u20$sdk..Hooks$LT$$u5b$u8$u5d$$C$$RF$str$GT$$GT$4call17h0123456789abcdefE": (
        "<host::Guest as sdk::Hooks<[u8],&str>>::call"
    ),
    "_ZN4core3ptr17h0123456789abcdefE.llvm.123": "core::ptr",
    "_ZN4core4call28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE": "core::call::{{closure}}",
    "_ZN3one3twoE": "one::two",
    # The rules of RFC 2603.
    "_RNvC6_123foo3bar": "123foo::bar",
    "_RNvC7mycrateu8gdel_5qa": "mycrate::gödel",
    "_RINvC1a1fAhj3_E": "a::f<[u8; 3]>",
    "_RINvC1a1fKan2a_Kb1_Kc41_E": "a::f<-42, true, 'A'>",
    "_RINvC1a1fTEThETheERL_eQL0_SxPoOE": None,
    "_RINvC1a1fThETheERL_eQSxPoOmE": "a::f<(u8,), (u8, str), &str, &mut [i64], *const u128, *mut u32>",
    "_RINvC1a1fFUKCheEbE": 'a::f<unsafe extern "C" fn(u8, str) -> bool>',
    "_RINvC1a1fFKaEuE": None,
    "_RINvC1a1fDNtC1b1Tp4ItemhEL_E": "a::f<dyn b::T<Item = u8>>",
    "_RINvC1a1fDINtC1b1ThEp4ItemhEL_E": "a::f<dyn b::T<u8, Item = u8>>",
    "_RINvC1a1fL_hE": "a::f<'_, u8>",
    "_RNSC1a6vtable": "a::{shim:vtable#0}",
    "_RNCNCC1a00": "a::{closure#0}::{closure#0}",
    # What is not mangled, or not so that it can be read.
    "": None,
    "on-request": None,
    "_ZN": None,
    "_ZN9short": None,
    "_ZNxE": None,
    "_R": None,
    "_R9": None,
    "_RNvC1a": None,
    "_RB_": None,
    "_RNvB0_1a": None,
    "_RNvC" + "9" * 3000: None,
    "_R" + "Nv" * 2000: None,
    "_RINvC1a1f" + "S" * 200 + "hE": None,
    "_ZN" + "1a" * 3000 + "E": None,
    "_ZN3öaE": None,
    "_RINvC1a1fKj3": None,
    "_RINvC1a1fKcfffffffffffffffffffff_E": None,
    "_ZN31$ufffffffffffffffffffffffffffff$E": None,
}


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str) -> None:
    assert demangle(name) == (NAMES[name] or name)


def test_references_that_repeat_each_other_end() -> None:
    """Each tuple holds the one before it twice: 40 of them would be 2 to the 40 types."""
    name = "INvC1a1fTheE"
    before = name.index("T")
    for _ in range(40):
        at = len(name)
        reference = "B_" if not before else f"B{base_62(before - 1)}_"
        name += f"T{reference}{reference}E"
        before = at
    assert demangle(f"_R{name}E") == f"_R{name}E"


def base_62(value: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    text = digits[value % 62]
    while value := value // 62:
        text = digits[value % 62] + text
    return text


def test_mutated_names_raise_nothing() -> None:
    chance = random.Random(1)
    alphabet = "CMXYNIBAFSTRQPODEKLGsuvphj_0123456789"
    for name in NAMES:
        for _ in range(200):
            mutated = [*name[:200]]
            for _ in range(chance.randint(1, 4)):
                mutated.insert(chance.randrange(3, max(4, len(mutated))), chance.choice(alphabet))
            demangle("".join(mutated))
