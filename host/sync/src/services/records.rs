//! Reading and writing documents as typed values: pages, scans that are bounded, and puts with their unique names.

use crm_store::StoreError;
use crm_store::model::{Kind, NewJob, Put, Record, RecordKey};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ServiceError;
use crate::context::Context;
use crate::domain::{Affiliate, AffiliateStatus, ApiKey, AuditEntry, Campaign, Connection, Organization, Override, normalise_email};

/// A document and the version it had when it was read: the `ETag`.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned<T> {
    pub value: T,
    pub version: u64,
}

/// Some documents, and where to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Paged<T> {
    pub items: Vec<T>,
    /// The id after which the next page begins; `None` = this is the end.
    pub next: Option<String>,
}

/// At most this many records are looked at for one page of a filtered list; the page then ends early, with a cursor.
const SCAN_LIMIT: usize = 10_000;
pub(crate) const SCAN_PAGE: usize = 500;

/// How often a lost compare-and-swap is tried again before the caller is told.
pub const RACES: usize = 8;

/// A kind of document that services keep.
pub trait Document: Serialize + DeserializeOwned + Send {
    const KIND: Kind;
    const NAME: &'static str;
    fn key(&self) -> RecordKey;
    /// Names that this document holds for itself.
    fn unique(&self) -> Vec<(String, String)>;
}

fn key(organization: &str, kind: Kind, id: &str) -> RecordKey {
    RecordKey { organization: organization.to_owned(), kind, id: id.to_owned() }
}

impl Document for Connection {
    const KIND: Kind = Kind::Connection;
    const NAME: &'static str = "connection";
    fn key(&self) -> RecordKey {
        key(&self.organization, Self::KIND, &self.id)
    }
    fn unique(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

impl Document for Campaign {
    const KIND: Kind = Kind::Campaign;
    const NAME: &'static str = "campaign";
    fn key(&self) -> RecordKey {
        key(&self.organization, Self::KIND, &self.id)
    }
    fn unique(&self) -> Vec<(String, String)> {
        vec![("slug".to_owned(), self.slug.clone())]
    }
}

impl Document for Affiliate {
    const KIND: Kind = Kind::Affiliate;
    const NAME: &'static str = "affiliate";
    fn key(&self) -> RecordKey {
        key(&self.organization, Self::KIND, &self.id)
    }
    /// E-mail and slug, for themselves; and one name per campaign, by which lists find them.
    fn unique(&self) -> Vec<(String, String)> {
        let mut names = vec![("email".to_owned(), normalise_email(&self.email))];
        if let Some(slug) = &self.slug {
            names.push(("slug".to_owned(), slug_name(slug)));
        }
        names.extend(self.campaigns.iter().map(|m| (IN.to_owned(), in_prefix(&m.campaign, m.status) + &self.id)));
        names
    }
}

impl Document for Override {
    const KIND: Kind = Kind::Override;
    const NAME: &'static str = "override";
    fn key(&self) -> RecordKey {
        key(&self.organization, Self::KIND, &self.id)
    }
    fn unique(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

impl Document for Organization {
    const KIND: Kind = Kind::Organization;
    const NAME: &'static str = "organization";
    fn key(&self) -> RecordKey {
        key(&self.id, Self::KIND, &self.id)
    }
    fn unique(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

impl Document for AuditEntry {
    const KIND: Kind = Kind::Audit;
    const NAME: &'static str = "audit entry";
    fn key(&self) -> RecordKey {
        key(&self.organization, Self::KIND, &self.id)
    }
    /// One name, by which the lines about something are found.
    fn unique(&self) -> Vec<(String, String)> {
        vec![(OF.to_owned(), of_prefix(&self.target) + &self.id)]
    }
}

impl Document for ApiKey {
    const KIND: Kind = Kind::ApiKey;
    const NAME: &'static str = "key";
    /// Keys name their organization, so they are kept outside all of them.
    fn key(&self) -> RecordKey {
        key("", Self::KIND, &self.id)
    }
    fn unique(&self) -> Vec<(String, String)> {
        vec![("hash".to_owned(), self.hash.clone()), (OWNER.to_owned(), format!("{}/{}", self.organization, self.id))]
    }
}

/// The namespace under which keys are found by their organization.
pub const OWNER: &str = "of";

/// The namespace of [`in_prefix`].
pub const IN: &str = "in";

/// Under this, followed by their ids, are the affiliates of a campaign that have a status.
pub fn in_prefix(campaign: &str, status: AffiliateStatus) -> String {
    format!("{campaign}/{}/", status.word())
}

/// The namespace of [`of_prefix`].
pub const OF: &str = "of";

/// Under this, followed by their ids, are the audit log's lines about something.
pub fn of_prefix(target: &str) -> String {
    format!("{target}/")
}

/// The unique name of a referral slug; slugs are compared without case, as links are typed by people.
pub fn slug_name(slug: &str) -> String {
    slug.to_lowercase()
}

/// The affiliate with this e-mail, in any spelling.
pub async fn affiliate_by_email(context: &Context, organization: &str, email: &str) -> Result<Option<Versioned<Affiliate>>, ServiceError> {
    find(context, organization, "email", &normalise_email(email)).await
}

/// A put that writes `document` over version `expect` (0 = it must not exist).
pub fn put<T: Document>(document: &T, expect: u64) -> Result<Put, ServiceError> {
    let json = serde_json::to_string(document).map_err(|e| ServiceError::Damaged(e.to_string()))?;
    Ok(Put { record: document.key(), expect: Some(expect), json: Some(json), unique: document.unique() })
}

/// Reads one document of this organization.
pub async fn load<T: Document>(context: &Context, organization: &str, id: &str) -> Result<Versioned<T>, ServiceError> {
    if !plausible(id) {
        return Err(ServiceError::NotFound(T::NAME));
    }
    match context.load::<T>(organization, T::KIND, id).await? {
        Some((value, version)) => Ok(Versioned { value, version }),
        None => Err(ServiceError::NotFound(T::NAME)),
    }
}

/// Whether a text can be an id at all. What cannot is never looked for, whatever a back end would make of its characters.
pub fn plausible(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether a document still has the version that a caller saw; without one, any will do.
pub fn expected(expect: Option<u64>, version: u64) -> Result<(), ServiceError> {
    if expect.is_some_and(|seen| seen != version) { Err(ServiceError::Changed) } else { Ok(()) }
}

/// Writes one document; answers the version it now has.
pub async fn save<T: Document>(context: &Context, document: &T, expect: u64) -> Result<u64, ServiceError> {
    context.store.commit(vec![put(document, expect)?], Vec::<NewJob>::new()).await?;
    Ok(expect + 1)
}

/// Reads, changes and writes one document, again when someone else wrote in between (the worker, mostly).
pub async fn modify<T: Document>(
    context: &Context,
    organization: &str,
    id: &str,
    mut change: impl FnMut(&mut T) + Send,
) -> Result<Versioned<T>, ServiceError> {
    for _ in 0..RACES {
        let Versioned { mut value, version } = load::<T>(context, organization, id).await?;
        change(&mut value);
        match save(context, &value, version).await {
            Ok(version) => return Ok(Versioned { value, version }),
            Err(ServiceError::Changed) => {}
            Err(error) => return Err(error),
        }
    }
    Err(ServiceError::Changed)
}

/// Reads a record's document.
pub fn parse<T: Document>(record: &Record) -> Result<Versioned<T>, ServiceError> {
    let value =
        serde_json::from_str(&record.json).map_err(|e| ServiceError::Damaged(format!("{} {} cannot be read: {e}", T::NAME, record.id)))?;
    Ok(Versioned { value, version: record.version })
}

/// The document that holds a unique name.
pub async fn find<T: Document>(
    context: &Context,
    organization: &str,
    namespace: &str,
    name: &str,
) -> Result<Option<Versioned<T>>, ServiceError> {
    let record = context.store.find(organization, T::KIND, namespace, name).await?;
    record.as_ref().map(parse).transpose()
}

/// A page of the documents that `keep` accepts, oldest first.
pub async fn page<T: Document>(
    context: &Context,
    organization: &str,
    after: Option<&str>,
    limit: usize,
    keep: impl Fn(&T) -> bool + Send,
) -> Result<Paged<Versioned<T>>, ServiceError> {
    page_until(context, organization, after, limit, keep, |_| false).await
}

/// The same, up to the first id that is `past` the end of what is asked for.
pub async fn page_until<T: Document>(
    context: &Context,
    organization: &str,
    after: Option<&str>,
    limit: usize,
    keep: impl Fn(&T) -> bool + Send,
    past: impl Fn(&str) -> bool + Send,
) -> Result<Paged<Versioned<T>>, ServiceError> {
    let mut items = Vec::new();
    let mut at = after.map(str::to_owned);
    let mut seen = 0;
    loop {
        let records = context.store.page(organization, T::KIND, at.as_deref(), SCAN_PAGE).await?;
        let end = records.len() < SCAN_PAGE;
        for (index, record) in records.iter().enumerate() {
            if past(&record.id) {
                return Ok(Paged { items, next: None });
            }
            let document = parse::<T>(record)?;
            seen += 1;
            at = Some(record.id.clone());
            if keep(&document.value) {
                items.push(document);
            }
            let more = index + 1 < records.len() || !end;
            if items.len() >= limit || seen >= SCAN_LIMIT {
                return Ok(Paged { items, next: if more { at } else { None } });
            }
        }
        if end {
            return Ok(Paged { items, next: None });
        }
    }
}

/// Every document of a kind of which an organization has few (connections, campaigns).
pub async fn all<T: Document>(context: &Context, organization: &str) -> Result<Vec<Versioned<T>>, ServiceError> {
    let mut items = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = page::<T>(context, organization, after.as_deref(), SCAN_PAGE, |_| true).await?;
        items.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(items),
        }
    }
}

/// Deletes the records of a kind that are `unwanted`, page by page; answers how many. One that changes meanwhile is looked at again.
pub async fn delete_where(
    context: &Context,
    organization: &str,
    kind: Kind,
    unwanted: impl Fn(&Record) -> bool + Send,
) -> Result<u64, ServiceError> {
    let (mut gone, mut races) = (0, 0);
    let mut after: Option<String> = None;
    loop {
        let page = context.store.page(organization, kind, after.as_deref(), SCAN_PAGE).await?;
        let Some(last) = page.last().map(|record| record.id.clone()) else { return Ok(gone) };
        let puts: Vec<Put> = page
            .into_iter()
            .filter(&unwanted)
            .map(|record| Put::delete(key(organization, kind, &record.id), Some(record.version)))
            .collect();
        let count = puts.len() as u64;
        if count > 0 {
            match context.store.commit(puts, Vec::new()).await {
                Ok(_) => gone += count,
                Err(StoreError::Conflict) if races < RACES => {
                    races += 1;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
        }
        after = Some(last);
    }
}

/// Says of a `Taken` error which field it is about.
pub fn taken_as(field: &'static str) -> impl Fn(ServiceError) -> ServiceError {
    move |error| match error {
        ServiceError::Taken { by, .. } => ServiceError::Taken { field, by },
        other => other,
    }
}
