//! The API, its pages and its server, from outside.

mod affiliate_table;
mod apply;
mod apply_says_nothing;
mod connector_versions;
mod conventions;
mod csv_imports;
mod doors;
mod every_error_is_a_problem;
mod idempotency_keys;
mod import_events;
mod import_flow;
mod import_recovery;
mod invariant_6_one_merchant_never_sees_another;
mod invite_files;
mod invites;
mod keys_and_operator;
mod merchant_story;
mod pages;
mod people;
mod retention;
mod slow_clients;
mod webhooks;
