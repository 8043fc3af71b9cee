//! A world in which the real workers run against the store's model, a vendor in memory and virtual time: hours pass in
//! milliseconds, every random choice comes from a seed, and a crash is a dropped task. Touches no network and no disk, [`stage`] apart.

pub mod courier;
pub mod crm;
pub mod engine;
pub mod shop;
pub mod stage;
pub mod vendor;
pub mod world;

pub use crm::{Crm, Failing, Style};
pub use shop::Shop;
pub use vendor::{Behaviour, Vendor};
pub use world::World;
