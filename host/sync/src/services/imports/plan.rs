//! What becomes of one row: compared with what is in the store and with the rows before it, never written here. The check and the import
//! itself plan alike, so that the one foretells the other.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use super::formats::{CellError, Field, Layout, Values};
use crate::context::Context;
use crate::domain::{Affiliate, AffiliateStatus, Source, normalise_email};
use crate::services::affiliates::{self, NewAffiliate};
use crate::services::csv_rows::Row;
use crate::services::membership::{self, Moved};
use crate::services::{ServiceError, Versioned, entry, records};

/// What one import's rows have in common.
pub(super) struct Planner<'a> {
    pub(super) context: &'a Context,
    pub(super) organization: &'a str,
    pub(super) campaign: &'a str,
    pub(super) approve: bool,
    pub(super) layout: &'a Layout,
}

/// What becomes of a row.
pub(super) enum Planned {
    /// A new affiliate.
    Created(Box<Entry>),
    /// An affiliate of the organization comes into the campaign. Their slug stays where it is another one.
    Joined {
        entry: Box<Entry>,
        keeps_slug: bool,
    },
    /// In the campaign already (`Some` = whose), or in an earlier row.
    Duplicate(Option<String>),
    Error(CellError),
}

/// An affiliate to write.
pub(super) struct Entry {
    pub(super) affiliate: Affiliate,
    pub(super) version: u64,
    pub(super) moved: Moved,
}

impl Planner<'_> {
    /// Plans a row. `now` is the same for all rows of a batch. An error is the store's, not the row's.
    pub(super) async fn row(&self, row: &Row, now: u64, seen: &mut Seen) -> Result<Planned, ServiceError> {
        match self.entry(row, now, seen).await {
            Ok(planned) => {
                if let Planned::Created(entry) | Planned::Joined { entry, .. } = &planned {
                    seen.add(&entry.affiliate);
                }
                Ok(planned)
            }
            Err(Trouble::Cell(error)) => Ok(Planned::Error(error)),
            Err(Trouble::Service(error)) => Err(error),
        }
    }

    async fn entry(&self, row: &Row, now: u64, seen: &Seen) -> Result<Planned, Trouble> {
        let values = self.layout.read(row)?;
        let status = self.status(values.status);
        let joined = values.joined.filter(|joined| *joined <= now);
        let mut fresh = affiliates::checked(self.organization, now, typed(values), Source::Import).map_err(of_row)?;
        let email = normalise_email(&fresh.email);
        if let Some(earlier) = seen.email(&email) {
            return Ok(Planned::Duplicate(earlier));
        }
        let known: Option<Versioned<Affiliate>> = records::find(self.context, self.organization, "email", &email).await?;
        let Some(Versioned { value: mut known, version }) = known else {
            self.check_slug(&fresh, seen).await?;
            let moved = self.join(&mut fresh, status, joined, now, seen).await?;
            let Some(moved) = moved else { return Ok(Planned::Duplicate(None)) };
            return Ok(Planned::Created(Box::new(Entry { affiliate: fresh, version: 0, moved })));
        };
        if known.membership(self.campaign).is_some() {
            return Ok(Planned::Duplicate(Some(known.id)));
        }
        entry::fill(&mut known, &fresh);
        let keeps_slug = match (&known.slug, &fresh.slug) {
            (Some(have), Some(said)) => records::slug_name(have) != records::slug_name(said),
            _ => false,
        };
        if known.slug.is_none() {
            known.slug.clone_from(&fresh.slug);
            self.check_slug(&known, seen).await?;
        }
        match self.join(&mut known, status, joined, now, seen).await? {
            Some(moved) => Ok(Planned::Joined { entry: Box::new(Entry { affiliate: known, version, moved }), keeps_slug }),
            None => Ok(Planned::Duplicate(Some(known.id))),
        }
    }

    /// Whom the other platform had switched off must not come in as approved, nor as one of those who wait to be.
    fn status(&self, there: Option<AffiliateStatus>) -> AffiliateStatus {
        match there {
            None | Some(AffiliateStatus::Approved) if self.approve => AffiliateStatus::Approved,
            None | Some(AffiliateStatus::Approved | AffiliateStatus::Pending) => AffiliateStatus::Pending,
            Some(off) => off,
        }
    }

    /// A link that somebody else has must not be stolen.
    async fn check_slug(&self, affiliate: &Affiliate, seen: &Seen) -> Result<(), Trouble> {
        let Some(slug) = &affiliate.slug else { return Ok(()) };
        let by = affiliates::slug_holder(self.context, affiliate).await?;
        if seen.slug(&records::slug_name(slug)) || by.is_some() {
            let message = "this referral slug belongs to another affiliate, whose links it keeps".to_owned();
            return Err(Trouble::Cell(CellError { field: Field::Slug, message }));
        }
        Ok(())
    }

    async fn join(
        &self,
        affiliate: &mut Affiliate,
        status: AffiliateStatus,
        joined: Option<u64>,
        now: u64,
        seen: &Seen,
    ) -> Result<Option<Moved>, Trouble> {
        let moved = membership::join(affiliate, self.campaign, status, now).map_err(of_row)?;
        if let Some(membership) = affiliate.membership_mut(self.campaign) {
            membership.joined = joined.unwrap_or(membership.joined);
        }
        if status == AffiliateStatus::Approved {
            affiliates::ensure_slug(self.context, affiliate, &|slug| seen.slug(&records::slug_name(slug))).await?;
        }
        Ok(moved)
    }
}

fn typed(values: Values) -> NewAffiliate {
    NewAffiliate {
        email: values.email.unwrap_or_default(),
        first: values.first,
        last: values.last,
        full: values.full,
        company: values.company,
        website: values.website,
        slug: values.slug,
        coupon: values.coupon,
        ..NewAffiliate::default()
    }
}

/// What kept a row from being planned: its own cell, or the store.
enum Trouble {
    Cell(CellError),
    Service(ServiceError),
}

impl From<CellError> for Trouble {
    fn from(error: CellError) -> Self {
        Self::Cell(error)
    }
}

impl From<ServiceError> for Trouble {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

/// A check of typed values that failed: the row's own fault.
fn of_row(error: ServiceError) -> Trouble {
    let ServiceError::Invalid(fields) = &error else { return Trouble::Service(error) };
    let Some(first) = fields.first() else { return Trouble::Service(error) };
    let field = Field::ALL.into_iter().find(|field| field.word() == first.field).unwrap_or(Field::Email);
    Trouble::Cell(CellError { field, message: first.message.clone() })
}

/// What earlier rows took for themselves and the store does not show yet.
#[derive(Default)]
pub(super) struct Seen {
    /// Of this batch, with the affiliate's id.
    emails: HashMap<String, String>,
    slugs: HashSet<String>,
    /// Of all batches before, where none of them was written.
    past: Option<Past>,
}

impl Seen {
    /// For a check, which writes nothing and so must remember.
    pub(super) fn of_a_check() -> Self {
        Self { past: Some(Past::default()), ..Self::default() }
    }

    /// The next batch: the store shows this one now, or it is remembered.
    pub(super) fn next_batch(&mut self) {
        if let Some(past) = &mut self.past {
            past.add(self.emails.keys().map(|e| ('e', e.as_str())).chain(self.slugs.iter().map(|s| ('s', s.as_str()))));
        }
        self.forget();
    }

    /// The batch is planned anew.
    pub(super) fn forget(&mut self) {
        self.emails.clear();
        self.slugs.clear();
    }

    fn add(&mut self, affiliate: &Affiliate) {
        // Ids of a check are never given to anybody.
        let id = if self.past.is_some() { String::new() } else { affiliate.id.clone() };
        self.emails.insert(normalise_email(&affiliate.email), id);
        self.slugs.extend(affiliate.slug.as_deref().map(records::slug_name));
    }

    fn email(&self, email: &str) -> Option<Option<String>> {
        match self.emails.get(email) {
            Some(id) => Some(Some(id.clone()).filter(|id| !id.is_empty())),
            None => self.past.as_ref().filter(|past| past.has('e', email)).map(|_| None),
        }
    }

    fn slug(&self, slug: &str) -> bool {
        self.slugs.contains(slug) || self.past.as_ref().is_some_and(|past| past.has('s', slug))
    }
}

/// Names as hashes of 64 bits, up to a number that costs 38 MB. Beyond it a check forgets: it then counts repeated rows that are far
/// apart as new ones. The import itself never depends on this.
#[derive(Default)]
struct Past {
    names: HashSet<u64>,
    hasher: RandomState,
}

const MOST_NAMES: usize = 3_600_000;

impl Past {
    fn add<'n>(&mut self, names: impl Iterator<Item = (char, &'n str)>) {
        for name in names {
            if self.names.len() < MOST_NAMES {
                self.names.insert(self.hasher.hash_one(name));
            }
        }
    }

    fn has(&self, kind: char, name: &str) -> bool {
        self.names.contains(&self.hasher.hash_one((kind, name)))
    }
}
