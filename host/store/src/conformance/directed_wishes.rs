//! One test per promise: what a newer wish makes of the older one, and where what is known of a contact is kept.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "tests that other crates run")]

use crm_contract::types::Known;

use super::directed::{claim, finished, step};
use super::{Factory, job};
use crate::model::*;
use crate::{Ack, Store};

const A: &str = "a@x.example";
const B: &str = "b@x.example";
const C: &str = "c@x.example";

/// A wish for one person, whatever the e-mail.
fn wish(n: u64, email: &str, previous: Option<&str>) -> NewJob {
    let mut new = NewJob { dedupe: "con_1/cmp_1/aff_1".into(), affiliate: "aff_1".into(), ..job(n, "o", "con_1", email) };
    new.who.previous_email = previous.map(str::to_owned);
    new
}

fn untag(n: u64) -> NewJob {
    NewJob { purpose: Purpose::Untag, set: vec![], clear: vec!["tag".into()], all: vec![], ..wish(n, A, None) }
}

async fn enqueue(store: &dyn Store, new: NewJob) -> Ack {
    store.commit(vec![], vec![new]).await.unwrap().remove(0)
}

async fn one(store: &dyn Store, now: u64) -> Claim {
    let mut claims = claim(store, "w", now, "con_1", 9).await;
    assert_eq!(claims.len(), 1, "one job, whatever was wished");
    claims.remove(0)
}

fn known(id: &str) -> Known {
    Known { contact_id: Some(id.into()), ..Known::default() }
}

async fn end(store: &dyn Store, claim: &Claim, state: JobState, now: u64, known: Option<Known>) {
    store.finish("con_1", claim.epoch, Finish { known, ..finished(claim, state, now) }).await.unwrap();
}

/// An attempt that made a step and is to be retried, with all that a later attempt would build upon.
async fn half_done(store: &dyn Store, now: u64) -> Claim {
    let claim = one(store, now).await;
    let attempt = claim.job.attempts + 1;
    store.step("con_1", claim.epoch, &claim.job.new.id, step(attempt, 0, "sent".into()), true).await.unwrap();
    let mut finish = finished(&claim, JobState::Retrying, now);
    finish.job.resume = Some("r".into());
    finish.job.waiting_since = Some(1);
    finish.job.failed_step = Some("save".into());
    finish.job.prepared_again = true;
    store.finish("con_1", claim.epoch, finish).await.unwrap();
    claim
}

pub async fn a_wish_with_another_purpose_makes_the_job_begin_anew(factory: &dyn Factory) {
    let store = factory.open(1);
    let into = wish(1, A, None).id;
    assert_eq!(enqueue(&*store, wish(1, A, None)).await, Ack::Enqueued);
    half_done(&*store, 5).await;
    assert_eq!(enqueue(&*store, untag(2)).await, Ack::Folded { into: into.clone() });
    let claim = one(&*store, 7).await;
    assert_eq!((claim.job.new.id.as_str(), claim.job.new.purpose, claim.steps.len()), (into.as_str(), Purpose::Untag, 0));
    assert_eq!((claim.job.new.set.len(), claim.job.new.clear.as_slice()), (0, &["tag".to_owned()][..]));
    let job = &claim.job;
    assert_eq!((job.attempts, job.forget_before, &job.resume, job.waiting_since), (1, 1, &None, None));
    assert_eq!((job.prepared_again, &job.failed_step), (false, &None));
    assert_eq!(store.steps("o", &into).await.unwrap().len(), 1, "the journal forgets nothing");
    // Brought back while the taking out runs: the end makes the newest wish the job's own.
    store.step("con_1", claim.epoch, &into, step(2, 0, "taken off".into()), true).await.unwrap();
    assert_eq!(enqueue(&*store, wish(3, A, None)).await, Ack::Folded { into: into.clone() });
    end(&*store, &claim, JobState::Retrying, 8, None).await;
    let claim = one(&*store, 9).await;
    assert_eq!((claim.job.new.purpose, claim.job.forget_before, claim.steps.len()), (Purpose::Sync, 2, 0));
    assert_eq!(claim.job.new.set, ["tag"]);
}

pub async fn a_tag_taken_off_and_put_on_again_is_sent_again(factory: &dyn Factory) {
    let store = factory.open(1);
    enqueue(&*store, wish(1, A, None)).await;
    half_done(&*store, 5).await;
    enqueue(&*store, NewJob { set: vec!["more".into()], ..wish(2, A, None) }).await;
    let same_purpose = half_done(&*store, 6).await;
    assert_eq!((same_purpose.steps.len(), same_purpose.job.forget_before), (1, 0), "what was sent need not be sent again");
    assert_eq!((&same_purpose.job.resume, same_purpose.job.waiting_since), (&None, None), "that was of the older wish");
    enqueue(&*store, NewJob { set: vec![], clear: vec!["tag".into()], ..wish(3, A, None) }).await;
    enqueue(&*store, wish(4, A, None)).await;
    let claim = one(&*store, 7).await;
    assert_eq!((claim.steps.len(), claim.job.forget_before, claim.job.new.clear.len()), (0, 2, 0));
}

pub async fn a_body_and_a_scope_are_the_newest_wishs(factory: &dyn Factory) {
    let store = factory.open(1);
    let hook = |n, body: &str, scope: &str| {
        let (payload, scope) = (Some(body.to_owned()), scope.to_owned());
        NewJob { purpose: Purpose::Webhook, payload, scope, ..wish(n, A, None) }
    };
    let long = "y".repeat(50_000);
    enqueue(&*store, hook(1, "old", "dst_1")).await;
    enqueue(&*store, hook(2, &long, "")).await;
    let claim = one(&*store, 5).await;
    assert_eq!((claim.job.new.payload.as_ref(), claim.job.new.scope.as_str()), (Some(&long), ""));
    let job = store.job("o", &claim.job.new.id).await.unwrap().unwrap();
    // A hand changes neither, nor the purpose.
    end(&*store, &claim, JobState::Retrying, 6, None).await;
    let seen = store.job("o", &claim.job.new.id).await.unwrap().unwrap();
    let mut changed = seen.clone();
    changed.new = NewJob { purpose: Purpose::Sync, payload: None, scope: "dst_9".into(), exclusive: "e".into(), ..changed.new };
    store.amend(changed, seen.updated).await.unwrap();
    assert_eq!(store.job("o", &claim.job.new.id).await.unwrap().unwrap().new, job.new);
}

pub async fn a_contact_moved_twice_is_moved_from_where_it_is(factory: &dyn Factory) {
    let store = factory.open(1);
    enqueue(&*store, wish(1, A, None)).await;
    let first = one(&*store, 5).await;
    end(&*store, &first, JobState::Succeeded, 6, Some(known("7"))).await;
    // Before it begins: b is an address that the vendor never heard of.
    enqueue(&*store, wish(2, B, Some(A))).await;
    enqueue(&*store, wish(3, C, Some("B@x.example "))).await;
    let second = one(&*store, 7).await;
    assert_eq!((second.job.new.who.email.as_str(), second.job.new.who.previous_email.as_deref()), (C, Some(A)));
    assert_eq!(second.known, known("7"));
    // While it runs: each follow-up takes up the one before, and the last the running wish.
    enqueue(&*store, wish(4, "d@x.example", Some(C))).await;
    enqueue(&*store, wish(5, "e@x.example", Some("d@x.example"))).await;
    store.close().await.unwrap();
    let store = factory.open(8);
    let third = one(&*store, 9).await;
    assert_eq!((third.job.new.who.email.as_str(), third.job.new.who.previous_email.as_deref()), ("e@x.example", Some(A)));
    assert_eq!(third.known, known("7"));
}

pub async fn a_move_that_was_made_is_not_made_from_the_older_place(factory: &dyn Factory) {
    let store = factory.open(1);
    enqueue(&*store, wish(1, B, Some(A))).await;
    let first = one(&*store, 5).await;
    enqueue(&*store, wish(2, C, Some(B))).await;
    // The run that is retried had moved the contact; its own end says so.
    end(&*store, &first, JobState::Retrying, 6, Some(known("7"))).await;
    let second = one(&*store, 7).await;
    assert_eq!((second.job.new.who.previous_email.as_deref(), &second.known), (Some(B), &known("7")));
    // And of one that is over, the follow-up is a job of its own.
    enqueue(&*store, wish(3, "d@x.example", Some(C))).await;
    end(&*store, &second, JobState::Succeeded, 8, Some(known("7"))).await;
    let third = one(&*store, 9).await;
    assert_eq!((third.job.new.id, third.job.new.who.previous_email.as_deref()), (wish(3, A, None).id, Some(C)));
    assert_eq!(third.known, known("7"));
}

pub async fn a_follow_up_of_a_job_that_failed_moves_the_contact_from_where_it_is(factory: &dyn Factory) {
    let store = factory.open(1);
    enqueue(&*store, wish(1, B, Some(A))).await;
    let first = one(&*store, 5).await;
    enqueue(&*store, wish(2, C, Some(B))).await;
    end(&*store, &first, JobState::Failed, 6, None).await;
    let second = one(&*store, 7).await;
    assert_eq!((second.job.new.id, second.job.new.who.previous_email.as_deref()), (wish(2, A, None).id, Some(A)));
}

pub async fn invariant_5_a_changed_e_mail_changes_which_jobs_exclude_one_another(factory: &dyn Factory) {
    let store = factory.open(1);
    let (a, b) = ("con_1/a@x.example", "con_1/b@x.example");
    let other = |n, email: &str| job(n, "o", "con_1", email);
    enqueue(&*store, other(1, B)).await;
    let running = one(&*store, 5).await;
    assert_eq!(running.job.new.exclusive, b);
    // Moved to b, whose contact another job is at: it waits. Blocked under b and moved to a: it does not.
    enqueue(&*store, wish(2, A, None)).await;
    enqueue(&*store, wish(3, B, Some(A))).await;
    assert_eq!(claim(&*store, "w", 6, "con_1", 9).await, vec![]);
    assert_eq!(store.ready(6, 9), vec![]);
    enqueue(&*store, wish(4, A, Some(B))).await;
    let moved = one(&*store, 7).await;
    assert_eq!((moved.job.new.id.as_str(), moved.job.new.exclusive.as_str()), (wish(2, A, None).id.as_str(), a));
    // While it runs it keeps its key; the follow-up brings its own when it becomes the job's.
    enqueue(&*store, wish(5, B, Some(A))).await;
    enqueue(&*store, other(6, A)).await;
    assert_eq!(claim(&*store, "w", 8, "con_1", 9).await, vec![], "a is being worked on");
    end(&*store, &moved, JobState::Retrying, 9, None).await;
    let third = one(&*store, 10).await;
    assert_eq!(third.job.new.id, other(6, A).id, "a is free, b is not");
    end(&*store, &running, JobState::Retrying, 11, None).await;
    // It is now a matter of b: only one of the two may run, also after a new start.
    store.close().await.unwrap();
    let store = factory.open(12);
    let now = claim(&*store, "w", 13, "con_1", 9).await;
    let mut keys: Vec<&str> = now.iter().map(|claim| claim.job.new.exclusive.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, [a, b]);
}

pub async fn what_is_known_of_a_contact_is_kept_by_destination(factory: &dyn Factory) {
    let store = factory.open(1);
    let scoped = |n, email: &str, scope: &str| NewJob { scope: scope.into(), ..wish(n, email, None) };
    enqueue(&*store, scoped(1, A, "dst_1")).await;
    let first = one(&*store, 5).await;
    end(&*store, &first, JobState::Succeeded, 6, Some(known("of dst_1"))).await;
    assert_eq!(store.contact("con_1", A).await.unwrap(), None);
    let contact = store.contact("con_1/dst_1", A).await.unwrap().unwrap();
    assert_eq!((contact.lane.as_str(), contact.email.as_str(), contact.known), ("con_1/dst_1", A, known("of dst_1")));
    for (n, scope, wanted) in [(2, "", Known::default()), (3, "dst_2", Known::default()), (4, "dst_1", known("of dst_1"))] {
        enqueue(&*store, scoped(n, A, scope)).await;
        let claim = one(&*store, 7).await;
        assert_eq!(claim.known, wanted, "{scope:?}");
        end(&*store, &claim, JobState::Succeeded, 8, None).await;
    }
    // Moved: looked up in the same destination.
    enqueue(&*store, NewJob { scope: "dst_1".into(), ..wish(5, B, Some(A)) }).await;
    assert_eq!(one(&*store, 9).await.known, known("of dst_1"));
}

pub async fn what_was_known_under_an_address_goes_when_the_contact_was_moved_away(factory: &dyn Factory) {
    let store = factory.open(1);
    enqueue(&*store, wish(1, A, None)).await;
    let first = one(&*store, 5).await;
    end(&*store, &first, JobState::Succeeded, 6, Some(known("7"))).await;
    enqueue(&*store, wish(2, B, Some(" A@x.example"))).await;
    // An attempt that does not succeed leaves everything where it was.
    let second = one(&*store, 7).await;
    end(&*store, &second, JobState::Retrying, 8, None).await;
    assert_eq!(store.contact("con_1", A).await.unwrap().unwrap().known, known("7"));
    let second = one(&*store, 9).await;
    assert_eq!(second.known, known("7"));
    // A wish made while it runs, by somebody who could not know that it would succeed.
    enqueue(&*store, wish(3, C, Some(A))).await;
    end(&*store, &second, JobState::Succeeded, 10, Some(known("7"))).await;
    assert_eq!(store.contact("con_1", A).await.unwrap(), None);
    assert_eq!(store.contact("con_1", B).await.unwrap().unwrap().known, known("7"));
    let third = one(&*store, 11).await;
    assert_eq!((third.job.new.who.previous_email.as_deref(), &third.known), (Some(B), &known("7")));
    end(&*store, &third, JobState::Succeeded, 12, Some(known("7"))).await;
    // Who comes to the address later is somebody new there.
    enqueue(&*store, NewJob { affiliate: "aff_2".into(), dedupe: "2".into(), ..wish(4, A, None) }).await;
    assert_eq!(one(&*store, 13).await.known, Known::default());
}
