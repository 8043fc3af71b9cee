//! Where a request may go: the URL's syntax ([`url`]), the addresses behind the
//! name ([`address`], [`resolve`]), and the check for URLs that are not a connector's ([`guard`]). Opens no socket but DNS.

mod address;
pub mod guard;
mod own;
mod resolve;
mod url;

pub use address::{AddressRefused, check_address};
pub use own::OwnAddresses;
pub(crate) use resolve::{CheckedResolver, Refused as ResolveRefused};
pub use resolve::{Resolve, ResolveError, SystemResolver};
pub use url::{CheckedUrl, MAX_URL, UrlRefused, check_url_text};

/// `[a-z0-9]` and inner hyphens, 1 to 63 characters.
pub(crate) fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}
