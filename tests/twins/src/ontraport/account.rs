//! What the account holds: contacts and tags, and how the vendor changes them. The rules of the wire (shapes, statuses)
//! are in `answers`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

/// The field that says whether someone may be written to. The vendor's documents name it but not its values; the twin
/// takes `1` for opted in and `0` for opted out.
const CONSENT: &str = "bulk_mail";

/// Standard fields besides `email`; custom ones are `f` and digits. Others are dropped, as the vendor is believed to do.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    ("firstname", "First Name"),
    ("lastname", "Last Name"),
    ("company", "Company"),
    ("title", "Title"),
    ("website", "Website"),
    ("address", "Address"),
    ("city", "City"),
    ("state", "State"),
    ("zip", "Zip Code"),
    ("country", "Country"),
    ("cell_phone", "Cell Phone"),
    ("office_phone", "Office Phone"),
    (CONSENT, "Bulk Email Status"),
];

pub(crate) const CUSTOM_FIELDS: &[(&str, &str)] = &[("f1234", "Affiliate Tier"), ("f1235", "Referred By")];

#[derive(Clone, Debug)]
pub(crate) struct Contact {
    pub(crate) id: u64,
    pub(crate) email: String,
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) tags: BTreeSet<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Tag {
    pub(crate) id: u64,
    pub(crate) name: String,
}

/// Field names and values as sent, e-mail apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    pub(crate) email: Option<String>,
    pub(crate) others: Vec<(String, String)>,
}

pub(crate) enum Saved {
    Created(u64),
    Updated { id: u64, changed: Vec<(String, String)> },
}

pub(crate) enum Changed {
    Done(Vec<(String, String)>),
    Absent,
    /// The new e-mail is another contact's.
    Taken,
}

#[derive(Default)]
pub(crate) struct Account {
    /// Contact `n` is at `n - 1`; a removed one leaves a gap, since ids are never used again.
    contacts: Vec<Option<Contact>>,
    by_email: HashMap<String, Vec<u64>>,
    tags: Vec<Tag>,
    tag_by_name: HashMap<String, u64>,
    resubscribed: u64,
    wiped: u64,
    without_email: u64,
}

/// The form of an e-mail by which the vendor tells people apart.
pub(crate) fn normal(email: &str) -> String {
    email.trim().to_lowercase()
}

impl Account {
    /// Upsert on e-mail. Blank values wipe what is there, unless `ignore_blanks`.
    pub(crate) fn save(&mut self, fields: Fields, ignore_blanks: bool) -> Saved {
        let known = fields.email.as_deref().and_then(|email| self.by_email.get(&normal(email))).and_then(|ids| ids.first()).copied();
        match known {
            None => Saved::Created(self.insert(fields)),
            Some(id) => Saved::Updated { id, changed: self.update(id, fields, ignore_blanks) },
        }
    }

    /// A new contact in any case: this is how duplicates come into being.
    pub(crate) fn insert(&mut self, fields: Fields) -> u64 {
        let id = self.contacts.len() as u64 + 1;
        let mut kept: BTreeMap<String, String> = fields.others.into_iter().filter(|(name, v)| is_field(name) && !v.is_empty()).collect();
        kept.entry(CONSENT.into()).or_insert_with(|| "1".into());
        let email = fields.email.unwrap_or_default().trim().to_owned();
        if email.is_empty() {
            self.without_email += 1;
        } else {
            self.by_email.entry(normal(&email)).or_default().push(id);
        }
        self.contacts.push(Some(Contact { id, email, fields: kept, tags: BTreeSet::new() }));
        id
    }

    /// Changes the contact of this id, its e-mail included. Blank values wipe.
    pub(crate) fn change(&mut self, id: u64, fields: Fields) -> Changed {
        let Some(before) = self.email_of(id).map(normal) else { return Changed::Absent };
        let mut changed = Vec::new();
        if let Some(email) = fields.email.as_deref().map(str::trim).filter(|email| !email.is_empty()) {
            if self.ids_of(email).iter().any(|other| *other != id) {
                return Changed::Taken;
            }
            if let Some(ids) = self.by_email.get_mut(&before) {
                ids.retain(|other| *other != id);
            }
            self.by_email.entry(normal(email)).or_default().push(id);
            if let Some(contact) = slot(id).and_then(|i| self.contacts.get_mut(i)).and_then(Option::as_mut) {
                contact.email = email.to_owned();
            }
            changed.push(("email".to_owned(), email.to_owned()));
        }
        changed.extend(self.update(id, fields, false));
        Changed::Done(changed)
    }

    fn update(&mut self, id: u64, fields: Fields, ignore_blanks: bool) -> Vec<(String, String)> {
        let Some(contact) = slot(id).and_then(|i| self.contacts.get_mut(i)).and_then(Option::as_mut) else { return Vec::new() };
        let mut changed = Vec::new();
        for (name, value) in fields.others {
            let before = contact.fields.get(&name).map(String::as_str).unwrap_or_default();
            if !is_field(&name) || (value.is_empty() && ignore_blanks) || before == value {
                continue;
            }
            self.wiped += u64::from(value.is_empty());
            self.resubscribed += u64::from(name == CONSENT && before == "0");
            changed.push((name.clone(), value.clone()));
            contact.fields.insert(name, value);
        }
        changed
    }

    pub(crate) fn contact(&self, id: u64) -> Option<&Contact> {
        slot(id).and_then(|i| self.contacts.get(i)).and_then(Option::as_ref)
    }

    pub(crate) fn contacts(&self) -> impl Iterator<Item = &Contact> {
        self.contacts.iter().flatten()
    }

    pub(crate) fn email_of(&self, id: u64) -> Option<&str> {
        self.contact(id).map(|c| c.email.as_str())
    }

    pub(crate) fn ids_of(&self, email: &str) -> &[u64] {
        self.by_email.get(&normal(email)).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// The tag of this name, created when missing. Names are told apart exactly.
    pub(crate) fn tag_named(&mut self, name: &str) -> u64 {
        if let Some(id) = self.tag_by_name.get(name) {
            return *id;
        }
        self.new_tag(name)
    }

    /// A new tag in any case; a second one of the same name is the harsher reading of the documents.
    pub(crate) fn new_tag(&mut self, name: &str) -> u64 {
        let id = self.tags.len() as u64 + 1;
        self.tags.push(Tag { id, name: name.to_owned() });
        self.tag_by_name.entry(name.to_owned()).or_insert(id);
        id
    }

    pub(crate) fn tag_id(&self, name: &str) -> Option<u64> {
        self.tag_by_name.get(name).copied()
    }

    /// Attaches or detaches; contacts that do not exist are passed over.
    pub(crate) fn tag(&mut self, ids: &[u64], tags: &[u64], attach: bool) {
        for id in ids {
            let Some(contact) = slot(*id).and_then(|i| self.contacts.get_mut(i)).and_then(Option::as_mut) else { continue };
            for tag in tags {
                if attach {
                    contact.tags.insert(*tag)
                } else {
                    contact.tags.remove(tag)
                };
            }
        }
    }

    pub(crate) fn opt_out(&mut self, email: &str) -> bool {
        let ids = self.ids_of(email).to_vec();
        for contact in self.contacts.iter_mut().flatten().filter(|c| ids.contains(&c.id)) {
            contact.fields.insert(CONSENT.into(), "0".into());
        }
        !ids.is_empty()
    }

    pub(crate) fn remove(&mut self, email: &str) -> bool {
        let ids = self.by_email.remove(&normal(email)).unwrap_or_default();
        for id in &ids {
            if let Some(place) = slot(*id).and_then(|i| self.contacts.get_mut(i)) {
                *place = None;
            }
        }
        !ids.is_empty()
    }

    pub(crate) fn counters(&self) -> [(&'static str, u64); 7] {
        let duplicates: usize = self.by_email.values().map(|ids| ids.len().saturating_sub(1)).sum();
        let count = |n: usize| n as u64;
        [
            ("contacts", count(self.contacts().count())),
            ("duplicates", count(duplicates)),
            ("without_email", self.without_email),
            ("resubscribed", self.resubscribed),
            ("wiped_fields", self.wiped),
            ("tags", count(self.tags.len())),
            ("duplicate_tags", count(self.tags.len() - self.tag_by_name.len())),
        ]
    }

    /// A contact as the control pages show it.
    pub(crate) fn shown(&self, contact: &Contact) -> Value {
        let tags: Vec<&str> = contact.tags.iter().filter_map(|id| self.tag_name(*id)).collect();
        let opted_out = contact.fields.get(CONSENT).is_some_and(|v| v == "0");
        json!({ "id": contact.id.to_string(), "email": contact.email, "fields": contact.fields, "tags": tags, "opted_out": opted_out })
    }

    pub(crate) fn tag_name(&self, id: u64) -> Option<&str> {
        slot(id).and_then(|i| self.tags.get(i)).map(|t| t.name.as_str())
    }
}

fn slot(id: u64) -> Option<usize> {
    usize::try_from(id.checked_sub(1)?).ok()
}

fn is_field(name: &str) -> bool {
    FIELDS.iter().any(|(known, _)| *known == name)
        || name.strip_prefix('f').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}
