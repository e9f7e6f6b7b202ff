//! A guest that calls the functions of the host that its configuration names,
//! `{"calls": ["random 8", "clock"]}`, and answers with a line for each.

#[macro_use]
extern crate sentinel_sdk;

use sentinel_sdk::metrics::Description;
use sentinel_sdk::prelude::*;
use sentinel_sdk::{clock, http, kv, metrics, random};
use std::time::Duration;

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
        if self.0.calls == ["print"] {
            println!("called");
        }
        let lines: Vec<String> = self.0.calls.iter().map(|line| call(&line.split(' ').collect::<Vec<_>>())).collect();
        Err(Response::new(200).body(lines.join("\n")))
    }
}

fn call(words: &[&str]) -> String {
    match *words {
        ["trap", text] => trap(text),
        ["print"] => {
            println!("printed {}", 1);
            eprintln!("complained");
            dbg!(2 + 3).to_string()
        }
        ["item", "texts", at] => item(at.parse().expect("a number")),
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
        ["describe", name, kind, help, unit, ref bounds @ ..] => {
            let bounds: Vec<f64> = bounds.iter().map(|word| word.parse().expect("a number")).collect();
            let help = help.trim_matches('-');
            let kind = if kind == "histogram" { Description::histogram(help) } else { Description::counter(help) };
            metrics::describe(name, kind.unit(unit.trim_matches('-')).bounds(&bounds));
            String::new()
        }
        ["get", key] => match kv::get(key) {
            Ok(None) => "absent".into(),
            Ok(Some(value)) => format!("{} bytes {}", value.len(), hex(&value[..value.len().min(8)])),
            Err(error) => format!("{error:?}"),
        },
        ["set", key, value, ttl] => told(kv::set(key, value, time(ttl))),
        ["fill", key, length] => told(kv::set(key, vec![b'x'; length.parse().expect("a number")], None)),
        ["delete", key] => kv::delete(key).map_or_else(|error| format!("{error:?}"), |found| found.to_string()),
        ["count", key, delta, ttl] => kv::add(key, delta.parse().expect("a number"), time(ttl))
            .map_or_else(|error| format!("{error:?}"), |sum| sum.to_string()),
        ["http", method, url, body, timeout] => {
            let mut request = http::Request::new(method, url).header("X-Test", "yes").body(body);
            if let Some(timeout) = time(timeout) {
                request = request.timeout(timeout);
            }
            match request.send() {
                Ok(answer) => {
                    let header = String::from_utf8_lossy(answer.header("X-Answer").unwrap_or(b"none"));
                    format!("{} {header} {}", answer.status(), String::from_utf8_lossy(answer.body()))
                }
                Err(error) => format!("{error:?}"),
            }
        }
        _ => panic!("no function {words:?}"),
    }
}

#[inline(never)]
fn trap(text: &str) -> String {
    panic!("{text}") // tests look for this line
}

#[inline(never)]
fn item(at: usize) -> String {
    let texts = ["a", "b", "c"].map(|text| text.repeat(at % 3 + 1));
    picked(&texts, at / 2).to_owned() + picked(&texts, at) // tests look for this call
}

#[inline(always)]
fn picked(texts: &[String], at: usize) -> &str {
    &texts[at] // tests look for this index
}

fn told(result: Result<(), kv::Error>) -> String {
    result.map_or_else(|error| format!("{error:?}"), |()| "done".into())
}

/// Milliseconds, 0 for ever.
fn time(word: &str) -> Option<Duration> {
    Some(Duration::from_millis(word.parse().expect("a number"))).filter(|ttl| !ttl.is_zero())
}

/// Labels, each written `name=value`.
fn pairs<'a>(words: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    words.iter().map(|word| word.split_once('=').expect("name=value")).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
