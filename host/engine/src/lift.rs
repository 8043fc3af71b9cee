//! Guest answers -> host values, one to one. What is too long or too much is dealt with in `answer`. Must hold no rule.

use crm_contract::types as host;

use crate::bindings::rekomi::crm_connector::types as guest;
use crate::convert::host_pairs;

pub(crate) fn account(account: guest::Account) -> host::Account {
    let guest::Account { id, name, choice, lacking, facts } = account;
    host::Account { id, name, choice, lacking, facts: host_pairs(facts) }
}

fn choices(choices: Vec<guest::Choice>) -> Vec<host::Choice> {
    let choice = |c: guest::Choice| {
        let guest::Choice { id, name, detail, selectable, facts } = c;
        host::Choice { id, name, detail, selectable, facts: host_pairs(facts) }
    };
    choices.into_iter().map(choice).collect()
}

pub(crate) fn page(page: guest::Page) -> host::Page {
    host::Page { items: choices(page.items), next: page.next }
}

pub(crate) fn prepared(prepared: guest::Prepared) -> host::Prepared {
    let guest::Prepared { facts, tags, to_create } = prepared;
    let binding = |guest::Binding { name, wire, id }| host::Binding { name, wire, id };
    host::Prepared { facts: host_pairs(facts), tags: tags.into_iter().map(binding).collect(), to_create: choices(to_create) }
}

pub(crate) fn seen(seen: guest::Seen) -> host::Seen {
    host::Seen { known: known(seen.known), standing: standing(seen.standing), in_destination: seen.in_destination }
}

fn known(guest::Known { contact_id, tags, memo }: guest::Known) -> host::Known {
    host::Known { contact_id, tags, memo }
}

pub(crate) fn report(report: guest::Report) -> host::Report {
    let ending = match report.ending {
        guest::Ending::Done(done) => host::Ending::Done(success(done)),
        guest::Ending::Later(guest::Later { after_seconds, resume }) => host::Ending::Later(host::Later { after_seconds, resume }),
        guest::Ending::Failed(why) => host::Ending::Failed(error(why)),
    };
    host::Report { known: known(report.known), ending }
}

fn success(guest::Success { change, standing: s, warnings }: guest::Success) -> host::Success {
    let change = match change {
        guest::Change::Created => host::Change::Created,
        guest::Change::Updated => host::Change::Updated,
        guest::Change::Unchanged => host::Change::Unchanged,
        guest::Change::Gone => host::Change::Gone,
    };
    host::Success { change, standing: standing(s), warnings: warnings.into_iter().map(warning).collect() }
}

fn standing(standing: guest::Standing) -> host::Standing {
    match standing {
        guest::Standing::Normal => host::Standing::Normal,
        guest::Standing::Pending => host::Standing::Pending,
        guest::Standing::KeptOptedOut => host::Standing::KeptOptedOut,
        guest::Standing::SkippedOptedOut => host::Standing::SkippedOptedOut,
        guest::Standing::Archived => host::Standing::Archived,
        guest::Standing::Unknown => host::Standing::Unknown,
    }
}

fn warning(guest::Warning { what, subject }: guest::Warning) -> host::Warning {
    let what = match what {
        guest::Remark::SeveralMatches => host::Remark::SeveralMatches,
        guest::Remark::DroppedField => host::Remark::DroppedField,
        guest::Remark::Shortened => host::Remark::Shortened,
        guest::Remark::RequiredUnmapped => host::Remark::RequiredUnmapped,
        guest::Remark::NotConfirmed => host::Remark::NotConfirmed,
    };
    host::Warning { what, subject }
}

fn told(guest::Told { code, text }: guest::Told) -> host::Told {
    host::Told { code, text }
}

pub(crate) fn error(error: guest::Error) -> host::Error {
    match error {
        guest::Error::Retryable(t) => host::Error::Retryable(told(t)),
        guest::Error::RateLimited(guest::Throttle { after_seconds, limit }) => {
            host::Error::RateLimited(host::Throttle { after_seconds, limit })
        }
        guest::Error::Credentials(guest::Refusal { trouble: why, told: t }) => {
            host::Error::Credentials(host::Refusal { trouble: trouble(why), told: told(t) })
        }
        guest::Error::Rejected(guest::Rejection { field, told: t }) => host::Error::Rejected(host::Rejection { field, told: told(t) }),
        guest::Error::DestinationMissing(t) => host::Error::DestinationMissing(told(t)),
        guest::Error::Stale(facts) => host::Error::Stale(facts),
        guest::Error::Unsupported(t) => host::Error::Unsupported(told(t)),
        guest::Error::Permanent(t) => host::Error::Permanent(told(t)),
    }
}

fn trouble(trouble: guest::Trouble) -> host::Trouble {
    match trouble {
        guest::Trouble::Invalid => host::Trouble::Invalid,
        guest::Trouble::Expired => host::Trouble::Expired,
        guest::Trouble::Permission => host::Trouble::Permission,
        guest::Trouble::IpBlocked => host::Trouble::IpBlocked,
        guest::Trouble::WrongRegion => host::Trouble::WrongRegion,
        guest::Trouble::WrongKind => host::Trouble::WrongKind,
        guest::Trouble::AccountClosed => host::Trouble::AccountClosed,
    }
}
