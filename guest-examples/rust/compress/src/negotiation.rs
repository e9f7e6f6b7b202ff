//! Which coding a client takes (RFC 9110, section 12.5.3).

use sentinel_sdk::prelude::*;

#[derive(ConfigSchema, Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Coding {
    Br,
    Gzip,
    Zstd,
}

impl Coding {
    pub const ALL: [Self; 3] = [Self::Br, Self::Gzip, Self::Zstd];

    pub fn name(self) -> &'static str {
        match self {
            Self::Br => "br",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// The coding that the client weighs most; of those that it weighs alike, the first of `offered`.
/// `None` for none, and for a client that weighs the plain content more.
pub fn choose<'a>(accepted: impl Iterator<Item = &'a [u8]>, offered: &[Coding]) -> Option<Coding> {
    let text: Vec<&str> = accepted.filter_map(|value| std::str::from_utf8(value).ok()).collect();
    let members: Vec<(&str, u16)> = text.iter().flat_map(|value| value.split(',')).filter_map(member).collect();
    let weight_of = |name: &str| {
        let named = members.iter().find(|(coding, _)| coding.eq_ignore_ascii_case(name));
        // What gzip was called before RFC 2068.
        let old = members.iter().find(|(coding, _)| name == "gzip" && coding.eq_ignore_ascii_case("x-gzip"));
        named.or(old).map(|&(_, weight)| weight)
    };
    let any = weight_of("*");
    let plain = weight_of("identity").unwrap_or(0);
    let mut best = None;
    for &coding in offered {
        let weight = weight_of(coding.name()).or(any).unwrap_or(0);
        if weight > 0 && weight >= plain && best.is_none_or(|(_, most)| weight > most) {
            best = Some((coding, weight));
        }
    }
    best.map(|(coding, _)| coding)
}

/// A coding and its weight in thousandths; `None` for what is no member.
fn member(written: &str) -> Option<(&str, u16)> {
    let (coding, parameters) = written.split_once(';').map_or((written, None), |(name, rest)| (name, Some(rest)));
    let coding = coding.trim();
    if coding.is_empty() {
        return None;
    }
    let Some(parameters) = parameters else { return Some((coding, 1000)) };
    let (name, value) = parameters.split_once('=')?;
    name.trim().eq_ignore_ascii_case("q").then_some((coding, weight(value.trim())?))
}

/// `0.5` is 500 (RFC 9110, section 12.4.2).
fn weight(written: &str) -> Option<u16> {
    let (whole, part) = written.split_once('.').unwrap_or((written, ""));
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: u16 = format!("{part:0<3}").parse().ok()?;
    match whole {
        "0" => Some(part),
        "1" if part == 0 => Some(1000),
        _ => None,
    }
}
