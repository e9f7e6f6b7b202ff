use std::io::Read;

use sentinel_sdk::testing::Harness;

use super::*;

fn decoded(coding: Coding, encoded: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match coding {
        Coding::Gzip => flate2::read::GzDecoder::new(encoded).read_to_end(&mut out).unwrap(),
        Coding::Br => brotli::Decompressor::new(encoded, 4096).read_to_end(&mut out).unwrap(),
        Coding::Zstd => {
            let mut left = encoded;
            while !left.is_empty() {
                ruzstd::decoding::StreamingDecoder::new(&mut left).unwrap().read_to_end(&mut out).unwrap();
            }
            out.len()
        }
    };
    out
}

#[test]
fn bodies_come_out_as_they_went_in() {
    let text = "the quick brown fox jumps over the lazy dog; ".repeat(4000);
    for coding in Coding::ALL {
        for size in [1, 100, 65_536, text.len()] {
            let text = &text[..text.len().min(size * 50)];
            let mut harness = Harness::<Compress>::configure(Config::default()).unwrap();
            harness.on_request("GET", "/", &[("accept-encoding", coding.name())]);
            // An instance serves one body after the other.
            for _ in 0..2 {
                let mut encoded = Vec::new();
                for chunk in text.as_bytes().chunks(size) {
                    let out = harness.on_response_chunk(chunk, false).replacement.unwrap();
                    assert!(!out.is_empty(), "{coding:?} holds back {size}");
                    encoded.extend(out);
                }
                encoded.extend(harness.on_response_chunk(b"", true).replacement.unwrap());
                assert_eq!(decoded(coding, &encoded), text.as_bytes(), "{coding:?} {size}");
                assert!(size < 65_536 || encoded.len() * 10 < text.len(), "{coding:?} {}", encoded.len());
            }
        }
    }
}

#[test]
fn an_empty_body_is_encoded_too() {
    for coding in Coding::ALL {
        let mut harness = Harness::<Compress>::configure(Config::default()).unwrap();
        harness.on_request("GET", "/", &[("accept-encoding", coding.name())]);
        let encoded = harness.on_response_chunk(b"", true).replacement.unwrap();
        assert!(!encoded.is_empty());
        assert_eq!(decoded(coding, &encoded), b"");
    }
}

#[test]
fn the_client_chooses() {
    use Coding::{Br, Gzip, Zstd};
    for (accepted, expected) in [
        ("gzip", Some(Gzip)),
        ("GZIP, br", Some(Br)),
        ("zstd, gzip", Some(Gzip)),
        ("zstd;q=1, gzip;q=0.9", Some(Zstd)),
        ("gzip;q=0.001", Some(Gzip)),
        ("x-gzip", Some(Gzip)),
        ("*", Some(Br)),
        ("br;q=0, *", Some(Gzip)),
        ("br;q=0, gzip;q=0.0, *;q=0.5", Some(Zstd)),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip;q=0.5", Some(Gzip)),
        ("identity;q=0", None),
        ("*;q=0", None),
        ("gzip;q=0", None),
        ("deflate", None),
        ("", None),
        (",,;q=1,", None),
        ("gzip;q=2", None),
        ("gzip;q=1.001", None),
        ("gzip;q=0.1234", None),
        ("gzip;q=-1", None),
        ("gzip;q=", None),
        ("gzip;q", None),
        ("gzip;level=9", None),
        ("gzip ; Q=0.5 , br;q=0.4", Some(Gzip)),
        ("gzipx, xbr", None),
    ] {
        assert_eq!(choose([accepted.as_bytes()].into_iter(), &Coding::ALL), expected, "{accepted}");
    }
    assert_eq!(choose([&b"gzip;q=0.1"[..], b"zstd", b"\xff"].into_iter(), &Coding::ALL), Some(Zstd));
    assert_eq!(choose([&b"br"[..]].into_iter(), &[Gzip]), None);
}
