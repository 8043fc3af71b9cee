//! The API, its pages and its server, from outside.

mod csv_imports;
mod every_error_is_a_problem;
mod idempotency_keys;
mod invariant_6_one_merchant_never_sees_another;
mod merchant_story;
mod pages;
mod slow_clients;
