//! Name splitting over a table of real spellings. One row: full name | first | last (empty = none).

use crm_connector_sdk::name;

const TABLE: &str = include_str!("names.txt");

fn unescape(cell: &str) -> String {
    cell.replace("<ZW>", "\u{200b}").replace("<NB>", "\u{a0}").replace("<TAB>", "\t").replace("<BOM>", "\u{feff}")
}

#[test]
fn every_name_of_the_table_splits_as_its_owner_would() {
    let mut rows = 0;
    let mut wrong = Vec::new();
    for line in TABLE.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('|').collect();
        let [full, first, last] = cells.as_slice() else { panic!("not three cells: {line:?}") };
        let (got_first, got_last) = name::split(&unescape(full.trim()));
        let got = (got_first.unwrap_or_default(), got_last.unwrap_or_default());
        if (got.0.as_str(), got.1.as_str()) != (first.trim(), last.trim()) {
            wrong.push(format!("{} -> {:?}, wanted {:?}", full.trim(), got, (first.trim(), last.trim())));
        }
        rows += 1;
    }
    assert!(wrong.is_empty(), "{} of {rows}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(rows >= 60, "only {rows} rows");
}

#[test]
fn no_letter_is_lost_or_invented_and_no_part_is_blank() {
    let titles_go = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
    for line in TABLE.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let full = unescape(line.split('|').next().unwrap_or_default().trim());
        let (first, last) = name::split(&full);
        for part in [&first, &last].into_iter().flatten() {
            assert!(!part.trim().is_empty() && part.trim() == part, "{full:?} -> {part:?}");
            assert!(full.contains(part.split(' ').next().unwrap_or_default()), "{full:?} -> {part:?}");
        }
        let kept: usize = [&first, &last].into_iter().flatten().map(|part| titles_go(part)).sum();
        assert!(kept <= titles_go(&full), "{full:?} grew");
    }
}

#[test]
fn odd_texts_split_without_a_panic() {
    for odd in [
        "",
        " ",
        ",",
        ",,",
        "a,",
        ",a",
        "()",
        "(a)",
        "Dr.",
        "Dr. Mr.",
        "Jr.",
        "van",
        "van der",
        "y",
        "a y b",
        "-",
        "🌸",
        "\u{200d}",
        "· ·",
        "·",
        "・a",
        "a b c d e f g h i j",
        "de la",
    ] {
        let _ = name::split(odd);
    }
}
