//! Where a rule leads: a path, or a URL whose host is written in the configuration.

#[derive(Debug)]
pub struct Target {
    /// `https://host` as it is written; empty for a path of the same host.
    origin: String,
    /// From the path on, up to query and fragment: text, and numbers of captures between.
    path: Vec<Piece>,
    query: Option<String>,
    fragment: Option<String>,
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Capture(usize),
}

impl Target {
    pub fn parse(written: &str, captures: usize) -> Result<Self, String> {
        // Visible ASCII: what a Location may hold (RFC 3986).
        if !written.bytes().all(|byte| byte.is_ascii_graphic()) || written.contains('\\') {
            return Err("it holds characters that a URL cannot hold".into());
        }
        let (rest, fragment) = split(written, '#');
        let (rest, query) = split(rest, '?');
        let path_start = match rest.find("://") {
            Some(end) if matches!(&rest[..end], "http" | "https") => {
                let host = end + 3;
                let host_end = rest[host..].find('/').map_or(rest.len(), |slash| host + slash);
                // A host made of what the client sent would let links of this site lead anywhere.
                if host_end == host || rest[host..host_end].contains(['$', '@']) {
                    return Err("its host is not written out".into());
                }
                host_end
            }
            _ if rest.starts_with("//") || !rest.starts_with('/') => {
                return Err("it begins with neither one / nor http:// or https:// and a host".into());
            }
            _ => 0,
        };
        if query.is_some_and(|query| query.contains('$')) || fragment.is_some_and(|text| text.contains('$')) {
            return Err("captures stand in the path only".into());
        }
        let (origin, path) = rest.split_at(path_start);
        Ok(Self {
            origin: origin.into(),
            path: pieces(if path.is_empty() { "/" } else { path }, captures)?,
            query: query.map(Into::into),
            fragment: fragment.map(Into::into),
        })
    }

    /// Let the path end with the first capture: what follows a prefix, which begins with a slash or
    /// is empty.
    pub fn append_rest(&mut self) {
        if let Some(Piece::Text(text)) = self.path.last_mut() {
            text.truncate(text.trim_end_matches('/').len());
        }
        self.path.push(Piece::Capture(0));
    }

    /// The URL for these captures and this query, which comes behind the target's own.
    pub fn expand(&self, captures: &[&str], query: Option<&str>) -> String {
        let mut path = String::new();
        for piece in &self.path {
            match piece {
                Piece::Text(text) => path.push_str(text),
                Piece::Capture(index) => path.push_str(captures.get(*index).unwrap_or(&"")),
            }
        }
        let mut out = self.origin.clone();
        // `//host` would be another host, and browsers take a backslash for a slash.
        out.push('/');
        out.push_str(&path.trim_start_matches(['/', '\\']).replace('\\', "%5C"));
        let queries = [self.query.as_deref(), query].into_iter().flatten().filter(|query| !query.is_empty());
        for (index, query) in queries.enumerate() {
            out.push(if index == 0 { '?' } else { '&' });
            out.push_str(query);
        }
        if let Some(fragment) = &self.fragment {
            out.push('#');
            out.push_str(fragment);
        }
        out
    }
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, behind)| (before, Some(behind)))
}

fn pieces(path: &str, captures: usize) -> Result<Vec<Piece>, String> {
    let mut parts = path.split('$');
    let mut pieces = vec![Piece::Text(parts.next().unwrap_or_default().into())];
    for part in parts {
        let digit = part.chars().next().and_then(|first| first.to_digit(10)).unwrap_or_default() as usize;
        if digit == 0 || digit > captures {
            return Err(format!("behind a $ stands the number of a wildcard, and there are {captures}"));
        }
        pieces.push(Piece::Capture(digit - 1));
        pieces.push(Piece::Text(part[1..].into()));
    }
    Ok(pieces)
}
