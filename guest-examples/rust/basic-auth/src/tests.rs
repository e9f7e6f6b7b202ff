use base64ct::{Base64, Encoding};
use sentinel_sdk::testing::Harness;

use super::*;

/// Of crypt_blowfish: `U*U`.
const BCRYPT: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
/// Of the reference implementation: `password`.
const ARGON2: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

fn config(users: &[(&str, &str)]) -> Config {
    let users = users.iter().map(|&(name, hash)| (name.into(), hash.into())).collect();
    Config { users, realm: default_realm(), principal_header: default_principal_header(), forward: false }
}

fn harness() -> Harness<BasicAuth> {
    Harness::configure(config(&[("ann", BCRYPT), ("bob", ARGON2)])).unwrap()
}

fn status(harness: &mut Harness<BasicAuth>, credentials: &[u8]) -> u16 {
    let value = format!("Basic {}", Base64::encode_string(credentials));
    let action = harness.on_request("GET", "/", &[("authorization", &value)]);
    action.response.map_or(200, |response| response.status())
}

#[test]
fn published_hashes_are_of_their_passwords() {
    for (hash, password) in [
        (BCRYPT, &b"U*U"[..]),
        ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", b"U*U*"),
        ("$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a", b"U*U*U"),
        ("$2y$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq", b"\xa3"),
        ("$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.", b""),
        (ARGON2, b"password"),
    ] {
        let parsed = hash::Hash::parse(hash).unwrap();
        assert!(parsed.is_of(password), "{hash}");
        assert!(!parsed.is_of(b"another") && !parsed.is_of(&[password, b"x"].concat()), "{hash}");
    }
}

#[test]
fn a_user_passes_with_the_own_password_only() {
    let mut harness = harness();
    for _ in 0..2 {
        for (credentials, expected) in [
            (&b"ann:U*U"[..], 200),
            (b"bob:password", 200),
            (b"ann:password", 401),
            (b"bob:U*U", 401),
            (b"ann:", 401),
            (b":U*U", 401),
            (b"Ann:U*U", 401),
            (b"ann :U*U", 401),
            (b"ann:U*U\0", 401),
            (b"ann:U*U:", 401),
            (b"eve:U*U", 401),
            (b"annU*U", 401),
            (b"\xff:\xff", 401),
            (b"", 401),
        ] {
            assert_eq!(status(&mut harness, credentials), expected, "{credentials:?}");
        }
    }
}

#[test]
fn the_upstream_gets_the_name_and_not_the_password() {
    let mut harness = harness();
    let headers = [("authorization", "bAsIc YW5uOlUqVQ=="), ("x-principal", "root")];
    let action = harness.on_request("GET", "/", &headers);
    assert_eq!((action.header("x-principal"), action.header("authorization")), (Some(&b"ann"[..]), None));
}

#[test]
fn what_is_no_basic_authorization_is_challenged() {
    let mut harness = harness();
    for value in [
        "",
        "Basic",
        "Basic ",
        "Basic YW5uOlUqVQ",
        "Basic YW5uOlUqVQ== x",
        "Basic !!!!",
        "Bearer YW5uOlUqVQ==",
        "YW5uOlUqVQ==",
    ] {
        let response = harness.on_request("GET", "/", &[("authorization", value)]).response.expect(value);
        assert_eq!(response.status(), 401);
        assert_eq!(response.get_header("www-authenticate"), Some(&b"Basic realm=\"sentinel\", charset=\"UTF-8\""[..]));
    }
    let twice = [("authorization", "Basic YW5uOlUqVQ=="), ("authorization", "Basic YW5uOlUqVQ==")];
    assert_eq!(harness.on_request("GET", "/", &twice).response.unwrap().status(), 400);
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    for (users, expected) in [
        (&[][..], "at least one"),
        (&[("", BCRYPT)], "empty or holds a colon"),
        (&[("a:b", BCRYPT)], "empty or holds a colon"),
        (&[("a\nb", BCRYPT)], "a name"),
        (&[("ann", "secret")], "users: ann: it is no hash"),
        (&[("ann", "")], "no hash"),
        (&[("ann", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=")], "no hash"),
        (&[("ann", "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/")], "no hash"),
        (&[("ann", "$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")], "no hash"),
        (&[("ann", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe")], "no hash"),
        (&[("ann", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ")], "argon2"),
        (&[("ann", "$argon2id$v=19$m=0,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")], "argon2"),
    ] {
        let Err(error) = Harness::<BasicAuth>::configure(config(users)) else { panic!("{expected}") };
        assert!(error.contains(expected) && !error.contains("CCCC"), "{error}");
    }
}
