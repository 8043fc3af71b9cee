//! Prints the generated parts of `connectors/SPEC.md`: `manifest` or `scenarios`. Reads and writes no file.

#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("manifest") => println!("{}", crm_catalog::reference::manifest()),
        Some("scenarios") => println!("{}", crm_catalog::reference::scenarios()),
        _ => println!("usage: reference manifest | scenarios"),
    }
}
