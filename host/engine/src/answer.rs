//! Calls one export and takes its answer at the border: words for people are cut, data that is too long is refused (a
//! shortened id would be a wrong id). Must not decide what an answer means for a job.

use crm_contract::types::{
    Account, Answer, Binding, Choice, Ending, Error, Invocation, Known, Later, Page, Pair, Prepared, Report, Seen, Success, Told,
};
use wasmtime::Store;

use crate::bindings::Connector;
use crate::convert;
use crate::lift;
use crate::log::printable;
use crate::run::Run;

/// Characters of the vendor's words, and of its code.
const TEXT: usize = 500;
const CODE: usize = 100;
/// Bytes of the connector's memory of a contact, as the contract says.
const MEMO: usize = 1 << 10;
/// Bytes of what `later` hands back, and of a picker's cursor.
const RESUME: usize = 4 << 10;
/// Bytes of an id, a tag, a name of a fact.
const ID: usize = 512;
/// Bytes of a fact's value.
const FACT: usize = 4 << 10;
/// Entries of a list of facts, tags, bindings or choices.
const LIST: usize = 2_000;
/// Warnings of one report; more would not be read.
const WARNINGS: usize = 32;

/// Calls the export that `invocation` names.
pub(crate) async fn call(guest: &Connector, store: &mut Store<Run>, invocation: Invocation) -> wasmtime::Result<Answer> {
    Ok(match invocation {
        Invocation::Verify { on } => {
            let answer = guest.call_verify(store, &convert::connection(on)).await?;
            Answer::Account(checked(answer.map(lift::account).map_err(lift::error), account))
        }
        Invocation::ListChoices { on, picker, search, cursor } => {
            let on = convert::connection(on);
            let answer = guest.call_list_choices(store, &on, &picker, search.as_deref(), cursor.as_deref()).await?;
            Answer::Page(checked(answer.map(lift::page).map_err(lift::error), page))
        }
        Invocation::Prepare { on, tags, fields, apply } => {
            let answer = guest.call_prepare(store, &convert::connection(on), &tags, &fields, apply).await?;
            Answer::Prepared(checked(answer.map(lift::prepared).map_err(lift::error), prepared))
        }
        Invocation::SyncContact { job } => {
            let before = job.known.clone();
            let answer = guest.call_sync_contact(store, &convert::job(job)).await?;
            Answer::Report(report(lift::report(answer), before))
        }
        Invocation::UntagContact { job } => {
            let before = job.known.clone();
            let answer = guest.call_untag_contact(store, &convert::job(job)).await?;
            Answer::Report(report(lift::report(answer), before))
        }
        Invocation::LookupContact { on, who, known } => {
            let (on, who, known) = (convert::connection(on), convert::person(who), convert::known(known));
            let answer = guest.call_lookup_contact(store, &on, &who, &known).await?;
            Answer::Seen(checked(answer.map(|found| found.map(lift::seen)).map_err(lift::error), seen))
        }
    })
}

/// Collects the first thing that is too long.
#[derive(Default)]
struct Border(Option<String>);

impl Border {
    fn bytes(&mut self, what: &str, text: &str, limit: usize) -> bool {
        let fits = text.len() <= limit;
        if !fits {
            self.0.get_or_insert_with(|| format!("the connector returned {what} of {} bytes; at most {limit} are kept", text.len()));
        }
        fits
    }

    fn count(&mut self, what: &str, found: usize) -> bool {
        if found > LIST {
            self.0.get_or_insert_with(|| format!("the connector returned {found} {what}; at most {LIST} are kept"));
        }
        found <= LIST
    }

    fn maybe(&mut self, what: &str, text: Option<&str>, limit: usize) -> bool {
        text.is_none_or(|text| self.bytes(what, text, limit))
    }

    fn facts(&mut self, facts: &[Pair]) {
        self.count("facts", facts.len());
        for fact in facts {
            self.bytes("a fact's name", &fact.key, ID);
            self.bytes("a fact", &fact.value, FACT);
        }
    }

    fn bindings(&mut self, tags: &[Binding]) {
        self.count("tags", tags.len());
        for tag in tags {
            self.bytes("a tag", &tag.name, ID);
            self.bytes("a tag", &tag.wire, ID);
            self.maybe("a tag's id", tag.id.as_deref(), ID);
        }
    }

    fn choices(&mut self, choices: &mut [Choice]) {
        self.count("choices", choices.len());
        for choice in choices {
            self.bytes("a choice's id", &choice.id, ID);
            cut(&mut choice.name, TEXT);
            choice.detail.iter_mut().for_each(|detail| cut(detail, TEXT));
            self.facts(&choice.facts);
        }
    }

    /// A part that is too long falls back to what was known before the run: the contact's id is not lost over it.
    fn known(&mut self, known: &mut Known, before: Known) {
        if !self.maybe("a contact id", known.contact_id.as_deref(), ID) {
            known.contact_id = before.contact_id;
        }
        let tags = self.count("tags", known.tags.len()) && known.tags.iter().all(|tag| self.bytes("a tag", tag, ID));
        if !tags {
            known.tags = before.tags;
        }
        if !self.maybe("a memo", known.memo.as_deref(), MEMO) {
            known.memo = before.memo;
        }
    }

    fn refusal(self) -> Option<Error> {
        self.0.map(|text| Error::Permanent(Told { code: "too-long".into(), text }))
    }
}

fn checked<T>(answer: Result<T, Error>, check: impl FnOnce(&mut T, &mut Border)) -> Result<T, Error> {
    match answer {
        Ok(mut value) => {
            let mut border = Border::default();
            check(&mut value, &mut border);
            border.refusal().map_or(Ok(value), Err)
        }
        Err(why) => Err(error(why)),
    }
}

fn account(account: &mut Account, border: &mut Border) {
    border.maybe("an account id", account.id.as_deref(), ID);
    border.maybe("an endpoint choice", account.choice.as_deref(), ID);
    account.name.iter_mut().for_each(|name| cut(name, TEXT));
    account.lacking.truncate(WARNINGS);
    account.lacking.iter_mut().for_each(|text| say(text, TEXT));
    border.facts(&account.facts);
}

fn page(page: &mut Page, border: &mut Border) {
    border.maybe("a cursor", page.next.as_deref(), RESUME);
    border.choices(&mut page.items);
}

fn prepared(prepared: &mut Prepared, border: &mut Border) {
    border.facts(&prepared.facts);
    border.bindings(&prepared.tags);
    border.choices(&mut prepared.to_create);
}

fn seen(seen: &mut Option<Seen>, border: &mut Border) {
    if let Some(seen) = seen {
        border.known(&mut seen.known, Known::default());
    }
}

fn report(report: Report, before: Known) -> Report {
    let Report { mut known, ending } = report;
    let mut border = Border::default();
    border.known(&mut known, before);
    let ending = match ending {
        Ending::Done(Success { change, standing, mut warnings }) => {
            warnings.truncate(WARNINGS);
            warnings.iter_mut().for_each(|w| say(&mut w.subject, TEXT));
            Ending::Done(Success { change, standing, warnings })
        }
        Ending::Later(Later { after_seconds, resume }) => {
            border.bytes("a resume text", &resume, RESUME);
            Ending::Later(Later { after_seconds, resume })
        }
        Ending::Failed(why) => Ending::Failed(error(why)),
    };
    Report { known, ending: border.refusal().map_or(ending, Ending::Failed) }
}

fn error(mut error: Error) -> Error {
    match &mut error {
        Error::Retryable(t) | Error::DestinationMissing(t) | Error::Unsupported(t) | Error::Permanent(t) => told(t),
        Error::Credentials(refusal) => told(&mut refusal.told),
        Error::Rejected(rejection) => {
            say(&mut rejection.field, CODE);
            told(&mut rejection.told);
        }
        Error::RateLimited(throttle) => throttle.limit.iter_mut().for_each(|limit| say(limit, CODE)),
        Error::Stale(facts) => {
            facts.truncate(LIST);
            facts.iter_mut().for_each(|fact| cut(fact, ID));
        }
    }
    error
}

fn told(told: &mut Told) {
    say(&mut told.code, CODE);
    say(&mut told.text, TEXT);
}

/// Words that end up in logs, mails and pages: at most `limit` characters, none of which steers a terminal.
fn say(text: &mut String, limit: usize) {
    if text.len() > limit || text.chars().any(char::is_control) {
        *text = printable(text, limit.saturating_mul(4));
        cut(text, limit);
    }
}

/// At most `limit` characters, the last of which then says that more was there.
fn cut(text: &mut String, limit: usize) {
    if let Some((end, _)) = text.char_indices().nth(limit) {
        let keep = text.char_indices().nth(limit.saturating_sub(1)).map_or(end, |(at, _)| at);
        text.truncate(keep);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use crm_contract::types::{Change, Standing};
    use proptest::prelude::*;

    use super::*;

    fn done() -> Ending {
        Ending::Done(Success { change: Change::Created, standing: Standing::Normal, warnings: vec![] })
    }

    #[test]
    fn a_memo_over_1_kib_is_a_permanent_failure_and_the_old_one_stays() {
        let before = Known { contact_id: None, tags: vec![], memo: Some("old".into()) };
        let known = Known { contact_id: Some("7".into()), tags: vec!["t".into()], memo: Some("x".repeat(1_025)) };
        let refused = report(Report { known, ending: done() }, before.clone());
        assert_eq!(refused.known, Known { contact_id: Some("7".into()), tags: vec!["t".into()], memo: Some("old".into()) });
        assert!(
            matches!(refused.ending, Ending::Failed(Error::Permanent(Told { code, text })) if code == "too-long" && text.contains("1025"))
        );

        let known = Known { memo: Some("x".repeat(1_024)), ..Known::default() };
        assert_eq!(report(Report { known: known.clone(), ending: done() }, before), Report { known, ending: done() });
    }

    #[test]
    fn a_resume_text_that_is_too_long_is_refused() {
        let ending = Ending::Later(Later { after_seconds: 5, resume: "x".repeat(RESUME + 1) });
        let refused = report(Report { known: Known::default(), ending }, Known::default());
        assert!(matches!(refused.ending, Ending::Failed(Error::Permanent(_))));
    }

    #[test]
    fn too_many_facts_are_refused_and_not_shortened() {
        let facts = vec![Pair::new("k", "v"); LIST + 1];
        let answer = checked(Ok(Account { facts, ..Account::default() }), account);
        assert!(matches!(answer, Err(Error::Permanent(_))));
    }

    #[test]
    fn words_of_an_error_are_cut_and_cleaned() {
        let Error::Retryable(told) = error(Error::Retryable(Told { code: "5\u{1b}[0m".into(), text: "ü".repeat(900) })) else {
            panic!("another kind of error");
        };
        assert_eq!(told.code, "5\\u{1b}[0m");
        assert_eq!(told.text.chars().count(), TEXT);
        assert!(told.text.ends_with('…'));
    }

    proptest! {
        #[test]
        fn words_never_exceed_their_limit(text in any::<String>(), limit in 1usize..40) {
            let mut said = text;
            say(&mut said, limit);
            prop_assert!(said.chars().count() <= limit);
            prop_assert!(!said.chars().any(char::is_control));
        }
    }
}
