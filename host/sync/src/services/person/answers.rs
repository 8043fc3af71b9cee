//! Answers kept for `Idempotency-Key` repeat what was answered, so they may tell of a person. Those that do are forgotten with them; all
//! others stay, because a forgotten answer lets a repeated request have its effect twice.

use crm_store::model::Kind;
use unicode_normalization::UnicodeNormalization as _;

use super::Addresses;
use crate::context::Context;
use crate::services::{ServiceError, records};

/// Forgets the kept answers that mention the person. A request that still runs keeps its mark, which holds a hash only.
pub(super) async fn forget(context: &Context, organization: &str, id: &str, addresses: &Addresses) -> Result<u64, ServiceError> {
    records::delete_where(context, organization, Kind::Idempotency, |record| mentions(&record.json, id, addresses)).await
}

fn mentions(json: &str, id: &str, addresses: &Addresses) -> bool {
    if json.contains(id) {
        return true;
    }
    // Addresses hold nothing that JSON would write in another way, however often it is wrapped.
    let text = json.nfc().collect::<String>().to_lowercase();
    addresses.iter().any(|address| stands_in(&text, address))
}

/// Whether the address stands in the text as a whole and not as the end or the beginning of a longer one.
fn stands_in(text: &str, address: &str) -> bool {
    text.match_indices(address).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let mut after = text[at + address.len()..].chars();
        let ends = match after.next() {
            // The end of a sentence, not of a label.
            Some('.') => after.next().is_none_or(|c| !c.is_alphanumeric()),
            Some(c) => !(c.is_alphanumeric() || c == '-' || c == '@'),
            None => true,
        };
        ends && before.is_none_or(|c| c.is_whitespace() || c.is_control() || "<>()[]\\,;:\"'".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_however_it_is_wrapped_and_never_within_another() {
        let mut addresses = Addresses::default();
        addresses.add("Zoë@Example.com");
        for there in [
            r#"{"answer":{"body":"{\"email\":\"zoë@example.com\"}"}}"#,
            "{\"body\":\"ZOE\u{308}@EXAMPLE.COM is taken.\"}",
            r#"{"x":"aff_1"}"#,
            "zoë@example.com. Next",
            "<zoë@example.com>",
        ] {
            assert!(mentions(there, "aff_1", &addresses), "{there}");
        }
        for absent in [
            r#""a.zoë@example.com""#,
            r#""zoë@example.com.au""#,
            r#""zoë@example.company""#,
            r#""+zoë@example.com""#,
            "aff_",
            "aff_2",
            "{}",
        ] {
            assert!(!mentions(absent, "aff_1", &addresses), "{absent}");
        }
    }
}
