//! Where a request comes from: the peer of the connection, or what trusted proxies say about theirs. No HTTP types here: the header's
//! values come in as text.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The address that a request is counted under and that the audit log names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientAddr(pub IpAddr);

impl ClientAddr {
    /// Of a request that came over no connection (tests in memory).
    pub const UNKNOWN: Self = Self(IpAddr::V6(Ipv6Addr::UNSPECIFIED));

    /// The client behind `proxies` trusted proxies. Each proxy appends the address of its own client to `X-Forwarded-For`, so the entry
    /// that many places from the right is the first one that nobody outside can have made up. With 0 the header means nothing. When there
    /// are fewer entries than proxies the request joined on the way, and the leftmost one is what a trusted proxy saw. An entry that is no
    /// address, and a missing header, leave the peer: it is at least true.
    pub fn behind<'a>(peer: IpAddr, proxies: u8, forwarded: impl Iterator<Item = &'a str>) -> Self {
        let peer = Self(peer.to_canonical());
        if proxies == 0 {
            return peer;
        }
        let entries: Vec<&str> = forwarded.flat_map(|line| line.split(',')).map(str::trim).filter(|e| !e.is_empty()).collect();
        let place = entries.len().saturating_sub(usize::from(proxies));
        entries.get(place).and_then(|entry| address(entry)).map_or(peer, Self)
    }

    /// What is counted together: an IPv4 address, or the /64 of an IPv6 address, which is what one subscriber has.
    pub fn network(self) -> Self {
        match self.0.to_canonical() {
            IpAddr::V6(v6) => Self(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)))),
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }

    /// As the audit log keeps it; `None` = not known.
    pub fn shown(self) -> Option<String> {
        (self != Self::UNKNOWN).then(|| self.0.to_string())
    }
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn address(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|e| e.strip_suffix(']')).unwrap_or(entry);
    let found = bare.parse::<IpAddr>().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()));
    found.map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(proxies: u8, lines: &[&str]) -> String {
        ClientAddr::behind("192.0.2.9".parse().unwrap(), proxies, lines.iter().copied()).0.to_string()
    }

    #[test]
    fn without_trusted_proxies_the_header_means_nothing() {
        assert_eq!(seen(0, &["203.0.113.7"]), "192.0.2.9");
    }

    #[test]
    fn entries_are_read_from_the_right_and_made_up_ones_are_passed_over() {
        assert_eq!(seen(1, &["6.6.6.6, 203.0.113.7"]), "203.0.113.7");
        assert_eq!(seen(2, &["6.6.6.6, 203.0.113.7", "198.51.100.1"]), "203.0.113.7");
        assert_eq!(seen(2, &["203.0.113.7"]), "203.0.113.7");
    }

    #[test]
    fn what_is_no_address_leaves_the_peer() {
        for lines in [&[][..], &[""], &["unknown"], &["203.0.113.7, _hidden"], &["203.0.113.7,"]] {
            let expected = if lines == ["203.0.113.7,"] { "203.0.113.7" } else { "192.0.2.9" };
            assert_eq!(seen(1, lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn ports_brackets_and_mapped_addresses_are_understood() {
        for (entry, expected) in [
            ("203.0.113.7:443", "203.0.113.7"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
        ] {
            assert_eq!(seen(1, &[entry]), expected);
        }
    }

    #[test]
    fn one_subscriber_is_one_network() {
        let network = |text: &str| ClientAddr(text.parse().unwrap()).network().0.to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("203.0.113.7"), "203.0.113.7");
        assert_eq!(network("::ffff:203.0.113.7"), "203.0.113.7");
    }
}
