//! Changes to queries of `NAME=VALUE` pairs, as forms write them (URL,
//! "application/x-www-form-urlencoded").

use sentinel_sdk::prelude::*;

use crate::table::Table;

/// Changes to the parameters of the query, in the order of the fields.
#[derive(ConfigSchema, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueryRules {
    /// Names of parameters to remove.
    remove: Vec<String>,
    /// Names of parameters, and their new names.
    rename: Table<String, String>,
    /// Names and new values, for parameters that are there already.
    replace: Table<String, String>,
    /// Names and values, whether there is such a parameter or not.
    set: Table<String, String>,
    /// Names and values, where there is no such parameter.
    add: Table<String, String>,
    /// Names and values of further parameters.
    append: Table<String, String>,
}

/// As it is written, beside what its name says.
struct Parameter {
    name: String,
    written: String,
}

impl Parameter {
    fn new(name: &str, value: &str) -> Self {
        Self { name: name.into(), written: format!("{}={}", encode(name), encode(value)) }
    }
}

impl QueryRules {
    pub fn is_empty(&self) -> bool {
        let tables = [&self.rename, &self.replace, &self.set, &self.add, &self.append];
        self.remove.is_empty() && tables.iter().all(|table| table.0.is_empty())
    }

    /// The query with the changes. What they do not concern stays as it is written.
    pub fn apply(&self, query: &str) -> String {
        let written = query.split('&').filter(|written| !written.is_empty());
        let mut found: Vec<Parameter> = written
            .map(|written| Parameter {
                name: decode(written.split('=').next().unwrap_or_default()),
                written: written.into(),
            })
            .collect();
        found.retain(|parameter| !self.remove.contains(&parameter.name));
        for (from, to) in &self.rename.0 {
            if from == to || !has(&found, from) {
                continue;
            }
            found.retain(|parameter| parameter.name != *to);
            for parameter in found.iter_mut().filter(|parameter| parameter.name == *from) {
                let value = parameter.written.split_once('=').map(|(_, value)| value.to_owned());
                parameter.name.clone_from(to);
                parameter.written = value.map_or_else(|| encode(to), |value| format!("{}={value}", encode(to)));
            }
        }
        for (name, value) in &self.replace.0 {
            if has(&found, name) {
                set(&mut found, name, value);
            }
        }
        for (name, value) in &self.set.0 {
            set(&mut found, name, value);
        }
        for (name, value) in &self.add.0 {
            if !has(&found, name) {
                found.push(Parameter::new(name, value));
            }
        }
        found.extend(self.append.0.iter().map(|(name, value)| Parameter::new(name, value)));
        let written: Vec<String> = found.into_iter().map(|parameter| parameter.written).collect();
        written.join("&")
    }
}

fn has(found: &[Parameter], name: &str) -> bool {
    found.iter().any(|parameter| parameter.name == name)
}

/// One parameter of that name, where the first one is.
fn set(found: &mut Vec<Parameter>, name: &str, value: &str) {
    let Some(first) = found.iter().position(|parameter| parameter.name == name) else {
        return found.push(Parameter::new(name, value));
    };
    found[first] = Parameter::new(name, value);
    let mut at = 0;
    found.retain(|parameter| {
        at += 1;
        at - 1 <= first || parameter.name != name
    });
}

fn decode(written: &str) -> String {
    let bytes = written.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = written.get(at + 1..at + 3).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match (bytes[at], digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
