//! `cache-control` of requests and responses (RFC 9111, section 5.2).

/// The directives of one message. Times are seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Directives {
    pub no_store: bool,
    /// Also of `no-cache="field"`: without that field the response would be another one.
    pub no_cache: bool,
    pub private: bool,
    pub public: bool,
    pub must_revalidate: bool,
    pub only_if_cached: bool,
    pub max_age: Option<u64>,
    pub s_maxage: Option<u64>,
    pub min_fresh: Option<u64>,
    /// `max-stale` without a value is any time.
    pub max_stale: Option<u64>,
    pub stale_while_revalidate: Option<u64>,
    pub stale_if_error: Option<u64>,
}

impl Directives {
    /// Of contradicting ones the stricter counts: the shorter time, and no storing (section 4.2.1).
    pub fn parse<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut found = Self::default();
        for value in values {
            for member in split(&String::from_utf8_lossy(value)) {
                let (name, argument) = match member.split_once('=') {
                    Some((name, argument)) => (name.trim(), Some(argument.trim().trim_matches('"'))),
                    None => (member.trim(), None),
                };
                match name.to_ascii_lowercase().as_str() {
                    "no-store" => found.no_store = true,
                    "no-cache" => found.no_cache = true,
                    "private" => found.private = true,
                    "public" => found.public = true,
                    "must-revalidate" | "proxy-revalidate" => found.must_revalidate = true,
                    "only-if-cached" => found.only_if_cached = true,
                    "max-age" => shorten(&mut found.max_age, seconds(argument)),
                    "s-maxage" => shorten(&mut found.s_maxage, seconds(argument)),
                    "min-fresh" => found.min_fresh = Some(seconds(argument)),
                    "max-stale" => found.max_stale = Some(argument.map_or(MOST, |text| seconds(Some(text)))),
                    "stale-while-revalidate" => shorten(&mut found.stale_while_revalidate, seconds(argument)),
                    "stale-if-error" => shorten(&mut found.stale_if_error, seconds(argument)),
                    _ => {}
                }
            }
        }
        found
    }
}

/// A time that is larger counts as this (section 1.2.2).
const MOST: u64 = 1 << 31;

/// What is no time is none (section 4.2.1).
fn seconds(argument: Option<&str>) -> u64 {
    match argument {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().unwrap_or(MOST).min(MOST)
        }
        _ => 0,
    }
}

fn shorten(found: &mut Option<u64>, seconds: u64) {
    *found = Some(found.map_or(seconds, |before| before.min(seconds)));
}

/// The members of a list, whose commas within quotes separate nothing.
fn split(value: &str) -> Vec<&str> {
    let mut quoted = false;
    let separates = |character| {
        quoted ^= character == '"';
        character == ',' && !quoted
    };
    value.split(separates).collect()
}
