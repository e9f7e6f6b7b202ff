//! Changes to header fields.

use sentinel_sdk::prelude::*;

use crate::table::Table;

/// Changes to header fields, in the order of the fields.
#[derive(ConfigSchema, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeaderRules {
    /// Names of fields to remove.
    remove: Vec<HeaderName>,
    /// Names of fields, and their new names.
    rename: Table<HeaderName, HeaderName>,
    /// Names and new values, for fields that are there already.
    replace: Table<HeaderName, HeaderValue>,
    /// Names and values, whether there is such a field or not.
    set: Table<HeaderName, HeaderValue>,
    /// Names and values, where there is no such field.
    add: Table<HeaderName, HeaderValue>,
    /// Names and values of further fields.
    append: Table<HeaderName, HeaderValue>,
}

/// A request or a response, with the changes made so far.
pub trait Message {
    fn values(&self, name: &str) -> Vec<Vec<u8>>;
    fn set(&mut self, name: &str, value: &[u8]);
    fn append(&mut self, name: &str, value: &[u8]);
    fn remove(&mut self, name: &str);
}

macro_rules! message {
    ($kind:ident) => {
        impl Message for $kind<'_> {
            fn values(&self, name: &str) -> Vec<Vec<u8>> {
                self.headers().filter(|(field, _)| *field == name).map(|(_, value)| value.to_vec()).collect()
            }

            fn set(&mut self, name: &str, value: &[u8]) {
                self.set_header(name, value);
            }

            fn append(&mut self, name: &str, value: &[u8]) {
                self.append_header(name, value);
            }

            fn remove(&mut self, name: &str) {
                self.remove_header(name);
            }
        }
    };
}

message!(Request);
message!(IncomingResponse);

impl HeaderRules {
    pub fn apply(&self, message: &mut impl Message) {
        for name in &self.remove {
            message.remove(name);
        }
        for (from, to) in &self.rename.0 {
            let values = message.values(from);
            if values.is_empty() || from == to {
                continue;
            }
            message.remove(from);
            message.remove(to);
            for value in values {
                message.append(to, &value);
            }
        }
        for (name, value) in &self.replace.0 {
            if !message.values(name).is_empty() {
                message.set(name, value.as_ref());
            }
        }
        for (name, value) in &self.set.0 {
            message.set(name, value.as_ref());
        }
        for (name, value) in &self.add.0 {
            if message.values(name).is_empty() {
                message.set(name, value.as_ref());
            }
        }
        for (name, value) in &self.append.0 {
            message.append(name, value.as_ref());
        }
    }
}
