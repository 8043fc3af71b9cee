//! The suite that holds every back end to what [`Store`] promises: random histories compared with the model step by step, and one directed
//! test per promise. Generic over a [`Factory`], so that a new back end is a new factory.
//!
//! This room is for tests only and must not touch a back end's insides.

pub mod directed;
pub mod directed_ends;
pub mod directed_finding;
pub mod directed_lanes;
pub mod directed_wishes;
pub mod history;
mod observe;
mod play;

use std::sync::Arc;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crm_contract::types::{Invocation, Job as GuestJob, Throttle, Unanswered};

use crate::Store;
use crate::model::{Asked, Claim, NewJob, Purpose, Unkept};

/// Opens one store again and again.
pub trait Factory: Send + Sync {
    /// Opens it at this time. The one opened before, if any, has been closed.
    fn open(&self, now: u64) -> Arc<dyn Store>;

    /// Retention is no part of the trait: how this back end does it. `None` = it cannot.
    fn expire(&self, store: &Arc<dyn Store>, before: u64) -> Option<u64> {
        let _ = (store, before);
        None
    }
}

/// What an attempt of this claim's job may have been asked, with every part of it.
fn asked(claim: &Claim) -> Asked {
    let new = &claim.job.new;
    let job = GuestJob { who: new.who.clone(), set: new.set.clone(), known: claim.known.clone(), ..GuestJob::default() };
    let why = Unanswered::Throttled(Throttle { after_seconds: Some(5), limit: None });
    Asked {
        account: Some("acc_1".into()),
        choice: Some("eu".into()),
        after_unknown: true,
        resumed: true,
        unkept: vec![Unkept { after: 0, call: "save".into(), why }],
        ..Asked::new(Invocation::SyncContact { job })
    }
}

/// Plays `cases` random histories of up to `length` acts against fresh stores and the model. Panics with seed and shortest
/// failing history. The seed comes from `CRM_SEED` when it is set.
pub fn histories<F: Factory>(cases: u32, length: usize, fresh: impl Fn() -> F) {
    let seed = seed();
    let config = Config { cases, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, max_shrink_iters: 600, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let result = runner.run(&history::acts(length), |acts| {
        play::play(&fresh(), &acts).map_err(proptest::test_runner::TestCaseError::fail)?;
        Ok(())
    });
    if let Err(error) = result {
        panic!("CRM_SEED={seed}: {error}");
    }
}

/// The first difference that random histories find, for showing that a planted bug is noticed.
pub fn first_difference<F: Factory>(cases: u32, length: usize, seed: u64, fresh: impl Fn() -> F) -> Option<String> {
    let config = Config { rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let acts = history::acts(length);
    (0..cases).find_map(|_| {
        let tree = acts.new_tree(&mut runner).ok()?;
        play::play(&fresh(), &tree.current()).err()
    })
}

/// The seed of this run: `CRM_SEED`, or another one each time.
#[expect(clippy::disallowed_methods, reason = "a test is told its seed, and draws one if it is not")]
pub fn seed() -> u64 {
    let told = std::env::var("CRM_SEED").ok().and_then(|seed| seed.parse().ok());
    told.unwrap_or_else(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        u64::from(since.subsec_nanos()) ^ since.as_secs()
    })
}

/// A runtime for one test.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => panic!("no runtime: {error}"),
    }
}

/// A job for tests: ids `job_<n>`, one e-mail per n unless given.
pub fn job(n: u64, organization: &str, lane: &str, email: &str) -> NewJob {
    NewJob {
        campaign: "cmp_1".into(),
        affiliate: format!("aff_{email}"),
        dedupe: format!("{lane}/cmp_1/{email}"),
        exclusive: format!("{lane}/{email}"),
        who: crm_contract::types::Person { email: email.to_owned(), ..Default::default() },
        set: vec!["tag".into()],
        all: vec!["tag".into()],
        ..NewJob::new(format!("job_{n:020}"), organization, lane, Purpose::Sync, 0)
    }
}

/// Makes one `#[test]` per directed test, for the factory that the expression makes.
#[macro_export]
macro_rules! conformance_suite {
    ($factory:expr) => {
        $crate::conformance_suite!(directed, $factory;
            documents_have_versions_that_rise,
            a_stale_version_is_a_conflict_and_changes_nothing,
            one_refused_put_refuses_the_whole_commit,
            unique_names_are_taken_once_and_released,
            pages_go_through_everything_once,
            a_document_of_8_kib_fits_and_a_larger_one_does_not,
            invariant_6_no_organization_sees_anothers_records_or_jobs,
            long_values_come_back_whole,
            what_is_known_of_a_contact_is_handed_to_the_next_job,
            credentials_open_for_their_owner_only,
            tokens_are_saved_by_compare_and_swap,
            one_renewal_at_a_time_may_spend_a_token,
            forgotten_credentials_are_gone_after_reopening,
            nothing_is_acknowledged_after_close,
            listings_are_newest_first_paged_and_filtered,
        );
        $crate::conformance_suite!(directed_lanes, $factory;
            an_equal_wish_is_folded_and_the_newer_one_wins,
            a_wish_made_while_the_job_runs_follows_it,
            invariant_5_no_two_jobs_with_one_exclusive_key_run_at_once,
            invariant_5_many_workers_run_each_job_once,
            invariant_5_no_job_is_lost_by_a_crash,
            invariant_5_finished_steps_come_back_with_the_next_claim,
            a_lapsed_lease_is_taken_over_and_the_old_owner_is_fenced,
            a_renewal_ends_the_lapsed_leases_of_others,
            a_valid_lease_keeps_others_out,
            a_parked_lane_runs_nothing_and_wakes_its_parked_jobs,
            a_job_parked_after_the_lane_was_unparked_is_not_forgotten,
            a_held_lane_is_not_ready_until_its_time,
            new_work_wakes_who_registered_before_looking,
            a_cancelled_lane_cancels_running_jobs_when_they_end,
            a_finished_job_can_be_retried_unless_a_newer_one_exists,
            an_amend_of_what_changed_meanwhile_is_a_conflict,
            epochs_rise_over_restarts,
            a_failed_step_shows_at_the_next_durable_operation,
            counts_follow_every_transition,
        );
        $crate::conformance_suite!(directed_finding, $factory;
            names_are_an_index_in_the_order_of_their_bytes,
            invariant_6_an_index_ends_where_anothers_begins,
            an_index_follows_its_records,
            an_index_shows_records_as_they_are_while_they_change,
            lanes_are_listed_and_counted_by_how_they_begin,
        );
        $crate::conformance_suite!(directed_wishes, $factory;
            a_wish_with_another_purpose_makes_the_job_begin_anew,
            a_tag_taken_off_and_put_on_again_is_sent_again,
            a_body_and_a_scope_are_the_newest_wishs,
            a_contact_moved_twice_is_moved_from_where_it_is,
            a_move_that_was_made_is_not_made_from_the_older_place,
            a_follow_up_of_a_job_that_failed_moves_the_contact_from_where_it_is,
            invariant_5_a_changed_e_mail_changes_which_jobs_exclude_one_another,
            what_is_known_of_a_contact_is_kept_by_destination,
            what_was_known_under_an_address_goes_when_the_contact_was_moved_away,
        );
        $crate::conformance_suite!(directed_ends, $factory;
            an_end_brings_its_jobs_in_the_same_write,
            the_end_of_a_finished_job_may_wish_for_it_anew,
            a_fenced_end_brings_nothing,
            an_end_whose_jobs_cannot_be_taken_in_changes_nothing,
            erased_jobs_are_gone_with_all_that_hung_on_them,
            nothing_is_erased_while_one_of_the_jobs_runs_or_a_put_is_out_of_date,
            invariant_6_another_organizations_jobs_and_contacts_are_not_erased,
            contacts_of_a_destination_are_erased_by_their_own_name,
            what_is_known_of_a_person_is_found_in_every_part_of_a_lane,
        );
    };
    ($module:ident, $factory:expr; $($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            $crate::conformance::block_on($crate::conformance::$module::$name(&$factory));
        })*
    };
}
