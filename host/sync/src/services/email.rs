//! E-mail addresses as people type them: what is accepted as one. Sensible rather than complete: every address that
//! a vendor would take passes, and the usual slips do not.

use super::ServiceError;

/// Longest address that the mail protocols can carry (RFC 5321, 4.5.3.1: 64 before the `@`, 254 in all).
const LONGEST: usize = 254;
const LONGEST_LOCAL: usize = 64;

/// The trimmed address, or what is wrong with it.
pub fn check(email: &str) -> Result<String, &'static str> {
    let email = email.trim();
    if email.is_empty() {
        return Err("an e-mail address is needed");
    }
    if email.len() > LONGEST {
        return Err("this e-mail address is longer than 254 bytes");
    }
    let Some((local, domain)) = email.rsplit_once('@') else { return Err("this is not an e-mail address: it has no @") };
    local_part(local)?;
    domain_part(domain)?;
    Ok(email.to_owned())
}

/// [`check`], as the error of a field.
pub fn checked(field: &str, email: &str) -> Result<String, ServiceError> {
    check(email).map_err(|message| ServiceError::invalid(field, message))
}

fn local_part(local: &str) -> Result<(), &'static str> {
    if local.is_empty() {
        return Err("this is not an e-mail address: nothing stands before the @");
    }
    if local.len() > LONGEST_LOCAL {
        return Err("the part before the @ is longer than 64 bytes");
    }
    if local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Err("the part before the @ has a dot in the wrong place");
    }
    // Quoted local parts are legal, unused, and refused by most vendors.
    if local.chars().any(|c| c.is_whitespace() || c.is_control() || "<>()[]\\,;:\"@".contains(c)) {
        return Err("the part before the @ holds a character that an e-mail address may not");
    }
    Ok(())
}

fn domain_part(domain: &str) -> Result<(), &'static str> {
    let mut labels = 0;
    let mut last = "";
    for label in domain.split('.') {
        if label.is_empty() || label.len() > 63 {
            return Err("the part after the @ is no domain");
        }
        if label.starts_with('-') || label.ends_with('-') || !label.chars().all(|c| c.is_alphanumeric() || c == '-' || is_mark(c)) {
            return Err("the part after the @ holds a character that a domain may not");
        }
        labels += 1;
        last = label;
    }
    if labels < 2 {
        return Err("the part after the @ lacks an ending such as .com");
    }
    if last.chars().all(|c| c.is_ascii_digit()) {
        return Err("the part after the @ is no domain");
    }
    Ok(())
}

/// Combining marks: scripts such as Devanagari need them inside a label.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_that_people_have_are_accepted() {
        for good in [
            "ann@example.com",
            " ann@example.com ",
            "a.b+c@sub.example.co.uk",
            "o'neil@example.ie",
            "ünal@bücher.example",
            "用户@例子.世界",
            "x@भारत.example",
        ] {
            assert_eq!(check(good), Ok(good.trim().to_owned()), "{good}");
        }
    }

    #[test]
    fn the_usual_slips_are_refused() {
        for bad in [
            "",
            " ",
            "ann",
            "ann@",
            "@example.com",
            "ann@example",
            "ann@@example.com",
            "ann@example..com",
            "ann@.com",
            "ann.@example.com",
            ".ann@example.com",
            "a..b@example.com",
            "ann @example.com",
            "ann@exa mple.com",
            "ann@-example.com",
            "ann@example.com,bob@example.com",
            "<ann@example.com>",
            "ann@127.0.0.1",
            "ann@example.com\r\nBcc: x@y.zz",
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        assert!(check(&format!("{}@example.com", "a".repeat(65))).is_err());
        assert!(check(&format!("a@{}.com", "b".repeat(260))).is_err());
    }

    proptest! {
        #[test]
        fn what_is_accepted_has_no_blank_and_no_control_character(text in ".{0,80}") {
            if let Ok(email) = check(&text) {
                prop_assert!(email.chars().all(|c| !c.is_whitespace() && !c.is_control()));
                prop_assert!(email.matches('@').count() == 1);
                prop_assert_eq!(check(&email), Ok(email.clone()));
            }
        }
    }
}
