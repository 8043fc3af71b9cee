//! Invented people and ids. Pure.

/// First and last names, handed out in turn.
const PEOPLE: &[(&str, &str)] = &[
    ("Ann", "Lee"),
    ("Ben", "Kaya"),
    ("Cem", "Novak"),
    ("Dora", "Silva"),
    ("Eva", "Moreau"),
    ("Finn", "Okafor"),
    ("Gita", "Rossi"),
    ("Hugo", "Lind"),
];

/// The n-th address: `ann@example.com`, `ben@example.com`, ...
pub(super) fn email(number: usize) -> String {
    match PEOPLE.get(number) {
        Some((first, _)) => format!("{}@example.com", first.to_lowercase()),
        None => format!("person{}@example.com", number + 1),
    }
}

/// Something that is as little an address as this: its words are replaced, what stands between them is kept.
pub(super) fn misspelt(email: &str) -> String {
    let mut words = ["ann"].into_iter().chain(std::iter::repeat("example"));
    let mut out = String::new();
    let mut inside = false;
    for c in email.chars() {
        let word = c.is_alphanumeric();
        if !word {
            out.push(c);
        } else if !inside {
            out.push_str(words.next().unwrap_or_default());
        }
        inside = word;
    }
    out
}

pub(super) fn first(number: usize) -> String {
    PEOPLE.get(number).map_or_else(|| format!("Person{}", number + 1), |(first, _)| (*first).to_owned())
}

pub(super) fn last(number: usize) -> String {
    PEOPLE.get(number).map_or_else(|| format!("Family{}", number + 1), |(_, last)| (*last).to_owned())
}

pub(super) fn company(number: usize) -> String {
    if number == 0 { "Example".to_owned() } else { format!("Example {}", number + 1) }
}

/// The n-th id of the same shape: digits stay digits, letters letters, and the length is kept. `None` when the shape has no room.
pub(super) fn id(shape: &str, number: usize) -> Option<String> {
    let mut places = Vec::new();
    let mut out: Vec<char> = Vec::new();
    for (at, c) in shape.chars().enumerate() {
        out.push(match c {
            '0'..='9' => '0',
            'a'..='z' => 'a',
            'A'..='Z' => 'A',
            other => other,
        });
        if c.is_ascii_digit() {
            places.push(at);
        }
    }
    let count = (number + 1).to_string();
    // Of the length of a number: it may not begin with a zero.
    let number_like = places.len() == out.len();
    let room = places.len().saturating_sub(usize::from(number_like && count.len() < places.len()));
    if count.len() > room {
        return None;
    }
    for (digit, at) in count.chars().rev().zip(places.iter().rev()) {
        *out.get_mut(*at)? = digit;
    }
    if number_like && count.len() < places.len() {
        *out.first_mut()? = '1';
    }
    Some(out.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invented_id_has_the_shape_of_the_real_one() {
        assert_eq!(id("84512345", 0).as_deref(), Some("10000001"));
        assert_eq!(id("84512345", 41).as_deref(), Some("10000042"));
        assert_eq!(id("7", 4).as_deref(), Some("5"));
        assert_eq!(id("7", 9), None);
        assert_eq!(id("f3b1-99-XY", 1).as_deref(), Some("a0a0-02-AA"));
        assert_eq!(id("abc", 0), None);
    }

    #[test]
    fn people_never_run_out() {
        assert_eq!((email(0), first(0), last(0)), ("ann@example.com".to_owned(), "Ann".to_owned(), "Lee".to_owned()));
        assert_eq!(email(30), "person31@example.com");
        assert_ne!(company(1), company(2));
    }
}
