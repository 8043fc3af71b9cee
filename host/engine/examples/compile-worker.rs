//! The compile worker as a program of its own, so that this crate's tests use the real child path. The product's worker
//! is a subcommand of the host binary with the same body. Must do nothing else.

fn main() {
    std::process::exit(crm_engine::compile_worker());
}
