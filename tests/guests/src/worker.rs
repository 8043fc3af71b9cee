//! The compile worker as a program of its own, for tests. Must do nothing else.

fn main() {
    std::process::exit(crm_engine::compile_worker());
}
