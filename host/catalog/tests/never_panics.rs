//! Whatever text is handed in, `parse` answers: a manifest, or errors that name the file.

use proptest::prelude::*;

const GOOD: [&str; 2] = [include_str!("good/full.toml"), include_str!("good/minimal.toml")];

fn answers(text: &str) {
    for dev in [false, true] {
        if let Err(errors) = crm_catalog::parse_with(text, "f.toml", crm_catalog::ParseOptions { dev }) {
            assert!(!errors.is_empty());
            for error in errors {
                assert!(error.to_string().starts_with("f.toml"));
                assert!(error.line.is_none_or(|l| (1..=text.lines().count() + 1).contains(&l)), "{error}");
            }
        }
    }
}

/// Cuts, swaps and repeats lines, and puts foreign bits into values.
fn bent(text: &str, edits: &[(usize, usize, u8, String)]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (from, to, kind, word) in edits {
        let (from, to) = (from % lines.len(), to % lines.len());
        match kind % 6 {
            0 => lines.swap(from, to),
            1 => lines[from] = lines[to].clone(),
            2 => lines[from].clear(),
            3 => {
                let keep = lines[from].char_indices().map(|(i, _)| i).nth(to % 20).unwrap_or_default();
                lines[from].insert_str(keep, word);
            }
            4 => {
                if let Some((key, _)) = lines[from].clone().split_once(" = ") {
                    lines[from] = format!("{key} = {word}");
                }
            }
            _ => {
                if let Some((key, _)) = lines[from].clone().split_once(" = ") {
                    lines[from] = format!("{key} = \"{word}\"");
                }
            }
        }
    }
    lines.join("\n")
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,12}",
        "[{}:/*#~^$().a-z0-9\\[\\]-]{0,16}",
        prop::sample::select(vec![
            "true",
            "-1",
            "99999999999999999999",
            "1.5",
            "nan",
            "2026-01-01",
            "[]",
            "{}",
            "[1]",
            "{ a = 1 }",
            "https://{choice}",
            "{token.base}",
            "^(a|b",
            "((((a{50}){50}){50}){50})",
            "form:a#/b",
            "/**",
            "\u{202e}",
            "https://xn--",
            "https://[::1]",
            "verify@us",
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text(text in ".{0,400}") {
        answers(&text);
    }

    #[test]
    fn text_that_looks_like_toml(text in "([\\[\\]a-z. =\"{}#,\n0-9-]{0,30}\n){0,12}") {
        answers(&text);
    }

    #[test]
    fn good_manifests_bent(which in 0usize..2, edits in prop::collection::vec((0usize..500, 0usize..500, any::<u8>(), word()), 1..6)) {
        answers(&bent(GOOD[which], &edits));
    }

    #[test]
    fn good_manifests_cut(which in 0usize..2, at in 0usize..20_000) {
        let text = GOOD[which];
        let at = at % (text.len() + 1);
        if text.is_char_boundary(at) {
            answers(&text[..at]);
        }
    }
}

#[test]
fn a_text_that_is_too_long_is_refused_unread() {
    let long = "#".repeat(crm_catalog::MAX_MANIFEST_BYTES + 1);
    let errors = crm_catalog::parse(&long, "f.toml").unwrap_err();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].problem.contains("at most"));
}

#[test]
fn deep_nesting_is_refused_not_crashed() {
    for (open, close) in [("[", "]"), ("{a=", "}")] {
        let text = format!("x = {}1{}", open.repeat(20_000), close.repeat(20_000));
        assert!(crm_catalog::parse(&text, "f.toml").is_err());
    }
}
