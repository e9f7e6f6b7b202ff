//! Dates of HTTP (RFC 9110, section 5.6.7).

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds since 1970-01-01 of `Sun, 06 Nov 1994 08:49:37 GMT`. The two obsolete forms are no dates
/// here, which makes responses stale, not fresh.
pub fn parse(written: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(written).ok()?;
    let fields: Vec<&str> = text.split(' ').collect();
    let &[weekday, day, month, year, time, "GMT"] = fields.as_slice() else { return None };
    let clock: Vec<u64> = time.split(':').map(|part| number(part, 2)).collect::<Option<_>>()?;
    let &[hour, minute, second] = clock.as_slice() else { return None };
    if weekday.len() != 4 || !weekday.ends_with(',') || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let (day, year) = (number(day, 2)?, number(year, 4)?);
    if !(1..=31).contains(&day) || year < 1970 {
        return None;
    }
    // Days since 0000-03-01, in years that begin with March.
    let years = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = years * 365 + years / 4 - years / 100 + years / 400 + day_of_year - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

fn number(text: &str, length: usize) -> Option<u64> {
    let plain = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}
