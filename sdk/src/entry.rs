//! From the contract's calling convention to the [`Connector`] trait. The wasm exports and native callers (tests,
//! benches) both pass through here, so what is measured natively is what runs in the sandbox. Here, too, the person's address
//! is taken out of what the vendor said: errors are shown and kept.

use crate::connector::{Connector, Ending};
use crate::text::lower;
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
    report(known, result, &job.who)
}

/// Runs `untag-contact`; see [`sync_contact`].
pub fn untag_contact(connector: &dyn Connector, job: &Job) -> Report {
    let mut known = job.known.clone();
    let result = connector.untag_contact(job, &mut known);
    report(known, result, &job.who)
}

/// Runs `lookup-contact`.
pub fn lookup_contact(connector: &dyn Connector, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
    connector.lookup_contact(on, who, known).map_err(|error| discreet(error, who))
}

fn report(known: Known, result: Result<Ending, Error>, who: &Person) -> Report {
    let ending = match result {
        Ok(Ending::Done(success)) => WireEnding::Done(success),
        Ok(Ending::Later(later)) => WireEnding::Later(later),
        Err(error) => WireEnding::Failed(discreet(error, who)),
    };
    Report { known, ending }
}

/// `error` with `…@…` for the person's address, as typed or in lower case, which vendors like to quote. Never longer than before.
fn discreet(mut error: Error, who: &Person) -> Error {
    let told = match &mut error {
        Error::Retryable(told) | Error::DestinationMissing(told) | Error::Unsupported(told) | Error::Permanent(told) => Some(told),
        Error::Credentials(refusal) => Some(&mut refusal.told),
        Error::Rejected(rejection) => Some(&mut rejection.told),
        Error::RateLimited(_) | Error::Stale(_) => None,
    };
    if let Some(told) = told {
        // A shorter text is no address, and could be found in the midst of a word.
        for spelling in [who.email.clone(), lower(&who.email)].iter().filter(|email| email.len() > 2 && email.contains('@')) {
            told.text = told.text.replace(spelling.as_str(), "…@…");
        }
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error;

    #[test]
    fn the_address_is_not_in_what_the_vendor_said() {
        let who = Person { email: "Ann@Example.com".to_owned(), ..Person::default() };
        for said in ["email 'Ann@Example.com' is not valid", "email 'ann@example.com' is not valid"] {
            assert_eq!(discreet(error::rejected("email", 400, said), &who), error::rejected("email", 400, "email '…@…' is not valid"));
        }
        let blank = error::permanent(400, "nothing to hide");
        assert_eq!(discreet(blank.clone(), &Person::default()), blank);
    }
}
