//! Keys. One byte names the table, every part but the last is length-prefixed, and the last stands as it is, so that rows sort by
//! it within their prefix. Length prefixes mean that no id, whatever its characters, can reach into another's range.

use crate::model::{JobState, Kind};

pub(crate) const META: u8 = b'm';
pub(crate) const DOC: u8 = b'd';
pub(crate) const UNIQUE: u8 = b'u';
pub(crate) const JOB: u8 = b'j';
pub(crate) const LIVE: u8 = b'l';
pub(crate) const FOLLOW: u8 = b'f';
pub(crate) const ENDED: u8 = b't';
pub(crate) const BY_AFFILIATE: u8 = b'y';
pub(crate) const ATTEMPT: u8 = b'a';
pub(crate) const STEP: u8 = b's';
pub(crate) const CONTACT: u8 = b'k';
pub(crate) const LANE: u8 = b'w';
pub(crate) const SECRET: u8 = b'z';
pub(crate) const CHUNK: u8 = b'c';

/// The longest part of a key, in bytes: ids are 30, names and e-mails may be long.
pub(crate) const MAX_PART: usize = 600;

/// The version of all rows; a store with another one is not opened.
pub(crate) fn format() -> Vec<u8> {
    vec![META, b'f']
}

/// How often the store was opened: the upper half of every epoch.
pub(crate) fn boot() -> Vec<u8> {
    vec![META, b'b']
}

/// Which master keys sealed what is here.
pub(crate) fn key_ids() -> Vec<u8> {
    vec![META, b'k']
}

pub(crate) fn doc_prefix(organization: &str, kind: Kind) -> Vec<u8> {
    let mut key = vec![DOC];
    part(&mut key, organization);
    key.push(kind_byte(kind));
    key
}

pub(crate) fn doc(organization: &str, kind: Kind, id: &str) -> Vec<u8> {
    tail(doc_prefix(organization, kind), id)
}

pub(crate) fn unique(organization: &str, kind: Kind, namespace: &str, name: &str) -> Vec<u8> {
    let mut key = vec![UNIQUE];
    part(&mut key, organization);
    key.push(kind_byte(kind));
    part(&mut key, namespace);
    tail(key, name)
}

pub(crate) fn job(id: &str) -> Vec<u8> {
    tail(vec![JOB], id)
}

pub(crate) fn follow(id: &str) -> Vec<u8> {
    tail(vec![FOLLOW], id)
}

pub(crate) fn lane(lane: &str) -> Vec<u8> {
    tail(vec![LANE], lane)
}

pub(crate) fn live_prefix(lane: &str) -> Vec<u8> {
    let mut key = vec![LIVE];
    part(&mut key, lane);
    key
}

pub(crate) fn live(lane: &str, id: &str) -> Vec<u8> {
    tail(live_prefix(lane), id)
}

pub(crate) fn ended_prefix(organization: &str, lane: &str, state: JobState) -> Vec<u8> {
    let mut key = vec![ENDED];
    part(&mut key, organization);
    part(&mut key, lane);
    key.push(state_byte(state));
    key
}

pub(crate) fn ended(organization: &str, lane: &str, state: JobState, id: &str) -> Vec<u8> {
    tail(ended_prefix(organization, lane, state), id)
}

pub(crate) fn affiliate_prefix(organization: &str, affiliate: &str) -> Vec<u8> {
    let mut key = vec![BY_AFFILIATE];
    part(&mut key, organization);
    part(&mut key, affiliate);
    key
}

pub(crate) fn by_affiliate(organization: &str, affiliate: &str, id: &str) -> Vec<u8> {
    tail(affiliate_prefix(organization, affiliate), id)
}

pub(crate) fn attempts_prefix(id: &str) -> Vec<u8> {
    let mut key = vec![ATTEMPT];
    part(&mut key, id);
    key
}

pub(crate) fn attempt(id: &str, number: u32) -> Vec<u8> {
    let mut key = attempts_prefix(id);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

pub(crate) fn steps_prefix(id: &str) -> Vec<u8> {
    let mut key = vec![STEP];
    part(&mut key, id);
    key
}

pub(crate) fn step(id: &str, attempt: u32, number: u32) -> Vec<u8> {
    let mut key = steps_prefix(id);
    key.extend_from_slice(&attempt.to_be_bytes());
    key.extend_from_slice(&number.to_be_bytes());
    key
}

pub(crate) fn contact(lane: &str, email: &str) -> Vec<u8> {
    let mut key = vec![CONTACT];
    part(&mut key, lane);
    tail(key, email)
}

/// Where contacts of lanes begin whose names have this many bytes and begin so.
pub(crate) fn contacts_from(bytes: usize, begins: &str) -> Vec<u8> {
    let mut key = vec![CONTACT];
    // Cast: as in `part`.
    key.extend_from_slice(&(bytes as u16).to_be_bytes());
    tail(key, begins)
}

pub(crate) fn secrets_prefix(organization: &str, connection: &str) -> Vec<u8> {
    let mut key = vec![SECRET];
    part(&mut key, organization);
    part(&mut key, connection);
    key
}

/// `slot` is the domain-separated name, see `sealing`.
pub(crate) fn secret(organization: &str, connection: &str, slot: &str) -> Vec<u8> {
    tail(secrets_prefix(organization, connection), slot)
}

pub(crate) fn chunk(main: &[u8], index: u16) -> Vec<u8> {
    let mut key = Vec::with_capacity(main.len() + 5);
    key.push(CHUNK);
    // Cast: keys are at most a few parts of MAX_PART bytes.
    key.extend_from_slice(&(main.len() as u16).to_be_bytes());
    key.extend_from_slice(main);
    key.extend_from_slice(&index.to_be_bytes());
    key
}

/// The first key after every key with this prefix; `None` when there is none.
pub(crate) fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.last_mut() {
        if *last < u8::MAX {
            *last += 1;
            return Some(end);
        }
        end.pop();
    }
    None
}

/// Takes the length-prefixed part at the front of `rest`.
pub(crate) fn take_part<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let (len, tail) = rest.split_at_checked(2)?;
    let len = usize::from(u16::from_be_bytes([len[0], len[1]]));
    let (text, tail) = tail.split_at_checked(len)?;
    *rest = tail;
    std::str::from_utf8(text).ok()
}

/// For messages: letters and digits as they are, all else as dots.
pub(crate) fn shown(key: &[u8]) -> String {
    key.iter().map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '.' }).collect()
}

fn part(key: &mut Vec<u8>, text: &str) {
    // Cast: callers have checked the length against MAX_PART.
    key.extend_from_slice(&(text.len() as u16).to_be_bytes());
    key.extend_from_slice(text.as_bytes());
}

fn tail(mut key: Vec<u8>, text: &str) -> Vec<u8> {
    key.extend_from_slice(text.as_bytes());
    key
}

fn kind_byte(kind: Kind) -> u8 {
    match kind {
        Kind::Organization => 1,
        Kind::ApiKey => 2,
        Kind::Connection => 3,
        Kind::Campaign => 4,
        Kind::Affiliate => 5,
        Kind::Import => 6,
        Kind::Idempotency => 7,
        Kind::Host => 8,
        Kind::Authorization => 9,
        Kind::Override => 10,
        Kind::Invite => 11,
        Kind::Program => 12,
        Kind::WebhookEndpoint => 13,
        Kind::Audit => 14,
        Kind::OperatorKey => 15,
        Kind::Release => 16,
        Kind::Line => 17,
        Kind::RefusedFile => 18,
    }
}

pub(crate) fn kind_of(byte: u8) -> Option<Kind> {
    Some(match byte {
        1 => Kind::Organization,
        2 => Kind::ApiKey,
        3 => Kind::Connection,
        4 => Kind::Campaign,
        5 => Kind::Affiliate,
        6 => Kind::Import,
        7 => Kind::Idempotency,
        8 => Kind::Host,
        9 => Kind::Authorization,
        10 => Kind::Override,
        11 => Kind::Invite,
        12 => Kind::Program,
        13 => Kind::WebhookEndpoint,
        14 => Kind::Audit,
        15 => Kind::OperatorKey,
        16 => Kind::Release,
        17 => Kind::Line,
        18 => Kind::RefusedFile,
        _ => return None,
    })
}

pub(crate) fn state_byte(state: JobState) -> u8 {
    match state {
        JobState::Pending => 1,
        JobState::Running => 2,
        JobState::Waiting => 3,
        JobState::Retrying => 4,
        JobState::Parked => 5,
        JobState::Succeeded => 6,
        JobState::Failed => 7,
        JobState::Cancelled => 8,
    }
}

pub(crate) fn state_of(byte: u8) -> Option<JobState> {
    Some(match byte {
        1 => JobState::Pending,
        2 => JobState::Running,
        3 => JobState::Waiting,
        4 => JobState::Retrying,
        5 => JobState::Parked,
        6 => JobState::Succeeded,
        7 => JobState::Failed,
        8 => JobState::Cancelled,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organization_that_is_a_prefix_of_another_shares_no_range_with_it() {
        let short = doc_prefix("org", Kind::Campaign);
        let end = end_of(&short).unwrap();
        for other in ["org_1", "or", "orgx", "org\u{3}", ""] {
            let key = doc(other, Kind::Campaign, "a");
            assert!(key < short || key >= end, "{other:?} reaches into the range of \"org\"");
        }
    }

    #[test]
    fn parts_are_taken_back_as_they_were_put() {
        let key = live("con_1", "job_9");
        let mut rest = &key[1..];
        assert_eq!(take_part(&mut rest), Some("con_1"));
        assert_eq!(rest, b"job_9");
        assert_eq!(take_part(&mut &b"\x00\x09short"[..]), None);
    }

    #[test]
    fn every_kind_and_state_has_one_byte_and_back() {
        for byte in 0..=255 {
            if let Some(kind) = kind_of(byte) {
                assert_eq!(kind_byte(kind), byte);
            }
            if let Some(state) = state_of(byte) {
                assert_eq!(state_byte(state), byte);
            }
        }
    }
}
