//! What is known of one person in a lane and in all its parts. Contacts are kept by lane and e-mail, so a person's are scattered; the
//! names of a lane's parts are found by leaping from one to the next, so that nobody else's contacts are read.

use super::Reader;
use crate::disk::DiskError;
use crate::model::Contact;
use crate::port::StoreError;
use crate::rows::tables::{self, fold_email};
use crate::rows::{Damaged, keys};

impl Reader {
    pub(crate) async fn contacts(&self, lane: &str, emails: &[String]) -> Result<Vec<Contact>, StoreError> {
        if lane.len() > keys::MAX_PART {
            self.barrier.check()?;
            return Ok(Vec::new());
        }
        let lane = lane.to_owned();
        let mut emails: Vec<String> = emails.iter().map(|email| fold_email(email)).collect();
        emails.sort();
        emails.dedup();
        self.pieces(move |reader| {
            let mut found: Vec<Contact> = Vec::new();
            for part in parts(reader, &lane)? {
                for email in &emails {
                    let key = keys::contact(&part, email);
                    if let Some(payload) = reader.disk.payload(&key)? {
                        found.push(tables::decode(&key, &payload)?);
                    }
                }
            }
            found.sort_by(|a, b| (&a.lane, &a.email).cmp(&(&b.lane, &b.email)));
            Ok(found)
        })
        .await
    }
}

/// The lane, and each part of it under which something is kept. Names sort by their length first: at most two leaps per length that occurs.
fn parts(reader: &Reader, lane: &str) -> Result<Vec<String>, DiskError> {
    let begins = format!("{lane}/");
    let mut parts = vec![lane.to_owned()];
    let table = keys::end_of(&[keys::CONTACT]);
    let mut from = Some(keys::contacts_from(begins.len(), &begins));
    while let Some(at) = from {
        let Some(row) = reader.disk.scan(&at, table.as_deref(), false).next() else { break };
        let (key, _) = row?;
        let mut rest = &key[1..];
        let name = keys::take_part(&mut rest).ok_or_else(|| Damaged::at(&key, "not a contact's key"))?;
        let first = keys::contacts_from(name.len(), &begins);
        from = if name.starts_with(&begins) {
            parts.push(name.to_owned());
            keys::end_of(&keys::contact(name, ""))
        } else if key < first {
            Some(first)
        } else {
            Some(keys::contacts_from(name.len() + 1, &begins))
        };
    }
    Ok(parts)
}
