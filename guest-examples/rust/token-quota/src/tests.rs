use sentinel_sdk::testing::Harness;

use super::*;

const OPENAI: &str = r#"{"id":"a","choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}"#;
const BOTH_NAMES: &str =
    r#"{"usage":{"prompt_tokens":9,"input_tokens":9,"completion_tokens":12,"output_tokens":12,"total_tokens":21}}"#;
const OPENAI_STREAM: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"h\"}}],\"usage\":null}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"i\"}}],\"usage\":null}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":12,\"total_tokens\":21}}\n\ndata: [DONE]\n\n";
const RESPONSES_STREAM: &str = "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":9,\"output_tokens\":12,\"total_tokens\":21}}}\n\n";
const ANTHROPIC: &str =
    r#"{"type":"message","usage":{"input_tokens":5,"cache_read_input_tokens":4,"output_tokens":12}}"#;
const ANTHROPIC_STREAM: &str = "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\r\n\r\nevent: message_delta\r\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":12}}\r\n\r\n";
const GEMINI: &str =
    r#"{"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":8,"thoughtsTokenCount":4,"totalTokenCount":21}}"#;
const GEMINI_LIST: &str = r#"[{"usageMetadata":{"promptTokenCount":9}},{"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":12,"totalTokenCount":21}}]"#;

fn harness(limit: u64, count: Count) -> Harness<TokenQuota> {
    let limits = BTreeMap::from([("big".to_owned(), 1000)]);
    Harness::configure(Config { limit, window: 3600, count, header: default_header(), limits }).unwrap()
}

/// What is left for a principal, or `None` for a refusal.
fn left(harness: &mut Harness<TokenQuota>, principal: &str) -> Option<u64> {
    let action = harness.on_request("POST", "/v1/chat/completions", &[("x-principal", principal)]);
    match action.response {
        None => {
            let kind = [("content-type", "text/event-stream")];
            let action = harness.on_response(200, &kind);
            let left = action.header("x-ratelimit-remaining-tokens").unwrap();
            Some(std::str::from_utf8(left).unwrap().parse().unwrap())
        }
        Some(response) => {
            assert_eq!(response.status(), 429);
            None
        }
    }
}

fn answer(harness: &mut Harness<TokenQuota>, body: &str, size: usize) {
    for chunk in body.as_bytes().chunks(size) {
        assert!(harness.on_response_chunk(chunk, false).replacement.is_none());
    }
    harness.on_response_chunk(b"", true);
}

#[test]
fn every_api_is_counted_however_it_is_cut() {
    for body in [OPENAI, BOTH_NAMES, OPENAI_STREAM, RESPONSES_STREAM, ANTHROPIC, ANTHROPIC_STREAM, GEMINI, GEMINI_LIST]
    {
        for size in [1, 7, 64, body.len()] {
            for (count, tokens) in [(Count::Total, 21), (Count::Input, 9), (Count::Output, 12)] {
                let mut harness = harness(100, count);
                assert_eq!(left(&mut harness, "ann"), Some(100));
                answer(&mut harness, body, size);
                assert_eq!(left(&mut harness, "ann"), Some(100 - tokens), "{count:?} {size} {body}");
                // The meter begins anew.
                answer(&mut harness, body, size);
                assert_eq!(left(&mut harness, "ann"), Some(100 - 2 * tokens), "{count:?} {size} {body}");
            }
        }
    }
}

#[test]
fn budgets_are_each_principals_own_and_end_with_the_window() {
    let mut harness = harness(30, Count::Total);
    for expected in [Some(30), Some(9), None] {
        assert_eq!(left(&mut harness, "ann"), expected);
        answer(&mut harness, if expected.is_some() { OPENAI } else { "" }, 100);
    }
    assert_eq!(left(&mut harness, "bob"), Some(30));
    assert_eq!(left(&mut harness, "big"), Some(1000));
    let refusal = harness.on_request("POST", "/", &[("x-principal", "ann")]).response.unwrap();
    assert_eq!(refusal.get_header("retry-after"), Some(&b"3600"[..]));
    harness.advance_clock(Duration::from_secs(3600));
    assert_eq!(left(&mut harness, "ann"), Some(30));
}

#[test]
fn a_client_that_leaves_has_paid_for_what_came() {
    let mut harness = harness(100, Count::Output);
    left(&mut harness, "ann");
    harness.on_response_chunk(b"data: {\"a\":1}\n\ndata: {\"a\":2}\n\ndata: {\"a\"", false);
    assert_eq!(left(&mut harness, "ann"), Some(98));
}

#[test]
fn without_usage_tokens_are_estimated() {
    for body in [
        r#"{"content":"12345678"}"#,
        r#"{"usage":"none","b":12}"#,
        r#"{"usage":{"total_tokens":-5}}"#,
        r#"{"usage":{"total_tokens":1.5}}"#,
        r#"{"usage":[]}"#,
        r#"{"usage":{"total_tokens":7}"#,
        "",
    ] {
        check(body, body.len() as u64 / 4);
    }
    check("data: {\"a\":1}\n\ndata: {\"a\":2}\n\ndata: [DONE]\n\n", 2);
    check(": comment\n\nevent: ping\ndata:\n\n", 0);
    check("data: {\"usage\":{\"total_tokens\":\"9\"}}\n\n", 1);

    fn check(body: &str, tokens: u64) {
        let mut harness = harness(100, Count::Total);
        left(&mut harness, "ann");
        answer(&mut harness, body, 5);
        assert_eq!(left(&mut harness, "ann"), Some(100 - tokens), "{body}");
    }
}

#[test]
fn endless_lines_and_documents_take_no_memory() {
    for beginning in ["data: ", "{"] {
        let mut harness = harness(u64::MAX, Count::Total);
        left(&mut harness, "ann");
        harness.on_response_chunk(beginning.as_bytes(), false);
        for _ in 0..100 {
            harness.on_response_chunk(&[b'a'; 100_000], false);
        }
        let end = b"\n\ndata: {\"usage\":{\"total_tokens\":7}}\n\n";
        harness.on_response_chunk(end, true);
        let expected = if beginning == "{" { (1 + 10_000_000 + end.len() as u64) / 4 } else { 7 };
        assert_eq!(u64::MAX - left(&mut harness, "ann").unwrap(), expected);
    }
}

#[test]
fn a_lie_about_usage_refuses_and_does_not_overflow() {
    let mut harness = harness(100, Count::Total);
    left(&mut harness, "ann");
    let most = u64::MAX;
    answer(
        &mut harness,
        &format!("{{\"usage\":{{\"total_tokens\":{most},\"input_tokens\":{most},\"output_tokens\":{most}}}}}"),
        50,
    );
    assert_eq!(left(&mut harness, "ann"), None);
}

#[test]
fn who_cannot_be_counted_is_not_served() {
    let mut harness = harness(100, Count::Total);
    harness.fail_kv(Some(kv::Error::Full));
    assert_eq!(harness.on_request("POST", "/", &[]).response.unwrap().status(), 503);
}
