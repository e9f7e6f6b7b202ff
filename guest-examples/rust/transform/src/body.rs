//! Changes to JSON bodies, at places that are JSON Pointers (RFC 6901).

use sentinel_sdk::prelude::*;

use crate::json::{Name, Node};
use crate::literal::Literal;
use crate::table::Table;

/// Changes to a JSON body, in the order of the fields.
#[derive(ConfigSchema, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BodyConfig {
    /// Pointers of values to remove, for example `/user/password`.
    remove: Vec<String>,
    /// Pointers of values to move, and where to: `"/user/mail" = "/user/email"`.
    rename: Table<String, String>,
    /// Pointers and the values to put there, where there is one already.
    replace: Table<String, Literal>,
    /// Pointers and the values to put there, whether there is one or not.
    set: Table<String, Literal>,
    /// Pointers and the values to put there, where there is none.
    add: Table<String, Literal>,
    /// Pointers of lists and the values to put at their ends; where there is none a list is made.
    append: Table<String, Literal>,
}

#[derive(Default)]
pub struct BodyRules(Vec<(Pointer, Change)>);

enum Change {
    Remove,
    Move(Pointer),
    Replace(Literal),
    Set(Literal),
    Add(Literal),
    Append(Literal),
}

/// A place: the names and indexes on the way to it, at least one.
pub struct Pointer(Vec<String>);

impl Pointer {
    pub fn parse(written: &str) -> Result<Self, String> {
        let Some(tokens) = written.strip_prefix('/') else {
            return Err(format!("{written:?} is no JSON Pointer: it begins with no /"));
        };
        let unescaped = tokens.split('/').map(|token| {
            // RFC 6901, section 4: ~1 first, so that ~01 is ~1.
            let rest = token.replace("~0", "").replace("~1", "");
            (!rest.contains('~')).then(|| token.replace("~1", "/").replace("~0", "~"))
        });
        match unescaped.collect::<Option<Vec<_>>>() {
            Some(tokens) if tokens.len() <= 32 => Ok(Self(tokens)),
            Some(_) => Err(format!("{written:?} has more than 32 steps")),
            None => Err(format!("{written:?} is no JSON Pointer: behind ~ stands 0 or 1")),
        }
    }

    /// The last step, and the way to it.
    fn split(&self) -> (&[String], &str) {
        let (last, way) = self.0.split_last().expect("a pointer has a step");
        (way, last)
    }
}

impl BodyRules {
    /// # Errors
    /// A message that names the key within `body`.
    pub fn new(config: BodyConfig) -> Result<Self, String> {
        let mut rules = Vec::new();
        let pointer = |key: &str, text: &str| Pointer::parse(text).map_err(|error| format!("body.{key}: {error}"));
        for text in &config.remove {
            rules.push((pointer("remove", text)?, Change::Remove));
        }
        for (from, to) in &config.rename.0 {
            rules.push((pointer("rename", from)?, Change::Move(pointer("rename", to)?)));
        }
        for (key, table, change) in [
            ("replace", config.replace, Change::Replace as fn(Literal) -> Change),
            ("set", config.set, Change::Set),
            ("add", config.add, Change::Add),
            ("append", config.append, Change::Append),
        ] {
            for (text, value) in table.0 {
                rules.push((pointer(key, &text)?, change(value)));
            }
        }
        Ok(Self(rules))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The body with the changes; `None` if it is not JSON.
    pub fn apply(&self, body: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(body).ok()?;
        let mut root = Node::parse(text)?;
        for (place, change) in &self.0 {
            let is_there = find(&mut root, &place.0).is_some();
            match change {
                Change::Remove => remove(&mut root, place),
                Change::Move(to) => {
                    if let Some(value) = find(&mut root, &place.0).map(|found| found.clone()) {
                        remove(&mut root, place);
                        put(&mut root, to, value);
                    }
                }
                Change::Replace(value) if is_there => put(&mut root, place, parsed(value)),
                Change::Add(value) if !is_there => put(&mut root, place, parsed(value)),
                Change::Set(value) => put(&mut root, place, parsed(value)),
                Change::Append(value) => append(&mut root, place, parsed(value)),
                Change::Replace(_) | Change::Add(_) => {}
            }
        }
        let mut out = String::with_capacity(body.len());
        root.write(&mut out);
        Some(out.into_bytes())
    }
}

fn parsed(literal: &Literal) -> Node<'_> {
    Node::parse(&literal.0).unwrap_or(Node::Scalar("null"))
}

/// An index as RFC 6901 writes it: no sign, no zero in front.
fn index(token: &str) -> Option<usize> {
    let plain = token.bytes().all(|byte| byte.is_ascii_digit()) && (token == "0" || !token.starts_with('0'));
    plain.then(|| token.parse().ok()).flatten()
}

/// The value at a place. Of members of one name it is the last, as most readers have it.
fn find<'n, 't>(node: &'n mut Node<'t>, way: &[String]) -> Option<&'n mut Node<'t>> {
    let Some((token, rest)) = way.split_first() else { return Some(node) };
    let next = match node {
        Node::Object(members) => {
            members.iter_mut().rev().find(|(name, _)| name.text() == token).map(|(_, value)| value)
        }
        Node::Array(items) => items.get_mut(index(token)?),
        Node::Scalar(_) => None,
    };
    find(next?, rest)
}

/// Remove the value at a place, and on the way there and at its end every member of these names: no
/// reader finds another.
fn remove(node: &mut Node, place: &Pointer) {
    fn walk(node: &mut Node, way: &[String], last: &str) {
        match (node, way.split_first()) {
            (Node::Object(members), None) => members.retain(|(name, _)| name.text() != last),
            (Node::Object(members), Some((token, rest))) => {
                for (_, value) in members.iter_mut().filter(|(name, _)| name.text() == token) {
                    walk(value, rest, last);
                }
            }
            (Node::Array(items), None) => {
                if let Some(index) = index(last).filter(|&index| index < items.len()) {
                    items.remove(index);
                }
            }
            (Node::Array(items), Some((token, rest))) => {
                if let Some(item) = index(token).and_then(|index| items.get_mut(index)) {
                    walk(item, rest, last);
                }
            }
            (Node::Scalar(_), _) => {}
        }
    }
    let (way, last) = place.split();
    walk(node, way, last);
}

/// Put a value at a place. Objects that are missing on the way are made; nothing happens where a
/// scalar is in the way, and to a list beyond its end.
fn put<'t>(root: &mut Node<'t>, place: &'t Pointer, value: Node<'t>) {
    let (way, last) = place.split();
    let Some(parent) = make_way(root, way) else { return };
    match parent {
        Node::Object(members) => put_member(members, last, value),
        Node::Array(items) if last == "-" => items.push(value),
        Node::Array(items) => {
            if let Some(item) = index(last).and_then(|index| items.get_mut(index)) {
                *item = value;
            }
        }
        Node::Scalar(_) => {}
    }
}

/// One member of that name, where the first one is.
fn put_member<'t>(members: &mut Vec<(Name<'t>, Node<'t>)>, wanted: &'t str, value: Node<'t>) {
    match members.iter().position(|(name, _)| name.text() == wanted) {
        Some(first) => {
            members[first].1 = value;
            let mut at = 0;
            members.retain(|(name, _)| {
                at += 1;
                at - 1 <= first || name.text() != wanted
            });
        }
        None => members.push((Name::new(wanted), value)),
    }
}

fn make_way<'n, 't>(node: &'n mut Node<'t>, way: &'t [String]) -> Option<&'n mut Node<'t>> {
    let Some((token, rest)) = way.split_first() else { return Some(node) };
    let next = match node {
        Node::Object(members) => {
            let found = members.iter().rposition(|(name, _)| name.text() == token);
            let at = found.unwrap_or_else(|| {
                members.push((Name::new(token), Node::Object(Vec::new())));
                members.len() - 1
            });
            &mut members[at].1
        }
        Node::Array(items) => items.get_mut(index(token)?)?,
        Node::Scalar(_) => return None,
    };
    make_way(next, rest)
}

fn append<'t>(root: &mut Node<'t>, place: &'t Pointer, value: Node<'t>) {
    match find(root, &place.0) {
        Some(Node::Array(items)) => items.push(value),
        Some(_) => {}
        None => put(root, place, Node::Array(vec![value])),
    }
}
