//! Which addresses may be dialled. Pure: no socket, no lookup.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address may not be dialled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefused {
    #[error("it resolves to {0}, which is not on the public internet")]
    NotPublic(IpAddr),
    #[error("it resolves to {0}, an address of this machine")]
    Own(IpAddr),
}

/// IANA special-purpose blocks, RFC 6890 and successors, plus multicast and the reserved class E.
const V4_BLOCKED: &[([u8; 4], u8)] = &[
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 52, 193, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([192, 175, 48, 0], 24),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// Parts of 2000::/3 that are not the public internet, or that carry an IPv4 address inside.
const V6_BLOCKED: &[(u128, u8)] = &[
    (0x2001_0000 << 96, 23),      // IETF protocol assignments, Teredo among them
    (0x2001_0db8 << 96, 32),      // documentation
    (0x2002_0000 << 96, 16),      // 6to4
    (0x2620_004f_8000 << 80, 48), // AS112
    (0x3fff_0000 << 96, 20),      // documentation
];

/// `Ok` when `address` is a public unicast address. IPv6 outside 2000::/3 is refused whole, which covers loopback, unique
/// local, link-local, multicast, IPv4-mapped, NAT64 and SRv6 addresses.
pub fn check_address(address: IpAddr) -> Result<(), AddressRefused> {
    let public = match address {
        IpAddr::V4(v4) => public_v4(v4),
        IpAddr::V6(v6) => public_v6(v6),
    };
    if public { Ok(()) } else { Err(AddressRefused::NotPublic(address)) }
}

fn public_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    !V4_BLOCKED.iter().any(|(net, len)| (bits ^ u32::from_be_bytes(*net)) >> (32 - len) == 0)
}

fn public_v6(address: Ipv6Addr) -> bool {
    let bits = u128::from(address);
    if bits >> 125 != 1 || V6_BLOCKED.iter().any(|(net, len)| (bits ^ net) >> (128 - len) == 0) {
        return false;
    }
    // ISATAP hides a private IPv4 address in the last four bytes after 0:5efe.
    let tail = (bits >> 32) as u32;
    if tail & 0xfdff_ffff == 0x0000_5efe { public_v4(Ipv4Addr::from(bits as u32)) } else { true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_edges_of_every_block_are_refused_and_their_neighbours_are_not() {
        for (net, len) in V4_BLOCKED {
            let first = u32::from_be_bytes(*net);
            let last = first | u32::MAX.checked_shr(u32::from(*len)).unwrap_or(0);
            for bits in [first, last] {
                assert!(check_address(IpAddr::V4(Ipv4Addr::from(bits))).is_err(), "{}", Ipv4Addr::from(bits));
            }
        }
        for good in ["1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0"] {
            assert_eq!(check_address(good.parse().unwrap()), Ok(()), "{good}");
        }
        for good in ["2606:4700::1111", "2a00:1450::1", "2001:4860::8888", "2003::1", "3ffe::1"] {
            assert_eq!(check_address(good.parse().unwrap()), Ok(()), "{good}");
        }
    }

    #[test]
    fn addresses_that_hold_a_private_one_are_refused() {
        let bad = [
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::7f00:1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001:0:7f00:1::",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00::1",
            "ff02::1",
            "2001:db8::1",
            "3fff::1",
            "5f00::1",
            "100::1",
            "2001:10::1",
            "2001:20::1",
            "2606:4700:0:0:0:5efe:7f00:1",
            "2606:4700:0:0:200:5efe:a00:1",
            "4000::1",
            "1fff::1",
        ];
        for address in bad {
            assert!(check_address(address.parse().unwrap()).is_err(), "{address}");
        }
    }

    proptest! {
        #[test]
        fn no_mapped_form_of_any_ipv4_address_is_ever_public(bits: u32) {
            let v4 = Ipv4Addr::from(bits);
            let embedded = u128::from(bits);
            for v6 in [u128::from(v4.to_ipv6_mapped()), embedded, (0x64_ff9b << 96) | embedded, (0x2002 << 112) | (embedded << 80)] {
                prop_assert!(check_address(IpAddr::V6(Ipv6Addr::from(v6))).is_err());
            }
        }
    }
}
