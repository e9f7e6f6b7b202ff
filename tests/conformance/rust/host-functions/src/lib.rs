//! A guest that calls the functions of the host that its configuration names, `{"calls": ["random 8", "clock"]}`, and answers
//! with a line for each.

use sentinel_sdk::prelude::*;
use sentinel_sdk::{clock, metrics, random};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    calls: Vec<String>,
}

struct HostFunctions(Config);

#[guest]
impl Guest for HostFunctions {
    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self(config))
    }

    fn on_request(&self, _request: &mut Request) -> Result<(), Response> {
        let lines: Vec<String> = self.0.calls.iter().map(|line| call(&line.split(' ').collect::<Vec<_>>())).collect();
        Err(Response::new(200).body(lines.join("\n")))
    }
}

fn call(words: &[&str]) -> String {
    match *words {
        ["clock"] => format!("{} {}", clock::wall().as_nanos(), clock::monotonic().as_nanos()),
        ["random", length] => hex(&random::bytes(length.parse().expect("a number"))),
        ["number"] => random::number().to_string(),
        ["add", name, value, ref labels @ ..] => {
            metrics::add(name, &pairs(labels), value.parse().expect("a number"));
            String::new()
        }
        ["observe", name, value, ref labels @ ..] => {
            metrics::observe(name, &pairs(labels), value.parse().expect("a number"));
            String::new()
        }
        _ => panic!("no function {words:?}"),
    }
}

/// Labels, each written `name=value`.
fn pairs<'a>(words: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    words.iter().map(|word| word.split_once('=').expect("name=value")).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
