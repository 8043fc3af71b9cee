//! A vendor's answer on its way in: read within bounds ([`read`]), inflated within bounds ([`inflate`]), and cut down to what
//! the guest may see ([`keep`]). Trusts nothing that the other side says.

mod inflate;
mod keep;
mod read;

pub(crate) use keep::{good, keep, redacted};
pub(crate) use read::{Raw, ReadFailed, read};
