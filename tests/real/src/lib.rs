//! Vendors whose own program can be run: installed from their registry, started on loopback, and asked afterwards what has
//! become of their data. An independent witness beside the twins, which are our reading of the documents.
//!
//! Sees the product only from outside, as [`crm_test_support`] does, and commits no vendor's code.

pub mod ghost;
