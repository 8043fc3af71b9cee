//! This machine's own addresses: a public one of them is still this machine. Reads the interface list; opens nothing.

use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long a list of interfaces is believed.
const FRESH: Duration = Duration::from_secs(30);

/// The addresses of this machine's interfaces, plus any that the operator adds (such as a NAT's outer address).
pub struct OwnAddresses {
    extra: Vec<IpAddr>,
    known: Mutex<Option<(Instant, Vec<IpAddr>)>>,
}

impl OwnAddresses {
    pub fn new(extra: Vec<IpAddr>) -> Self {
        Self { extra, known: Mutex::new(None) }
    }

    /// Whether `address` belongs to this machine. An interface list that cannot be read counts as empty: the block list
    /// already covers every private address.
    pub fn holds(&self, address: IpAddr) -> bool {
        if self.extra.contains(&address) {
            return true;
        }
        let mut known = self.known.lock();
        let now = Instant::now();
        if known.as_ref().is_none_or(|(at, _)| now.duration_since(*at) > FRESH) {
            let list = if_addrs::get_if_addrs().map(|l| l.into_iter().map(|i| i.ip()).collect()).unwrap_or_default();
            *known = Some((now, list));
        }
        known.as_ref().is_some_and(|(_, list)| list.contains(&address))
    }
}
