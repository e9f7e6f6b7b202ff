//! Addresses and networks in CIDR notation (RFC 4632, section 3.1; RFC 4291, section 2.3).

use std::net::IpAddr;

#[derive(Debug)]
pub struct Network {
    bits: u128,
    prefix: u32,
}

impl Network {
    pub fn parse(written: &str) -> Result<Self, String> {
        let (address, prefix) = match written.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (written, None),
        };
        let wrong = || format!("{written:?} is neither an address nor a network");
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().map_err(|_| wrong())?,
            Some(_) => return Err(wrong()),
            None => longest,
        };
        if prefix > longest {
            return Err(wrong());
        }
        Ok(Self { bits: bits(address), prefix: prefix + 128 - longest })
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        let differing = self.bits ^ bits(address);
        differing.leading_zeros() >= self.prefix
    }
}

/// IPv4 as its IPv6 form (RFC 4291, section 2.5.5.2), so that both are compared alike.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}
