//! What xtask says: results on standard output, everything on the way there on standard error.

/// A result line.
#[expect(clippy::print_stdout, reason = "results belong on standard output")]
pub(crate) fn result(line: &str) {
    println!("{line}");
}

/// A line on the way.
pub(crate) fn note(line: &str) {
    eprintln!("{line}");
}

/// A heading.
pub(crate) fn heading(text: &str) {
    eprintln!("\n== {text}");
}
