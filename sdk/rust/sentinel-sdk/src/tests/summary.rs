use super::hex;
use crate::{Origin, Outcome, Summary};

const REQUIRED: &str = "a172 a3474554 a12f c0 a16e a168 a163 a132 01 02 00 03 04 01 02";

#[test]
fn trailing_fields_may_be_left_out() {
    for (count, tail, upstream, duration) in
        [("9f", "", None, None), ("dc0010", "a175", Some("u"), None), ("dc0011", "a175 05", Some("u"), Some(5))]
    {
        let payload = hex(&format!("{count} {REQUIRED} {tail}"));
        let summary = Summary::decode(&payload, b"");
        assert_eq!((summary.upstream, summary.upstream_duration), (upstream, duration));
        assert_eq!((summary.endpoint, summary.tries), (None, 0));
        assert_eq!((summary.outcome, summary.origin), (Outcome::ClientAborted, Origin::Gateway));
        assert_eq!((summary.request_id, summary.query, summary.status), ("r", None, 0));
    }
}

#[test]
#[should_panic(expected = "summary")]
fn an_unknown_outcome_is_refused() {
    Summary::decode(&hex("9f a172 a3474554 a12f c0 a16e a168 a163 a132 01 02 00 03 04 09 02"), b"");
}
