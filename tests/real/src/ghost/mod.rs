//! Ghost: the npm package with SQLite, at an exact version, as a merchant who hosts it runs it.

mod install;
mod owner;
mod server;

pub use install::Installed;
pub use owner::{Member, Owner};
pub use server::Ghost;
