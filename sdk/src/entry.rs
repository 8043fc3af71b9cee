//! From the contract's calling convention to the [`Connector`] trait. The wasm exports and native callers (tests,
//! benches) both pass through here, so what is measured natively is what runs in the sandbox.

use crate::connector::{Connector, Ending};
use crate::types::{Account, Connection, Error, Job, Known, Page, Person, Prepared, Report, Seen, WireEnding};

/// Runs `verify`.
pub fn verify(connector: &dyn Connector, on: &Connection) -> Result<Account, Error> {
    connector.verify(on)
}

/// Runs `list-choices`.
pub fn list_choices(
    connector: &dyn Connector,
    on: &Connection,
    picker: &str,
    search: Option<&str>,
    cursor: Option<&str>,
) -> Result<Page, Error> {
    connector.list_choices(on, picker, search, cursor)
}

/// Runs `prepare`.
pub fn prepare(connector: &dyn Connector, on: &Connection, tags: &[String], fields: &[String], apply: bool) -> Result<Prepared, Error> {
    connector.prepare(on, tags, fields, apply)
}

/// Runs `sync-contact`. What the connector wrote into `known` is in the report whether it succeeded or not.
pub fn sync_contact(connector: &dyn Connector, job: &Job) -> Report {
    let mut known = job.known.clone();
    let result = connector.sync_contact(job, &mut known);
    report(known, result)
}

/// Runs `untag-contact`; see [`sync_contact`].
pub fn untag_contact(connector: &dyn Connector, job: &Job) -> Report {
    let mut known = job.known.clone();
    let result = connector.untag_contact(job, &mut known);
    report(known, result)
}

/// Runs `lookup-contact`.
pub fn lookup_contact(connector: &dyn Connector, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
    connector.lookup_contact(on, who, known)
}

fn report(known: Known, result: Result<Ending, Error>) -> Report {
    let ending = match result {
        Ok(Ending::Done(success)) => WireEnding::Done(success),
        Ok(Ending::Later(later)) => WireEnding::Later(later),
        Err(error) => WireEnding::Failed(error),
    };
    Report { known, ending }
}
