//! Commission terms: checked so that what is shown to affiliates makes sense. They are paid elsewhere.

use super::{FieldError, ServiceError};
use crate::domain::Commission;

/// Largest amount, in units of its currency.
const MOST: u64 = 1_000_000;

/// The terms in their plain spelling (`25.00` becomes `25`), or every field that is wrong.
pub fn checked(field: &str, commission: Commission) -> Result<Commission, ServiceError> {
    let mut errors = Vec::new();
    let mut take = |name: &str, result: Result<String, String>| {
        result.unwrap_or_else(|message| {
            errors.push(FieldError { field: format!("{field}.{name}"), message });
            String::new()
        })
    };
    let kept = match commission {
        Commission::RevShare { percent } => Commission::RevShare { percent: take("percent", share(&percent)) },
        Commission::Cps { amount, currency } => {
            Commission::Cps { amount: take("amount", money(&amount)), currency: take("currency", code(&currency)) }
        }
        Commission::Hybrid { amount, currency, continuation_percent } => Commission::Hybrid {
            amount: take("amount", money(&amount)),
            currency: take("currency", code(&currency)),
            continuation_percent: take("continuation_percent", share(&continuation_percent)),
        },
    };
    if errors.is_empty() { Ok(kept) } else { Err(ServiceError::Invalid(errors)) }
}

/// What an affiliate reads.
pub fn words(commission: &Commission) -> String {
    match commission {
        Commission::RevShare { percent } => format!("{percent} % of every payment"),
        Commission::Cps { amount, currency } => format!("{amount} {currency} per sale"),
        Commission::Hybrid { amount, currency, continuation_percent } => {
            format!("{amount} {currency} per sale, then {continuation_percent} % of what follows")
        }
    }
}

fn share(text: &str) -> Result<String, String> {
    match decimal(text, 2) {
        Some((plain, whole, rest)) if (whole > 0 || rest) && (whole < 100 || (whole == 100 && !rest)) => Ok(plain),
        _ => Err("must be a percentage above 0 and up to 100, with at most two decimal places".to_owned()),
    }
}

fn money(text: &str) -> Result<String, String> {
    match decimal(text, 3) {
        Some((plain, whole, rest)) if (whole > 0 || rest) && (whole < MOST || (whole == MOST && !rest)) => Ok(plain),
        _ => Err(format!("must be an amount above 0 and up to {MOST}, with at most three decimal places")),
    }
}

fn code(text: &str) -> Result<String, String> {
    let text = text.trim().to_ascii_uppercase();
    let good = text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
    if good { Ok(text) } else { Err("must be the three letters of a currency, such as USD".to_owned()) }
}

/// Decimal text without what says nothing, its whole part, and whether anything follows the point.
fn decimal(text: &str, places: usize) -> Option<(String, u64, bool)> {
    let text = text.trim();
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 9 || !digits(whole) || !digits(rest) || (text.contains('.') && rest.is_empty()) {
        return None;
    }
    let rest = rest.trim_end_matches('0');
    if rest.len() > places {
        return None;
    }
    let number: u64 = whole.parse().ok()?;
    let plain = if rest.is_empty() { number.to_string() } else { format!("{number}.{rest}") };
    Some((plain, number, !rest.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rev(percent: &str) -> Commission {
        Commission::RevShare { percent: percent.to_owned() }
    }

    #[test]
    fn shares_are_above_nothing_and_at_most_everything() {
        for (typed, kept) in [("25", "25"), ("25.00", "25"), (" 7.5 ", "7.5"), ("0.01", "0.01"), ("100", "100"), ("007", "7")] {
            assert_eq!(checked("commission", rev(typed)), Ok(rev(kept)), "{typed}");
        }
        for bad in ["", "0", "0.00", "100.01", "101", "-5", "+5", "5%", "1.234", "1e2", ".5", "5.", "99999999999999999999"] {
            assert!(checked("commission", rev(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let bad = Commission::Hybrid { amount: "-1".into(), currency: "dollars".into(), continuation_percent: "200".into() };
        let Err(ServiceError::Invalid(errors)) = checked("commission", bad) else { panic!("it was taken") };
        let fields: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(fields, ["commission.amount", "commission.currency", "commission.continuation_percent"]);
    }

    #[test]
    fn the_products_own_examples_read_well() {
        let hybrid = Commission::Hybrid { amount: "250".into(), currency: "usd".into(), continuation_percent: "5".into() };
        assert_eq!(words(&checked("c", hybrid).unwrap()), "250 USD per sale, then 5 % of what follows");
    }
}
