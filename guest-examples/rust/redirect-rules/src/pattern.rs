//! Paths with wildcards: `*` is any part of one segment, `**` at the end any rest. Matching takes
//! linear time.

/// What a wildcard matched, in order; `$1` is the first.
pub type Captures<'p> = Vec<&'p str>;

#[derive(Debug)]
pub struct Pattern {
    segments: Vec<String>,
    /// Whether `**` ends the pattern.
    rest: bool,
    wildcards: usize,
}

impl Pattern {
    pub fn parse(written: &str) -> Result<Self, String> {
        let Some(path) = written.strip_prefix('/') else {
            return Err("it begins with no /".into());
        };
        let (path, rest) = match path.strip_suffix("**") {
            Some(before) if before.is_empty() || before.ends_with('/') => (before, true),
            _ => (path, false),
        };
        if path.contains("**") {
            return Err("** stands at the end only, behind a /".into());
        }
        let mut segments: Vec<String> = path.split('/').map(Into::into).collect();
        if rest {
            // What stands behind the last slash is the rest.
            segments.pop();
        }
        let wildcards = path.matches('*').count() + usize::from(rest);
        if wildcards > 9 {
            return Err("more than nine wildcards".into());
        }
        Ok(Self { segments, rest, wildcards })
    }

    pub fn wildcards(&self) -> usize {
        self.wildcards
    }

    pub fn matches<'p>(&self, path: &'p str) -> Option<Captures<'p>> {
        let mut left = Some(path.strip_prefix('/')?);
        let mut captures = Vec::new();
        for segment in &self.segments {
            let (first, others) = match left?.split_once('/') {
                Some((first, others)) => (first, Some(others)),
                None => (left?, None),
            };
            if !match_segment(segment, first, &mut captures) {
                return None;
            }
            left = others;
        }
        match (self.rest, left) {
            (true, Some(rest)) => captures.push(rest),
            (false, None) => {}
            _ => return None,
        }
        Some(captures)
    }
}

/// Match one segment, and note what each `*` stood for. A `*` that stands for a whole segment
/// stands for something.
fn match_segment<'p>(pattern: &str, segment: &'p str, captures: &mut Captures<'p>) -> bool {
    if pattern == "*" && segment.is_empty() {
        return false;
    }
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut left) = segment.strip_prefix(first) else { return false };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return left.is_empty();
    }
    while let Some(piece) = pieces.next() {
        // The shortest match of all but the last: what they take, those behind cannot need.
        let end = if pieces.peek().is_none() {
            left.ends_with(piece).then(|| left.len() - piece.len())
        } else {
            left.find(piece)
        };
        let Some(end) = end else { return false };
        captures.push(&left[..end]);
        left = &left[end + piece.len()..];
    }
    true
}
