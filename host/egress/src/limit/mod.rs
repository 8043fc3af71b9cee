//! How fast a vendor may be called: every limit of a manifest as a bucket shared by all who draw on it. Learns from the
//! vendor's own words. Knows time only as a number that it is handed; sends nothing.

mod bucket;
mod learn;
mod ledger;

pub(crate) use bucket::Shape;
pub(crate) use learn::{retry_after, words};
pub(crate) use ledger::{Admission, Cell, Key, Ledger, Permit, Reservation, changed};
