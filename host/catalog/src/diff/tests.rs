//! Each change of power is named, in the right direction, and the other way round when versions are swapped.

use super::*;

const FULL: &str = include_str!("../../tests/good/full.toml");

fn parsed(text: &str) -> Manifest {
    crate::parse(text, "connector.toml").unwrap_or_else(|e| panic!("{}", e[0]))
}

#[test]
fn a_manifest_does_not_differ_from_itself() {
    assert_eq!(diff(&parsed(FULL), &parsed(FULL)), []);
}

#[test]
fn words_alone_are_no_change() {
    let reworded = FULL.replace("Creates or updates the contact.", "Saves the contact.").replace("label = \"API key\"", "label = \"Key\"");
    assert_eq!(diff(&parsed(FULL), &parsed(&reworded)), []);
}

#[test]
fn every_widening_is_named() {
    let cases: &[(&str, &str, &str, &str)] = &[
        ("eu = \"eu.acme.example\"", "eu = \"eu.other.example\"", "endpoints", "may now send to `eu.other.example`"),
        (
            "allow = [\"api.acme.example\", \"*.acme.example\"]",
            "allow = [\"api.acme.example\", \"*.acme.example\", \"*.new.example\"]",
            "endpoints",
            "may now send to `*.new.example`",
        ),
        ("\"/contact/first\", ", "\"/contact/first\", \"/contact/phone\", ", "calls (save)", "may now write `/contact/phone`"),
        ("query = [\"page\"", "query = [\"all\", \"page\"", "calls (lists)", "may now ask with `all`"),
        (
            "read_headers = [\"X-Total\"]",
            "read_headers = [\"X-Total\", \"Location\"]",
            "calls (lists)",
            "may now read the header `Location`",
        ),
        ("headers = [\"X-Request-Id\"]", "headers = [\"X-Request-Id\", \"X-Other\"]", "calls (save)", "may now set the header `X-Other`"),
        (
            "path = \"/contacts/{picked:list}\"",
            "path = \"/people/{picked:list}\"",
            "calls (save)",
            "is now POST /people/{picked:list} at `api` instead of POST /contacts/{picked:list} at `api`",
        ),
        (
            "fixed = { \"/contact/source\" = \"affiliates\" }\n",
            "",
            "calls (save)",
            "no longer always sends `/contact/source = \"affiliates\"`",
        ),
        ("new_only = [\"/contact/status\"]\n", "", "calls (save)", "now writes for contacts who are there as well `/contact/status`"),
        ("pointer = \"/data/0/id\"", "pointer = \"/data/9/id\"", "calls (find)", "decides otherwise whether someone is there"),
        ("redact = [\"/results/*/url\"]\n", "", "calls (save)", "no longer blanks in the journal `/results/*/url`"),
        ("requests = 180", "requests = 181", "limits (burst)", "181 in 60 s instead of 180 in 60 s"),
        ("concurrency = 10\n", "concurrency = 11\n", "limits (burst)", "at once: 11 instead of 10"),
        ("limits = [\"burst\", \"day\"]\ncost = 5", "limits = [\"day\"]\ncost = 5", "calls (save)", "no longer draws on the limit `burst`"),
        ("cost = 5", "cost = 4", "calls (save)", "counts as 4 instead of 5 at limits of cost"),
        ("timeout_s = 30", "timeout_s = 31", "calls (save)", "seconds for an answer: 31 instead of 30"),
        ("prefix = \"Acme-token\"", "prefix = \"Other\"", "auth (main, mode app)", "authenticates differently"),
        (
            "capture = \"-([a-z]{2}[0-9])$\"",
            "capture = \"-([a-z]+[0-9])$\"",
            "derived (dc)",
            "takes a part out of the secret `key`: -([a-z]+[0-9])$",
        ),
    ];
    for (old, new, about, words) in cases {
        assert!(FULL.contains(old), "{old}");
        let changed = parsed(&FULL.replacen(old, new, 1));
        let changes = diff(&parsed(FULL), &changed);
        let found = changes.iter().find(|c| c.about == *about && c.words == *words);
        assert_eq!(found.map(|c| c.direction), Some(Direction::Wider), "{old}: {changes:#?}");
    }
}

#[test]
fn a_change_that_widens_one_way_narrows_the_other_way() {
    for (old, new) in [
        ("\"/contact/first\", ", ""),
        ("requests = 180", "requests = 90"),
        ("timeout_s = 30", "timeout_s = 10"),
        ("starts_automations = true\n", ""),
        ("headers = [\"X-Request-Id\"]\n", ""),
        ("keep_path = true\n", ""),
        ("\"consent\", \"fields\"", "\"consent\""),
    ] {
        let (a, b) = (parsed(FULL), parsed(&FULL.replacen(old, new, 1)));
        assert!(!widens(&diff(&a, &b)), "{old}");
        assert!(widens(&diff(&b, &a)), "{old}");
        assert_eq!(diff(&a, &b).len(), diff(&b, &a).len(), "{old}");
    }
}

#[test]
fn a_guard_that_is_gone_is_named() {
    let looked =
        FULL.replace("new_only = [\"/contact/status\"]\n", "").replace("found = { status = [200, 207], pointer = \"/data/0/id\" }\n", "");
    let blind = looked.replace("guard = \"find\"\n", "");
    let changes = diff(&parsed(&looked), &parsed(&blind));
    assert_eq!(
        changes,
        [Change { direction: Direction::Wider, about: "calls (save)".into(), words: "no longer looks with `find` first".into() }]
    );
}

#[test]
fn a_new_call_and_a_new_credential_are_named() {
    let more = format!(
        "{FULL}\n[[calls]]\nname = \"wipe\"\ndoc = \"Deletes.\"\nstages = [\"untag\"]\nmethod = \"DELETE\"\npath = \"/contacts\"\neffect = \"write\"\nsample = {{}}\n\n[[credentials]]\nname = \"plan\"\nlabel = \"Plan\"\nhelp = \"Yours.\"\nsecret = false\n"
    );
    let changes = diff(&parsed(FULL), &parsed(&more));
    let words: Vec<&str> = changes.iter().map(|c| c.words.as_str()).collect();
    assert!(words.contains(&"is a further call: DELETE /contacts"), "{words:?}");
    assert!(words.contains(&"asks for `plan`"), "{words:?}");
    assert!(diff(&parsed(&more), &parsed(FULL)).iter().all(|c| c.direction == Direction::Narrower));
}
