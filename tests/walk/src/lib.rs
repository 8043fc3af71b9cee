//! The merchant's walk: `walk.py` and its modules drive a real host through its API as a generic client, `python` gets the interpreter and the
//! pinned packages that they need.
//!
//! Sees the product only from outside, as [`crm_test_support`] does: the story itself is told in Python, which shares nothing with the host.

mod python;

pub use python::Python;
