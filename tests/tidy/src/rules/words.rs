//! Words that have no place in finished code: unfinished work, debugging left-overs, tests that are switched off, and
//! paths of one machine.

use crate::{Finding, Repo, Source};

struct Banned {
    word: &'static str,
    /// Whole words only.
    word_bound: bool,
    rust_only: bool,
    rule: &'static str,
    say: &'static str,
}

const fn unfinished(word: &'static str) -> Banned {
    Banned { word, word_bound: true, rust_only: false, rule: "unfinished", say: "finish it, or file an issue and leave the word out" }
}

const fn left_over(word: &'static str) -> Banned {
    Banned { word, word_bound: true, rust_only: true, rule: "left-over", say: "no place in finished code" }
}

const fn switched_off(word: &'static str) -> Banned {
    Banned {
        word,
        word_bound: false,
        rust_only: true,
        rule: "tests",
        say: "every test runs and says what holds, not that something panics",
    }
}

const fn machine(word: &'static str) -> Banned {
    Banned { word, word_bound: false, rust_only: false, rule: "machine-path", say: "paths of one machine have no place here" }
}

// Cut in two, so that this file does not find itself.
const BANNED: &[Banned] = &[
    unfinished(concat!("TO", "DO")),
    unfinished(concat!("FIX", "ME")),
    unfinished(concat!("XX", "X")),
    left_over(concat!("dbg", "!")),
    left_over(concat!("todo", "!")),
    left_over(concat!("unimplemented", "!")),
    switched_off(concat!("#[ign", "ore")),
    switched_off(concat!("#[should", "_panic")),
    machine(concat!("/wo", "rk/")),
    machine(concat!("/ro", "ot/")),
    machine(concat!("/ho", "me/")),
];

pub(crate) fn check(repo: &Repo, findings: &mut Vec<Finding>) {
    for source in &repo.sources {
        for (line, text) in source.lines() {
            for banned in BANNED.iter().filter(|banned| applies(banned, source)) {
                if holds(text, banned) {
                    findings.push(Finding {
                        path: source.path.clone(),
                        line,
                        rule: banned.rule,
                        say: format!("`{}`: {}", banned.word, banned.say),
                    });
                }
            }
        }
    }
}

fn applies(banned: &Banned, source: &Source) -> bool {
    // Names of people contain anything: the words below are about code and prose, not about data.
    let data = source.path.ends_with(".txt") || source.path.ends_with(".json");
    if banned.rust_only { source.is_rust() } else { !data || banned.rule == "machine-path" }
}

fn holds(text: &str, banned: &Banned) -> bool {
    let letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(banned.word).any(|(at, word)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + word.len()..].chars().next());
        // Inside an address, `api/root/` is a page of the vendor's.
        if banned.rule == "machine-path" && letter(before) {
            return false;
        }
        !banned.word_bound || !(letter(before) || (letter(after) && !word.ends_with('!')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::repo_of;

    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        let mut findings = Vec::new();
        check(&repo_of(&[(path, text)]), &mut findings);
        findings.iter().map(|f| f.rule).collect()
    }

    #[test]
    fn banned_words_are_found_as_words_only() {
        assert_eq!(rules("host/x.rs", &format!("// {}: later", BANNED[0].word)), ["unfinished"]);
        assert!(rules("host/x.rs", &format!("const {}S: u8 = 0;", BANNED[0].word)).is_empty());
        assert_eq!(rules("host/x.rs", &format!("    {}(x)", BANNED[3].word)), ["left-over"]);
        assert_eq!(rules("README.md", &format!("see {}user/x", BANNED[10].word)), ["machine-path"]);
        assert!(rules("README.md", &format!("https://acme.example/api{}list", BANNED[9].word)).is_empty());
        assert!(rules("README.md", BANNED[6].word).is_empty(), "an attribute is code");
    }
}
