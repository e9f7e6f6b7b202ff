//! What stands in for the host's functions in native tests, and records what it was asked.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use crate::log::Level;
use crate::metrics::{Description, Kind};
use crate::{http, kv};

/// 2026-01-01 UTC.
pub const START: Duration = Duration::from_secs(1_767_225_600);

/// A call of one of the host's functions.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Call {
    /// `kv::get`
    KvGet { key: Vec<u8> },
    /// `kv::set`; the time to live is in milliseconds, 0 is for ever.
    KvSet { key: Vec<u8>, value: Vec<u8>, ttl: u64 },
    /// `kv::delete`
    KvDelete { key: Vec<u8> },
    /// `kv::add`; the time to live is in milliseconds, 0 is for ever.
    KvAdd { key: Vec<u8>, delta: i64, ttl: u64 },
    /// `http::Request::send`
    HttpSend(http::Request),
    /// `clock::wall`
    ClockWall,
    /// `clock::monotonic`
    ClockMonotonic,
    /// `random::bytes`
    RandomBytes { length: usize },
    /// `random::number`
    RandomNumber,
    /// `metrics::add`
    MetricsAdd { name: String, labels: Vec<(String, String)>, value: u64 },
    /// `metrics::observe`
    MetricsObserve { name: String, labels: Vec<(String, String)>, value: f64 },
}

/// What a guest has said of a metric.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Described {
    pub name: String,
    pub kind: Kind,
    pub help: String,
    pub unit: String,
    pub bounds: Vec<f64>,
}

impl Call {
    /// The lengths of key and value.
    fn sizes(&self) -> (usize, usize) {
        match self {
            Self::KvGet { key } | Self::KvDelete { key } | Self::KvAdd { key, .. } => (key.len(), 0),
            Self::KvSet { key, value, .. } => (key.len(), value.len()),
            _ => (0, 0),
        }
    }
}

type Service = Rc<dyn Fn(&http::Request) -> Result<http::Response, http::Error>>;

struct Entry {
    value: Vec<u8>,
    /// On the stand-in's clock; `None` is never.
    expires: Option<Duration>,
}

#[derive(Default)]
pub struct Host {
    pub logs: Vec<(Level, String)>,
    pub calls: Vec<Call>,
    pub descriptions: Vec<Described>,
    pub service: Option<Service>,
    pub kv_error: Option<kv::Error>,
    pub elapsed: Duration,
    pub random: u64,
    keys: HashMap<Vec<u8>, Entry>,
}

thread_local! {
    static HOST: RefCell<Host> = RefCell::default();
}

pub fn with<T>(use_it: impl FnOnce(&mut Host) -> T) -> T {
    HOST.with_borrow_mut(use_it)
}

pub fn reset() {
    HOST.take();
}

impl Host {
    fn kv(&mut self, call: Call) -> Result<&mut HashMap<Vec<u8>, Entry>, kv::Error> {
        let (key, value) = call.sizes();
        self.calls.push(call);
        if key > 1024 || value > 65_536 {
            return Err(kv::Error::TooLarge);
        }
        let now = self.elapsed;
        self.keys.retain(|_, entry| entry.expires.is_none_or(|expires| now < expires));
        self.kv_error.map_or(Ok(&mut self.keys), Err)
    }

    fn expiry(&self, ttl: u64) -> Option<Duration> {
        (ttl > 0).then(|| self.elapsed.saturating_add(Duration::from_millis(ttl)))
    }

    /// SplitMix64: every seed gives a sequence of its own.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

pub fn kv_get(key: &[u8]) -> Result<Option<Vec<u8>>, kv::Error> {
    with(|host| {
        let keys = host.kv(Call::KvGet { key: key.into() })?;
        Ok(keys.get(key).map(|entry| entry.value.clone()))
    })
}

pub fn kv_set(key: &[u8], value: &[u8], ttl: u64) -> Result<(), kv::Error> {
    with(|host| {
        let expires = host.expiry(ttl);
        let keys = host.kv(Call::KvSet { key: key.into(), value: value.into(), ttl })?;
        keys.insert(key.into(), Entry { value: value.into(), expires });
        Ok(())
    })
}

pub fn kv_delete(key: &[u8]) -> Result<bool, kv::Error> {
    with(|host| Ok(host.kv(Call::KvDelete { key: key.into() })?.remove(key).is_some()))
}

pub fn kv_add(key: &[u8], delta: i64, ttl: u64) -> Result<i64, kv::Error> {
    with(|host| {
        let expires = host.expiry(ttl);
        let keys = host.kv(Call::KvAdd { key: key.into(), delta, ttl })?;
        let entry = keys.entry(key.into()).or_insert_with(|| Entry { value: vec![0; 8], expires });
        let before = entry.value[..].try_into().map_err(|_| kv::Error::NotANumber)?;
        let sum = i64::from_le_bytes(before).checked_add(delta).ok_or(kv::Error::NotANumber)?;
        entry.value = sum.to_le_bytes().into();
        Ok(sum)
    })
}

pub fn http_send(request: &http::Request) -> Result<http::Response, http::Error> {
    let service = with(|host| {
        host.calls.push(Call::HttpSend(request.clone()));
        host.service.clone()
    });
    service.map_or(Err(http::Error::Unreachable), |service| service(request))
}

pub fn clock_wall() -> Duration {
    with(|host| {
        host.calls.push(Call::ClockWall);
        START + host.elapsed
    })
}

pub fn clock_monotonic() -> Duration {
    with(|host| {
        host.calls.push(Call::ClockMonotonic);
        host.elapsed
    })
}

pub fn random_bytes(length: usize) -> Vec<u8> {
    with(|host| {
        host.calls.push(Call::RandomBytes { length });
        let mut bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| host.next().to_le_bytes()).collect();
        bytes.truncate(length);
        bytes
    })
}

pub fn random_number() -> u64 {
    with(|host| {
        host.calls.push(Call::RandomNumber);
        host.next()
    })
}

pub fn metrics_add(name: &str, labels: &[(&str, &str)], value: u64) {
    with(|host| host.calls.push(Call::MetricsAdd { name: name.into(), labels: owned(labels), value }));
}

pub fn metrics_observe(name: &str, labels: &[(&str, &str)], value: f64) {
    with(|host| host.calls.push(Call::MetricsObserve { name: name.into(), labels: owned(labels), value }));
}

pub fn metrics_describe(name: &str, description: Description) {
    let Description { kind, help, unit, bounds } = description;
    let described = Described { name: name.into(), kind, help: help.into(), unit: unit.into(), bounds: bounds.into() };
    with(|host| host.descriptions.push(described));
}

fn owned(labels: &[(&str, &str)]) -> Vec<(String, String)> {
    labels.iter().map(|&(name, value)| (name.into(), value.into())).collect()
}
