//! What a newer wish makes of the older one with the same key: in a job that has not begun, in a follow-up, and when a follow-up
//! becomes its job's own wish. One rule for all of them, whoever keeps the rows.

use crate::model::{Job, JobState, NewJob, Purpose};
use crate::rows::tables::fold_email;

/// The newer wish takes the place of the older one in a job that does not run. `known` says whether anything is known of a contact, by
/// [`crate::model::contact_lane`] and e-mail.
pub(crate) fn take_wish<E>(job: &mut Job, mut newer: NewJob, known: impl FnOnce(&str, &str) -> Result<bool, E>) -> Result<(), E> {
    inherit(&job.new, &mut newer, known)?;
    if !same(&job.new, &newer) {
        // What the vendor accepted and has not finished is the older wish.
        job.resume = None;
        job.waiting_since = None;
    }
    // Steps of another purpose answer nothing; and what was sent before something is taken off must be sent again when it is put on anew.
    if newer.purpose != job.new.purpose || !newer.clear.is_empty() {
        job.forget_before = job.attempts;
        job.resume = None;
        job.waiting_since = None;
        job.prepared_again = false;
        job.failed_step = None;
    }
    let new = &mut job.new;
    new.affiliate = newer.affiliate;
    new.purpose = newer.purpose;
    // The key that excludes others follows the e-mail: two jobs of one contact must not run at once.
    new.exclusive = newer.exclusive;
    new.who = newer.who;
    new.set = newer.set;
    new.clear = newer.clear;
    new.all = newer.all;
    new.scope = newer.scope;
    new.payload = newer.payload;
    Ok(())
}

/// Whether two wishes ask for the same.
fn same(older: &NewJob, newer: &NewJob) -> bool {
    let what = |new: &NewJob| (new.purpose, new.scope.clone(), new.payload.clone());
    what(older) == what(newer) && (&older.who, &older.set, &older.clear, &older.all) == (&newer.who, &newer.set, &newer.clear, &newer.all)
}

/// What the newer wish must remember of the older one, which nobody will carry out any more: where the contact still is. The older wish
/// would have moved it away from its `previous_email`, and perhaps did. While nothing is known of a contact under the older wish's own e-mail, that
/// has not happened, and the newer wish moves it from there.
pub(crate) fn inherit<E>(older: &NewJob, newer: &mut NewJob, known: impl FnOnce(&str, &str) -> Result<bool, E>) -> Result<(), E> {
    let Some(first) = &older.who.previous_email else { return Ok(()) };
    let between = fold_email(&older.who.email);
    // The newer wish says that it moves the contact on from the older one's e-mail, or that it speaks of the same contact under that e-mail.
    let from = newer.who.previous_email.as_ref().unwrap_or(&newer.who.email);
    // Back to where it came from: both places are looked at as it is.
    let back = fold_email(first) == fold_email(&newer.who.email);
    if fold_email(from) == between && !back {
        if !known(&newer.contact_lane(), &older.who.email)? {
            newer.who.previous_email = Some(first.clone());
        }
        return Ok(());
    }
    // The newer wish takes the contact for where the older one began: whoever made it could not know that the move was made meanwhile.
    let unaware = fold_email(from) == fold_email(first) && fold_email(&newer.who.email) != between;
    if unaware && known(&newer.contact_lane(), &older.who.email)? {
        newer.who.previous_email = Some(older.who.email.clone());
    }
    Ok(())
}

/// What the newer wish must know of the older one when that was carried out: the contact is under its e-mail now.
pub(crate) fn carry_on(older: &NewJob, newer: &mut NewJob) {
    if older.purpose == Purpose::Sync && newer.purpose != Purpose::Webhook && older.scope == newer.scope {
        let stays = fold_email(&older.who.email) == fold_email(&newer.who.email);
        newer.who.previous_email = (!stays).then(|| older.who.email.clone());
    }
}

/// The contact, by lane and e-mail, that is not there any more after this job has moved it away.
pub(crate) fn left_behind(job: &Job) -> Option<(String, String)> {
    if job.state != JobState::Succeeded || job.new.purpose != Purpose::Sync {
        return None;
    }
    let before = fold_email(job.new.who.previous_email.as_ref()?);
    (before != fold_email(&job.new.who.email)).then(|| (job.new.contact_lane(), before))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn wish(email: &str, previous: Option<&str>) -> NewJob {
        let mut new = crate::conformance::job(1, "o", "con_1", email);
        new.who.previous_email = previous.map(str::to_owned);
        new
    }

    /// A job on its way: two attempts made, the vendor had accepted it once.
    fn under_way(new: NewJob) -> Job {
        let (resume, failed_step) = (Some("r".to_owned()), Some("save".to_owned()));
        let moving = Job { state: JobState::Retrying, burnt: 2, attempts: 3, faults: 1, after_unknown: true, ..Job::newborn(new) };
        Job { resume, failed_step, waiting_since: Some(7), prepared_again: true, forget_before: 1, ..moving }
    }

    fn nobody(_: &str, _: &str) -> Result<bool, Infallible> {
        Ok(false)
    }

    fn taken(older: &NewJob, newer: &NewJob) -> Job {
        let mut job = under_way(older.clone());
        let Ok(()) = take_wish(&mut job, newer.clone(), nobody);
        job
    }

    #[test]
    fn all_that_the_newer_wish_asks_for_takes_the_older_ones_place_and_nothing_else_does() {
        let older = wish("a@x.example", None);
        let newer = NewJob {
            id: "job_2".into(),
            campaign: "cmp_2".into(),
            dedupe: "other".into(),
            affiliate: "aff_2".into(),
            exclusive: "account/b".into(),
            due: 9,
            created: 9,
            set: vec!["s".into()],
            all: vec!["l".into()],
            scope: "dst".into(),
            payload: Some("{}".into()),
            ..wish("b@x.example", None)
        };
        let kept = NewJob {
            id: older.id.clone(),
            campaign: older.campaign.clone(),
            dedupe: older.dedupe.clone(),
            due: 0,
            created: 0,
            ..newer.clone()
        };
        assert_eq!(taken(&older, &newer).new, kept);
    }

    #[test]
    fn the_same_wish_again_changes_nothing_of_how_far_the_job_has_come() {
        let wish = wish("a@x.example", None);
        assert_eq!(taken(&wish, &wish), under_way(wish));
    }

    #[test]
    fn other_tags_keep_the_steps_and_drop_what_the_vendor_was_asked_to_finish() {
        let older = wish("a@x.example", None);
        let newer = NewJob { set: vec!["other".into()], ..older.clone() };
        let was = under_way(newer.clone());
        assert_eq!(taken(&older, &newer), Job { resume: None, waiting_since: None, ..was });
    }

    #[test]
    fn another_purpose_and_a_wish_that_takes_tags_off_begin_anew() {
        let older = wish("a@x.example", None);
        let untag = NewJob { purpose: Purpose::Untag, set: Vec::new(), clear: vec!["tag".into()], ..older.clone() };
        let clearing = NewJob { clear: vec!["old".into()], ..older.clone() };
        for (older, newer) in [(&older, &untag), (&untag, &older), (&older, &clearing), (&clearing, &clearing)] {
            let was = under_way(newer.clone());
            let fresh = Job { forget_before: 3, resume: None, waiting_since: None, prepared_again: false, failed_step: None, ..was };
            assert_eq!(taken(older, newer), fresh, "{newer:?}");
        }
    }

    /// What the newer wish says of its previous e-mail, and which contact was asked about.
    fn inherited(older: (&str, Option<&str>), newer: (&str, Option<&str>), known: bool) -> (Option<String>, Vec<(String, String)>) {
        let (older, mut newer) = (wish(older.0, older.1), NewJob { scope: "dst".into(), ..wish(newer.0, newer.1) });
        let mut asked = Vec::new();
        let Ok(()) = inherit(&older, &mut newer, |lane, email| {
            asked.push((lane.to_owned(), email.to_owned()));
            Ok::<_, Infallible>(known)
        });
        (newer.who.previous_email, asked)
    }

    #[test]
    fn a_second_move_goes_from_where_the_contact_still_is() {
        let (a, b, c) = ("a@x.example", "b@x.example", "c@x.example");
        let asked = vec![("con_1/dst".to_owned(), b.to_owned())];
        assert_eq!(inherited((b, Some(a)), (c, Some(b)), false), (Some(a.into()), asked.clone()));
        // The first move was made: the contact is under b.
        assert_eq!(inherited((b, Some(a)), (c, Some(b)), true), (Some(b.into()), asked));
        assert_eq!(inherited((b, Some(a)), (c, Some(" B@X.example ")), false).0, Some(a.into()), "case and blanks tell nobody apart");
    }

    #[test]
    fn a_wish_under_the_same_e_mail_does_not_forget_the_move() {
        let (a, b) = ("a@x.example", "b@x.example");
        assert_eq!(inherited((b, Some(a)), (b, None), false).0, Some(a.into()));
        assert_eq!(inherited((b, Some(a)), (b, None), true).0, None);
        assert_eq!(inherited((b, Some(a)), (b, Some(a)), false), (Some(a.into()), vec![]));
    }

    #[test]
    fn a_wish_that_does_not_go_on_from_the_older_one_keeps_its_own_words() {
        let (a, b, c) = ("a@x.example", "b@x.example", "c@x.example");
        assert_eq!(inherited((b, None), (c, Some(b)), false), (Some(b.into()), vec![]));
        assert_eq!(inherited((b, Some(a)), (c, None), false), (None, vec![]));
        assert_eq!(inherited((b, Some(a)), (c, Some("d@x.example")), true), (Some("d@x.example".into()), vec![]));
        // Moved and moved back: nobody knows where the contact is, so the place in between is looked at too.
        assert_eq!(inherited((b, Some(a)), (a, Some(b)), false), (Some(b.into()), vec![]));
    }

    #[test]
    fn a_wish_made_before_anybody_knew_of_the_move_goes_on_from_where_the_contact_is() {
        let (a, b, c) = ("a@x.example", "b@x.example", "c@x.example");
        for (newer, previous) in [((c, Some(a)), Some(a)), ((a, None), None), ((c, Some(" A@X.example")), Some(" A@X.example"))] {
            assert_eq!(inherited((b, Some(a)), newer, true).0.as_deref(), Some(b), "{newer:?}");
            assert_eq!(inherited((b, Some(a)), newer, false).0.as_deref(), previous, "{newer:?}");
        }
    }

    #[test]
    fn after_a_wish_was_carried_out_the_next_goes_on_from_its_address() {
        let (a, b, c) = ("a@x.example", "b@x.example", "c@x.example");
        for (older, newer, previous) in [
            // Made before anybody could know that the first move would succeed.
            ((b, Some(a)), (c, Some(a)), Some(b)),
            ((b, Some(a)), (a, None), Some(b)),
            ((b, Some(a)), (b, Some(a)), None),
            ((a, None), (c, Some(b)), Some(a)),
            ((a, None), (a, None), None),
        ] {
            let (older, mut newer) = (wish(older.0, older.1), wish(newer.0, newer.1));
            carry_on(&older, &mut newer);
            assert_eq!(newer.who.previous_email.as_deref(), previous, "{older:?}");
        }
        // Another destination, and what was not a sync, say nothing about where the contact is.
        for (older, newer) in [
            (NewJob { scope: "dst".into(), ..wish(b, Some(a)) }, wish(c, Some(a))),
            (NewJob { purpose: Purpose::Untag, ..wish(b, Some(a)) }, wish(c, Some(a))),
        ] {
            let mut carried = newer.clone();
            carry_on(&older, &mut carried);
            assert_eq!(carried, newer);
        }
    }

    #[test]
    fn only_a_sync_that_succeeded_leaves_an_address() {
        let (a, b) = ("a@x.example", "b@x.example");
        let job = |email: &str, previous: Option<&str>, state| Job { state, ..Job::newborn(wish(email, previous)) };
        assert_eq!(left_behind(&job(b, Some(" A@X.example"), JobState::Succeeded)), Some(("con_1".into(), a.into())));
        for stays in [
            job(b, Some(a), JobState::Failed),
            job(b, Some(a), JobState::Retrying),
            job(b, None, JobState::Succeeded),
            job(b, Some("B@x.example"), JobState::Succeeded),
        ] {
            assert_eq!(left_behind(&stays), None, "{stays:?}");
        }
    }

    #[test]
    fn an_error_of_the_one_asked_changes_nothing() {
        let (older, newer) = (wish("b@x.example", Some("a@x.example")), wish("c@x.example", Some("b@x.example")));
        let mut job = under_way(older);
        let before = job.clone();
        assert_eq!(take_wish(&mut job, newer, |_, _| Err("damaged")), Err("damaged"));
        assert_eq!(job, before);
    }
}
