//! The conformance suite run over this repository: see `tests/`. The suite itself is `host/conformance`, which the host ships to authors.
