//! The rules of SPEC.md as this build knows them: what a failure means, in the words that authors read. The page travels in the
//! program, so that an author without this repository has it too.

/// The whole page.
pub const TEXT: &str = include_str!("../../../connectors/SPEC.md");

/// What a rule says, without the marks of Markdown.
pub fn rule(number: &str) -> Option<String> {
    let row = TEXT.lines().find(|line| line.strip_prefix("| ").and_then(|rest| rest.split(' ').next()) == Some(number))?;
    Some(row.split(" | ").nth(1)?.replace('`', ""))
}

#[cfg(test)]
mod tests {
    use super::rule;
    use crm_catalog::scenarios::SCENARIOS;

    #[test]
    fn every_rule_that_a_scenario_names_has_words() {
        for number in SCENARIOS.iter().flat_map(|scenario| scenario.rules).chain(&["S5", "S24", "S32", "S37", "S39"]) {
            assert!(rule(number).is_some_and(|words| words.len() > 20), "{number}");
        }
        assert_eq!(rule("S999"), None);
    }
}
