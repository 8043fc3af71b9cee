//! The book: one entry per request, and the questions that a run is judged by. It knows nothing of any vendor beyond
//! the role of each route.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

/// What a route means for the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Writes the contact itself.
    Save,
    /// Attaches or detaches tags: the step after a save.
    Tag,
    /// Everything else.
    Other,
}

/// One request, as it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// From 0, without gaps.
    pub n: u64,
    /// Unix milliseconds.
    pub at: u64,
    pub endpoint: &'static str,
    #[serde(skip)]
    pub route: usize,
    /// The contact's normalised e-mail where the request names a contact, else empty.
    pub subject: Box<str>,
    /// Equal for equal requests (endpoint, query and body).
    pub hash: u64,
    /// 0 = no answer was given.
    pub status: u16,
    /// A 2xx answer left in full.
    pub ok: bool,
    /// The vendor did its work, whatever the answer said.
    pub applied: bool,
    pub fault: Option<&'static str>,
}

/// What the log says of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Saves sent again although they had been answered, because the tag call after them failed.
    pub saves_resent_after_tag_failure: u64,
    /// Different saves and tag calls after the mark that had been answered before it. 0 without a mark.
    pub calls_resent_after_mark: u64,
    /// Saves and tag calls before the mark whose answer left in full: what the run had achieved by then.
    pub answered_before_mark: u64,
    /// Tag calls that failed.
    pub tag_failures: u64,
}

/// Entries are kept up to this many; later ones are counted, not kept.
const KEPT: usize = 2_000_000;

#[derive(Default)]
pub(crate) struct Book {
    entries: Vec<Entry>,
    unkept: u64,
    calls: Vec<u64>,
    saved: HashSet<u64>,
    saves_resent: u64,
    marks: BTreeMap<String, u64>,
}

impl Book {
    pub(crate) fn new(routes: usize) -> Self {
        Self { calls: vec![0; routes], ..Self::default() }
    }

    /// Numbers and keeps an entry.
    pub(crate) fn add(&mut self, mut entry: Entry, role: Role) {
        entry.n = self.entries.len() as u64 + self.unkept;
        if let Some(count) = self.calls.get_mut(entry.route) {
            *count += 1;
        }
        if role == Role::Save {
            self.saves_resent += u64::from(self.saved.contains(&entry.hash));
            if entry.ok && self.saved.len() < KEPT {
                self.saved.insert(entry.hash);
            }
        }
        if self.entries.len() < KEPT {
            self.entries.push(entry);
        } else {
            self.unkept += 1;
        }
    }

    pub(crate) fn calls(&self) -> &[u64] {
        &self.calls
    }

    /// Saves whose identical request had been answered before.
    pub(crate) fn saves_resent(&self) -> u64 {
        self.saves_resent
    }

    pub(crate) fn len(&self) -> u64 {
        self.entries.len() as u64 + self.unkept
    }

    pub(crate) fn since(&self, n: u64, limit: usize) -> &[Entry] {
        let from = usize::try_from(n).unwrap_or(usize::MAX).min(self.entries.len());
        &self.entries[from..self.entries.len().min(from.saturating_add(limit))]
    }

    /// Splits the log here under a name; the same name moves its mark.
    pub(crate) fn mark(&mut self, name: &str) -> u64 {
        let at = self.len();
        self.marks.insert(name.to_owned(), at);
        at
    }

    pub(crate) fn marks(&self) -> &BTreeMap<String, u64> {
        &self.marks
    }

    pub(crate) fn verdict(&self, mark: Option<&str>, role_of: impl Fn(usize) -> Role) -> Verdict {
        let mark = mark.and_then(|name| self.marks.get(name)).copied();
        verdict(&self.entries, mark, role_of)
    }
}

/// The save that a contact's sync is past, and whether its tag call has failed since.
#[derive(Default)]
struct Progress {
    saved: Option<u64>,
    tag_failed: bool,
}

fn verdict(entries: &[Entry], mark: Option<u64>, role_of: impl Fn(usize) -> Role) -> Verdict {
    let mut verdict = Verdict::default();
    let mut contacts: HashMap<&str, Progress> = HashMap::new();
    let mut answered_before: HashSet<u64> = HashSet::new();
    let mut resent: HashSet<u64> = HashSet::new();
    for entry in entries {
        let role = role_of(entry.route);
        if role == Role::Other {
            continue;
        }
        match mark {
            Some(mark) if entry.n < mark && entry.ok => {
                verdict.answered_before_mark += 1;
                answered_before.insert(entry.hash);
            }
            Some(mark) if entry.n >= mark && answered_before.contains(&entry.hash) => {
                resent.insert(entry.hash);
            }
            _ => {}
        }
        let progress = contacts.entry(&entry.subject).or_default();
        match role {
            Role::Save => {
                verdict.saves_resent_after_tag_failure += u64::from(progress.tag_failed && progress.saved == Some(entry.hash));
                *progress = Progress { saved: entry.ok.then_some(entry.hash), tag_failed: false };
            }
            Role::Tag if entry.ok => *progress = Progress::default(),
            Role::Tag => {
                verdict.tag_failures += 1;
                progress.tag_failed = true;
            }
            Role::Other => {}
        }
    }
    verdict.calls_resent_after_mark = resent.len() as u64;
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAVE: usize = 0;
    const TAG: usize = 1;

    fn role(route: usize) -> Role {
        [Role::Save, Role::Tag, Role::Other][route]
    }

    fn book(rows: &[(usize, &str, u64, bool)]) -> Book {
        let mut book = Book::new(3);
        for (route, subject, hash, ok) in rows {
            let entry = Entry {
                n: 0,
                at: 0,
                endpoint: "",
                route: *route,
                subject: (*subject).into(),
                hash: *hash,
                status: if *ok { 200 } else { 503 },
                ok: *ok,
                applied: *ok,
                fault: None,
            };
            book.add(entry, role(*route));
        }
        book
    }

    #[test]
    fn a_save_repeated_after_a_failed_tag_call_is_found() {
        let good = book(&[(SAVE, "a", 1, true), (TAG, "a", 2, false), (TAG, "a", 2, true)]);
        assert_eq!(good.verdict(None, role).saves_resent_after_tag_failure, 0);
        let bad = book(&[(SAVE, "a", 1, true), (TAG, "a", 2, false), (SAVE, "a", 1, true), (TAG, "a", 2, true)]);
        let verdict = bad.verdict(None, role);
        assert_eq!((verdict.saves_resent_after_tag_failure, verdict.tag_failures), (1, 1));
        assert_eq!(bad.saves_resent(), 1);
    }

    #[test]
    fn a_save_that_failed_may_be_repeated() {
        let book = book(&[(SAVE, "a", 1, false), (SAVE, "a", 1, true), (TAG, "a", 2, true)]);
        assert_eq!(book.verdict(None, role), Verdict::default());
        assert_eq!(book.saves_resent(), 0);
    }

    #[test]
    fn only_calls_answered_before_the_mark_count_as_resent_and_each_once() {
        let mut book = book(&[(SAVE, "a", 1, true), (TAG, "a", 2, false), (SAVE, "b", 3, true), (2, "", 9, true)]);
        assert_eq!(book.mark("kill"), 4);
        for (route, hash) in [(TAG, 2), (SAVE, 3), (SAVE, 3), (2, 9)] {
            let entry = Entry { n: 0, route, hash, subject: "b".into(), ..book.entries[0].clone() };
            book.add(entry, role(route));
        }
        let verdict = book.verdict(Some("kill"), role);
        assert_eq!((verdict.calls_resent_after_mark, verdict.answered_before_mark), (1, 2));
        assert_eq!(book.verdict(Some("no such mark"), role).calls_resent_after_mark, 0);
    }

    #[test]
    fn the_log_is_paged_and_never_out_of_range() {
        let book = book(&[(SAVE, "a", 1, true), (TAG, "a", 2, true)]);
        assert_eq!(book.since(1, 10).len(), 1);
        assert_eq!(book.since(0, 1)[0].n, 0);
        assert!(book.since(99, 10).is_empty());
    }
}
