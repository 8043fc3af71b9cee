//! What merchants do, and what their account at the vendor looks like afterwards: the services and the real workers over the store's model,
//! on virtual time.

mod coalescing;
mod erasing;
mod leaving;
mod moving;
mod overriding;
mod resyncing;
mod sweeping;

const SYSTEM: &str = "Rekomi affiliate";

/// E-mails and tags as a test writes them.
fn books(wanted: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let tags = |tags: &[&str]| {
        let mut tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        tags.sort();
        tags
    };
    wanted.iter().map(|(email, given)| ((*email).to_owned(), tags(given))).collect()
}
