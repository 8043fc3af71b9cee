//! Somebody else's word for what the connectors send: the vendor's own API descriptions, and the vendor's own client
//! libraries. The fixtures are the connector's side, which the conformance suite holds equal to what it really sends; a
//! manifest's `[[witnesses]]` names who was asked and explains every difference.
//!
//! It opens no connection but to loopback. npm alone fetches, once, what `node/package-lock.json` pins; nothing of that is
//! kept in the repository.

pub mod compare;
pub mod description;
pub mod node;
pub mod ours;
pub mod places;
pub mod recorder;
pub mod sdk;
pub mod sent;
pub mod verdict;
