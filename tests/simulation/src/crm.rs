//! A vendor that keeps books, with the connector that speaks to it: contacts in lists, each with its tags and fields. What merchants do
//! through the services ends here, so tests look at what a merchant would see in their own account.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crm_catalog::model::{Effect, Manifest};
use crm_contract::ports::{
    Digest, Gateway, GuestFault, GuestLog, Guests, Journal, Mode, Outbound, Scope, ShownRequest, StepKey, StepOutcome, StepRecord,
};
use crm_contract::types::{
    Account, Answer, Change, Choice, Ending, Error, Invocation, Job, Known, Page, Report, Request, Response, Standing, Success, Told,
    Unanswered, Value, find,
};
use parking_lot::Mutex;

/// What the vendor tells contacts apart by, and how it takes tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Contacts have ids, and tags are put on and taken off one by one.
    Ids,
    /// The e-mail is the contact, and every write replaces all tags.
    Emails,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    pub id: u32,
    pub email: String,
    pub first: Option<String>,
    pub tags: BTreeSet<String>,
    pub fields: BTreeMap<String, String>,
}

/// One thing that the connector was asked to do.
#[derive(Clone, Debug)]
pub struct Heard {
    pub untag: bool,
    pub list: String,
    pub job: Job,
}

/// When a call fails, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    /// Before anything was done.
    Before,
    /// After all was done.
    After,
    /// For good.
    Forever,
}

#[derive(Default)]
struct Books {
    lists: BTreeMap<String, Vec<Contact>>,
    ids: u32,
    heard: Vec<Heard>,
    failing: Vec<(String, Failing)>,
}

pub struct Crm {
    style: Style,
    books: Mutex<Books>,
    latency: Mutex<Duration>,
    manifest: Arc<Manifest>,
}

impl Crm {
    pub fn new(style: Style, manifest: Manifest) -> Arc<Self> {
        Arc::new(Self { style, books: Mutex::default(), latency: Mutex::default(), manifest: Arc::new(manifest) })
    }

    /// How long each call takes from now on.
    pub fn slow(&self, latency: Duration) {
        *self.latency.lock() = latency;
    }

    /// The next call for a list fails so. `Forever`: every one, until [`Self::well`].
    pub fn fail(&self, list: &str, how: Failing) {
        self.books.lock().failing.push((list.to_owned(), how));
    }

    pub fn well(&self) {
        self.books.lock().failing.clear();
    }

    /// What is in a list, oldest first.
    pub fn list(&self, list: &str) -> Vec<Contact> {
        self.books.lock().lists.get(list).cloned().unwrap_or_default()
    }

    /// E-mails and tags of a list, oldest first.
    pub fn tags(&self, list: &str) -> Vec<(String, Vec<String>)> {
        self.list(list).into_iter().map(|c| (c.email, c.tags.into_iter().collect())).collect()
    }

    /// Everything it was asked, oldest first.
    pub fn heard(&self) -> Vec<Heard> {
        self.books.lock().heard.clone()
    }

    fn failing(&self, list: &str) -> Option<Failing> {
        let mut books = self.books.lock();
        let at = books.failing.iter().position(|(failing, _)| failing == list)?;
        let how = books.failing[at].1;
        if how != Failing::Forever {
            books.failing.remove(at);
        }
        Some(how)
    }

    async fn contact(&self, job: Job, untag: bool, out: &dyn Outbound) -> Report {
        let list = find(&job.on.picked, "list").unwrap_or("main").to_owned();
        self.books.lock().heard.push(Heard { untag, list: list.clone(), job: job.clone() });
        let latency = *self.latency.lock();
        tokio::time::sleep(latency).await;
        let failing = self.failing(&list);
        let told = || Told { code: "500".into(), text: "unwell".into() };
        if failing == Some(Failing::Forever) {
            return Report { known: job.known, ending: Ending::Failed(Error::Permanent(told())) };
        }
        if failing == Some(Failing::Before) {
            return Report { known: job.known, ending: Ending::Failed(Error::Retryable(told())) };
        }
        let saved = Request { call: "save".to_owned(), ..Request::default() };
        if out.send(saved).await.is_err() {
            return Report { known: job.known, ending: Ending::Failed(Error::Retryable(told())) };
        }
        let mut books = self.books.lock();
        let found = self.find(&books, &list, &job);
        let (known, change) = if untag { self.untag(&mut books, &list, found, &job) } else { self.save(&mut books, &list, found, &job) };
        drop(books);
        let ending = match failing {
            Some(Failing::After) => Ending::Failed(Error::Retryable(told())),
            _ => Ending::Done(Success { change, standing: Standing::Normal, warnings: Vec::new() }),
        };
        Report { known, ending }
    }

    /// By id where there are ids, then by the e-mail, then by the one before.
    fn find(&self, books: &Books, list: &str, job: &Job) -> Option<usize> {
        let contacts = books.lists.get(list)?;
        let by_id = || contacts.iter().position(|c| self.style == Style::Ids && Some(c.id.to_string()) == job.known.contact_id);
        let by = |email: &str| contacts.iter().position(|c| c.email.eq_ignore_ascii_case(email));
        by_id().or_else(|| by(&job.who.email)).or_else(|| by(job.who.previous_email.as_deref()?))
    }

    fn save(&self, books: &mut Books, list: &str, found: Option<usize>, job: &Job) -> (Known, Change) {
        books.ids += 1;
        let id = books.ids;
        let contacts = books.lists.entry(list.to_owned()).or_default();
        let (at, change) = match found {
            Some(at) => (at, Change::Updated),
            None => {
                contacts.push(Contact { id, ..Contact::default() });
                (contacts.len() - 1, Change::Created)
            }
        };
        let contact = &mut contacts[at];
        contact.email.clone_from(&job.who.email);
        contact.first = job.who.first.clone().or(contact.first.take());
        if self.style == Style::Emails {
            contact.tags = job.all.iter().cloned().collect();
        }
        contact.tags.extend(job.set.iter().cloned());
        for field in &job.who.fields {
            let (Value::Text(text) | Value::Number(text) | Value::Date(text)) = &field.value else { continue };
            contact.fields.insert(field.key.clone(), text.clone());
        }
        (self.known(contact), change)
    }

    fn untag(&self, books: &mut Books, list: &str, found: Option<usize>, job: &Job) -> (Known, Change) {
        let Some(contact) = found.and_then(|at| books.lists.get_mut(list)?.get_mut(at)) else { return (Known::default(), Change::Gone) };
        if self.style == Style::Emails && !job.clear.is_empty() {
            contact.tags = job.all.iter().cloned().collect();
        }
        contact.tags.retain(|tag| !job.clear.contains(tag));
        (self.known(contact), Change::Updated)
    }

    /// Only a vendor with ids has one to tell; what is known is the same before and after a move.
    fn known(&self, contact: &Contact) -> Known {
        let contact_id = (self.style == Style::Ids).then(|| contact.id.to_string());
        Known { contact_id, tags: Vec::new(), memo: Some("seen".to_owned()) }
    }
}

#[async_trait]
impl Guests for Crm {
    async fn call(&self, _: &Digest, asked: Invocation, out: Arc<dyn Outbound>, _: Arc<dyn GuestLog>) -> Result<Answer, GuestFault> {
        Ok(match asked {
            Invocation::Verify { .. } => Answer::Account(Ok(Account::default())),
            Invocation::ListChoices { picker, .. } => {
                let items = ["a", "b", "c", "main"].map(|id| Choice {
                    id: id.to_owned(),
                    name: format!("{picker} {id}"),
                    detail: None,
                    selectable: true,
                    facts: Vec::new(),
                });
                Answer::Page(Ok(Page { items: items.into(), next: None }))
            }
            Invocation::SyncContact { job } => Answer::Report(self.contact(job, false, &*out).await),
            Invocation::UntagContact { job } => Answer::Report(self.contact(job, true, &*out).await),
            Invocation::Prepare { .. } | Invocation::LookupContact { .. } => return Err(GuestFault::Trapped("not made for this".into())),
        })
    }

    fn loaded(&self) -> Vec<(Digest, Arc<Manifest>)> {
        vec![(Digest("d".into()), self.manifest.clone())]
    }

    fn active(&self, _: &str) -> Option<(Digest, Arc<Manifest>)> {
        Some((Digest("d".into()), self.manifest.clone()))
    }

    fn manifest(&self, _: &Digest) -> Option<Arc<Manifest>> {
        Some(self.manifest.clone())
    }
}

impl Gateway for Crm {
    fn open(&self, _: Scope, _: Mode, journal: Arc<dyn Journal>) -> Arc<dyn Outbound> {
        Arc::new(Noted(journal))
    }

    fn ready_at(&self, _: &Scope, _: u32) -> Option<u64> {
        None
    }

    fn throttled(&self, _: &Scope, _: Option<&str>, _: Option<u32>) {}
}

/// This connector keeps its books in memory and calls nobody; that it wrote is noted in the journal all the same.
struct Noted(Arc<dyn Journal>);

#[async_trait]
impl Outbound for Noted {
    async fn send(&self, request: Request) -> Result<Response, Unanswered> {
        let answer = Response { status: 200, ..Response::default() };
        let step = StepRecord {
            key: StepKey { call: request.call, hash: "h".to_owned(), occurrence: 0 },
            effect: Effect::Idempotent,
            request: ShownRequest { method: "POST".into(), url: "https://api.books.example/save".into(), headers: vec![], body: None },
            outcome: StepOutcome::Answered(answer.clone()),
            good: true,
            reused: false,
            at: 0,
            took_ms: 0,
        };
        self.0.record(step).await.map_err(|_| Unanswered::Unreachable)?;
        Ok(answer)
    }
}
