use sentinel_sdk::testing::Harness;

use super::*;

fn rule(to: &str) -> RuleConfig {
    RuleConfig {
        path: None,
        prefix: None,
        pattern: None,
        host: None,
        scheme: None,
        to: to.into(),
        status: 302,
        keep_query: true,
    }
}

/// Where a rule leads from a target.
fn location(rule: RuleConfig, target: &str) -> Option<String> {
    let mut harness = Harness::<RedirectRules>::configure(Config { rules: vec![rule] }).unwrap();
    let response = harness.on_request("GET", target, &[]).response?;
    Some(String::from_utf8(response.get_header("location").unwrap().to_vec()).unwrap())
}

#[test]
fn prefixes_end_at_slashes() {
    for (prefix, to, target, expected) in [
        ("/old", "/new", "/old", Some("/new")),
        ("/old", "/new", "/old/", Some("/new/")),
        ("/old", "/new/", "/old/a/b?c", Some("/new/a/b?c")),
        ("/old/", "/new", "/old/a", Some("/new/a")),
        ("/old", "/new", "/older", None),
        ("/old", "/", "/old/a", Some("/a")),
        ("/old", "/new?x=1#top", "/old/a?b", Some("/new/a?x=1&b#top")),
        ("/", "https://shop.example", "/a?b", Some("https://shop.example/a?b")),
        ("/", "https://shop.example/", "/", Some("https://shop.example/")),
        ("/old", "https://shop.example", "/old//evil.example", Some("https://shop.example/evil.example")),
        ("/old", "/", "/old//evil.example", Some("/evil.example")),
        ("/old", "/", r"/old/\evil.example", Some("/evil.example")),
    ] {
        let rule = RuleConfig { prefix: Some(prefix.into()), ..rule(to) };
        assert_eq!(location(rule, target).as_deref(), expected, "{prefix} {to} {target}");
    }
}

#[test]
fn patterns_capture() {
    for (pattern, to, target, expected) in [
        ("/blog/*/*", "/posts/$2/$1", "/blog/a/b", Some("/posts/b/a")),
        ("/blog/*", "/posts/$1", "/blog/", None),
        ("/blog/*", "/posts/$1", "/blog/a/b", None),
        ("/img-*.png", "/img/$1.webp", "/img-a.b.png", Some("/img/a.b.webp")),
        ("/img-*.png", "/img/$1.webp", "/img-a.jpg", None),
        ("/*-*", "/$2/$1", "/a-b-c", Some("/b-c/a")),
        ("/a/**", "/$1", "/a/b/c", Some("/b/c")),
        ("/a/**", "/b/$1", "/a/", Some("/b/")),
        ("/a/**", "/b/$1", "/a", None),
        ("/**", "https://shop.example/$1", "/a", Some("https://shop.example/a")),
        ("/a*", "/$1", "/a/evil.example", None),
        ("/a*", "/$1", r"/a\evil.example", Some("/evil.example")),
    ] {
        let rule = RuleConfig { pattern: Some(pattern.into()), ..rule(to) };
        assert_eq!(location(rule, target).as_deref(), expected, "{pattern} {to} {target}");
    }
}

#[test]
fn a_rule_does_not_lead_to_itself() {
    let back = |to: &str| RuleConfig { pattern: Some("/a/**".into()), ..rule(to) };
    assert_eq!(location(back("/a/$1"), "/a/b?c"), None);
    assert_eq!(location(back("http://localhost/a/$1"), "/a/b"), None);
    assert_eq!(location(back("http://localhost:8080/a/$1"), "/a/b").as_deref(), Some("http://localhost:8080/a/b"));
    assert_eq!(location(back("https://localhost/a/$1"), "/a/b").as_deref(), Some("https://localhost/a/b"));
}

#[test]
fn hosts_are_written_out() {
    for to in [
        "//evil.example",
        "https://",
        "https://$1",
        "https://$1/a",
        "https://a@$1/",
        "https://a@b/",
        "javascript:alert(1)",
        "a",
        "",
        "/a b",
        "/a\r\nb",
        r"\\evil.example",
        r"/\evil.example",
        "/$2",
        "/$0",
        "/$",
        "/a?b=$1",
        "ftp://a/",
    ] {
        let rule = RuleConfig { pattern: Some("/a/*".into()), ..rule(to) };
        assert!(Rule::new(rule).is_err(), "{to}");
    }
}
