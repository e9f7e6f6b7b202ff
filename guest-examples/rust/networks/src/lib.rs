//! Lists of addresses and networks of both families (RFC 4632, RFC 4291), for guests that look at
//! the client's address.
//!
//! An IPv4 address that is written as an IPv6 one, such as `::ffff:192.0.2.1`, is the IPv4 address
//! (RFC 4291, section 2.5.5.2): how a listener calls it does not matter.

use std::net::IpAddr;

/// What a configuration lists.
#[derive(Debug, Default)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// The entries of `key`, which a message about a wrong one names.
    pub fn parse(key: &str, entries: &[String]) -> Result<Self, String> {
        let parsed = entries.iter().enumerate().map(|(place, text)| {
            Network::parse(text).ok_or_else(|| format!("{key}[{place}]: {text:?} is no address and no network"))
        });
        parsed.collect::<Result<_, _>>().map(Self)
    }

    /// Whether one of them holds the address.
    pub fn hold(&self, address: Address) -> bool {
        self.0.iter().any(|network| network.holds(address.0))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A client's address.
#[derive(Clone, Copy, Debug)]
pub struct Address(IpAddr);

impl Address {
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(|address: IpAddr| Self(address.to_canonical()))
    }
}

/// The addresses that agree with one in so many of its first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    first: IpAddr,
    bits: u8,
}

impl Network {
    /// `ADDRESS` or `ADDRESS/BITS`. Bits of the address beyond those are passed over.
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                (address, Some(bits.parse().ok()?))
            }
            Some(_) => return None,
            None => (text, None),
        };
        let written: IpAddr = address.parse().ok()?;
        let first = written.to_canonical();
        let length = if first.is_ipv4() { 32 } else { 128 };
        // The bits of a mapped address count from the IPv6 address's first.
        let before: u8 = if written.is_ipv6() && first.is_ipv4() { 96 } else { 0 };
        let bits = bits.unwrap_or(length + before).checked_sub(before)?;
        (bits <= length).then_some(Self { first, bits })
    }

    /// Whether the address is one of them.
    fn holds(&self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                (first.to_bits() ^ address.to_bits()).checked_shr(32 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                (first.to_bits() ^ address.to_bits()).checked_shr(128 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.1.2.3/8", "10.9.9.9", true),
            ("0.0.0.0/0", "255.1.2.3", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.1", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1/32", "192.0.2.2", false),
            ("192.0.2.0/31", "192.0.2.1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("2001:db8::1", "2001:db8::1", true),
            ("2001:db8::/127", "2001:db8::2", false),
            ("192.0.2.0/24", "::ffff:192.0.2.9", true),
            ("::ffff:192.0.2.0/120", "192.0.2.9", true),
            ("::ffff:192.0.2.0/120", "192.0.3.9", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
        ] {
            let networks = Networks::parse("list", &["203.0.113.1".into(), network.into()]).unwrap();
            let found = networks.hold(Address::parse(address).unwrap());
            assert_eq!(found, expected, "{network} {address}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "/",
            "10",
            "10.0.0",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "10.0.0.0/255.0.0.0",
            "010.0.0.1",
            "10.0.0.256",
            " 10.0.0.1",
            "::/129",
            "::ffff:10.0.0.0/8",
            "fe80::1%eth0",
            "example.com",
            "*",
            "10.0.0.0/99999999999",
        ] {
            let error = Networks::parse("list", &["::1".into(), text.into()]).unwrap_err();
            assert_eq!(error, format!("list[1]: {text:?} is no address and no network"));
        }
    }
}
