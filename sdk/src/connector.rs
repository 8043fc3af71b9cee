//! The trait that a connector implements, and what its syncs return. No I/O here.

use crate::error;
use crate::types::{Account, Change, Connection, Error, Job, Known, Page, Person, Prepared, Remark, Seen, Standing, Success, Warning};

/// One vendor. Implement it on a unit struct and hand that to [`export!`](crate::export).
///
/// `verify` and `sync_contact` are never optional. The bodies given here for the rest answer `unsupported`; the manifest's
/// `[supports]` says what the host may call at all.
pub trait Connector: Sync {
    /// The test call: proves the credentials and names the account they open.
    fn verify(&self, on: &Connection) -> Result<Account, Error>;

    /// One page of a picker, as the manifest names it. `cursor` is the `next` of the page before.
    fn list_choices(&self, on: &Connection, picker: &str, search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        let _ = (on, search, cursor);
        Err(error::unsupported(format!("this connector has no picker named '{picker}'")))
    }

    /// Resolves tags and fields to the vendor's ids. `apply = false`: says what is missing; `apply = true`: creates it.
    fn prepare(&self, on: &Connection, tags: &[String], fields: &[String], apply: bool) -> Result<Prepared, Error> {
        let _ = (on, tags, fields, apply);
        Err(error::unsupported("this connector has nothing to prepare"))
    }

    /// Brings one contact in: upsert, destination, tags.
    ///
    /// `known` starts as what earlier jobs learnt. Write into it the moment something is learnt: the host keeps it even
    /// when a later step of this run fails, so a created contact's id is never lost.
    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error>;

    /// Takes the tags in `job.clear` off; never deletes the contact. `known` as in [`sync_contact`](Self::sync_contact).
    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let _ = (job, known);
        Err(error::unsupported("this connector cannot take tags off"))
    }

    /// Finds the contact as the vendor shows it now. `None` = absent.
    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let _ = (on, who, known);
        Err(error::unsupported("this connector cannot look a contact up"))
    }
}

/// How a sync or untag ended when it did not fail.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// The vendor holds what was wanted.
    Done(Success),
    /// The vendor accepted the work and finishes it later; see [`later`].
    Later(crate::types::Later),
}

/// The usual good end: standing `normal`, no warnings. Refine it with [`Ending::standing`] and [`Ending::warn`].
///
/// ```
/// use crm_connector_sdk::prelude::*;
/// let ending = done(Change::Updated).standing(Standing::KeptOptedOut).warn(Remark::DroppedField, "phone");
/// assert!(matches!(ending, Ending::Done(success) if success.warnings.len() == 1));
/// ```
pub fn done(change: Change) -> Ending {
    Ending::Done(Success { change, standing: Standing::Normal, warnings: Vec::new() })
}

/// Ends the run without a result: the host calls again after `seconds` and hands `resume` back as `job.resume`.
/// No instance is held and no attempt is burnt meanwhile.
pub fn later(seconds: u32, resume: impl Into<String>) -> Ending {
    Ending::Later(crate::types::Later { after_seconds: seconds, resume: resume.into() })
}

impl Ending {
    /// How the contact stands with the vendor. Without effect on [`later`].
    #[must_use]
    pub fn standing(mut self, standing: Standing) -> Self {
        if let Self::Done(success) = &mut self {
            success.standing = standing;
        }
        self
    }

    /// Adds something that the merchant should know although it went well. Without effect on [`later`].
    #[must_use]
    pub fn warn(mut self, what: Remark, subject: impl Into<String>) -> Self {
        if let Self::Done(success) = &mut self {
            success.warnings.push(Warning { what, subject: subject.into() });
        }
        self
    }
}
