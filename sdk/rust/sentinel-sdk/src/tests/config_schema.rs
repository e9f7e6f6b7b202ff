use std::collections::BTreeMap;

use crate::config_schema::{length, whole, write, ConfigSchema};
use crate::{log, testing, HeaderName};

fn members<T: ConfigSchema>() -> String {
    testing::config_schema::<T>()
}

#[test]
fn types_have_schemas() {
    assert_eq!(members::<Vec<Option<bool>>>(), r#"{"type":"array","items":{"type":"boolean"}}"#);
    assert_eq!(
        members::<BTreeMap<HeaderName, Vec<f64>>>(),
        r#"{"type":"object","additionalProperties":{"type":"array","items":{"type":"number"}}}"#
    );
    assert_eq!(members::<log::Level>(), r#"{"enum":["trace","debug","info","warn","error"]}"#);
    assert_eq!(members::<u16>(), r#"{"type":"integer","minimum":0,"maximum":65535}"#);
}

#[test]
fn a_section_is_made_while_compiling() {
    type Config = Vec<Vec<String>>;
    const LENGTH: usize = length(whole::<Config>());
    const SECTION: [u8; LENGTH] = write(whole::<Config>());
    assert_eq!(std::str::from_utf8(&SECTION), Ok(members::<Config>().as_str()));
}
