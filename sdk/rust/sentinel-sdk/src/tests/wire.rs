use super::hex;
use crate::wire::{put_array, put_bin, put_str, put_unsigned, Malformed, Reader, Token};

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

#[test]
fn integers_take_the_shortest_form_and_come_back() {
    for (value, form) in [
        (0, "00"),
        (0x7f, "7f"),
        (0x80, "cc80"),
        (0xff, "ccff"),
        (0x100, "cd0100"),
        (0xffff, "cdffff"),
        (0x1_0000, "ce00010000"),
        (0xffff_ffff, "ceffffffff"),
        (0x1_0000_0000, "cf0000000100000000"),
        (u64::MAX, "cfffffffffffffffff"),
    ] {
        let bytes = written(|out| put_unsigned(out, value));
        assert_eq!(bytes, hex(form));
        assert_eq!(Reader::new(&bytes).unsigned(), Ok(value));
    }
}

#[test]
fn text_and_bytes_take_the_shortest_length() {
    for (length, text_head, bin_head) in [
        (0, "a0", "c400"),
        (31, "bf", "c41f"),
        (32, "d920", "c420"),
        (255, "d9ff", "c4ff"),
        (256, "da0100", "c50100"),
        (65_535, "daffff", "c5ffff"),
        (65_536, "db00010000", "c600010000"),
    ] {
        let text = "x".repeat(length);
        let bytes = written(|out| put_str(out, &text));
        assert_eq!(bytes[..bytes.len() - length], hex(text_head));
        assert_eq!(Reader::new(&bytes).str(), Ok(text.as_str()));
        let bytes = written(|out| put_bin(out, text.as_bytes()));
        assert_eq!(bytes[..bytes.len() - length], hex(bin_head));
        assert_eq!(Reader::new(&bytes).bin(), Ok(text.as_bytes()));
    }
}

#[test]
fn arrays_take_the_shortest_length() {
    for (length, form) in [(0, "90"), (15, "9f"), (16, "dc0010"), (65_535, "dcffff"), (65_536, "dd00010000")] {
        let bytes = written(|out| put_array(out, length));
        assert_eq!(bytes, hex(form));
        assert_eq!(Reader::new(&bytes).array(), Ok(length));
    }
}

#[test]
fn every_marker_is_read() {
    for (form, token) in [
        ("c0", Token::Nil),
        ("c2", Token::Bool(false)),
        ("c3", Token::Bool(true)),
        ("e0", Token::Signed(-32)),
        ("ff", Token::Signed(-1)),
        ("d080", Token::Signed(-128)),
        ("d18000", Token::Signed(-32_768)),
        ("d280000000", Token::Signed(-2_147_483_648)),
        ("d38000000000000000", Token::Signed(i64::MIN)),
        ("ca3fc00000", Token::Float(1.5)),
        ("cb3ff8000000000000", Token::Float(1.5)),
        ("82", Token::Map(2)),
        ("de0003", Token::Map(3)),
        ("df00000004", Token::Map(4)),
        ("d401ff", Token::Extension),
        ("d801 00000000000000000000000000000000", Token::Extension),
        ("c70301 aabbcc", Token::Extension),
        ("c8000101 aa", Token::Extension),
        ("c90000000101 aa", Token::Extension),
    ] {
        let bytes = hex(form);
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.token(), Ok(token), "{form}");
        assert!(reader.is_at_end(), "{form}");
    }
}

#[test]
fn a_signed_form_of_a_natural_number_is_one() {
    assert_eq!(Reader::new(&hex("d07f")).unsigned(), Ok(127));
    assert_eq!(Reader::new(&hex("ff")).unsigned(), Err(Malformed));
}

#[test]
fn what_is_cut_off_or_of_another_type_is_refused() {
    for form in ["", "c1", "cc", "cd00", "a1", "d9", "d902aa", "c4", "c402aa", "dc00", "c6ffffffff", "dbffffffff00"] {
        assert!(Reader::new(&hex(form)).token().is_err(), "{form}");
    }
    assert_eq!(Reader::new(&hex("c401aa")).text(), Err(Malformed));
    assert_eq!(Reader::new(&hex("a161")).bin(), Err(Malformed));
    assert_eq!(Reader::new(&hex("a1ff")).str(), Err(Malformed));
    assert_eq!(Reader::new(&hex("c0")).array(), Err(Malformed));
}

#[test]
fn skipping_passes_over_whole_values_of_any_depth() {
    let mut deep = vec![0x91; 100_000];
    deep.push(0xc0);
    deep.push(0x07);
    let mut reader = Reader::new(&deep);
    reader.skip(1).unwrap();
    assert_eq!(reader.unsigned(), Ok(7));

    let nested = hex("82 a161 92 01 c0 a162 c401ff 07");
    let mut reader = Reader::new(&nested);
    reader.skip(1).unwrap();
    assert_eq!(reader.unsigned(), Ok(7));
    assert!(Reader::new(&hex("93 01 02")).skip(1).is_err());
}
