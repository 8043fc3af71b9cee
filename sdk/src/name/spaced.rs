//! Names whose words are separated by spaces: titles, suffixes, particles, double surnames.

use super::parts;
use super::words::{
    BINDING_FIRST, DEGREES, DEVOTIONS, GENERATIONS, IBERIAN, JOINERS, LOWER_PARTICLES, PARTICLES, SCRIPT_PARTICLES, TITLES, VIETNAMESE,
    fold, has,
};
use crate::text::{lower, lower_char};

type Split = (Option<String>, Option<String>);

pub(super) fn split(name: &str) -> Split {
    let (name, suffix) = turn_around(name);
    let mut words: Vec<&str> = name.split(' ').collect();
    let titled = drop_titles(&mut words);
    let mut suffix: Vec<&str> = suffix;
    take_suffixes(&mut words, &mut suffix);

    let at = match words.as_slice() {
        // "Mr. Smith" names the family; so does a lone "van der Berg".
        [_] if titled => 0,
        [first, .., _] if is_lower_particle(first) => 0,
        [_] => words.len(),
        _ => family_start(&words),
    };
    if let Some((first, last)) = family_first(&words) {
        return parts(&first, &last);
    }
    let (first, last) = words.split_at(at);
    let last: Vec<&str> = if last.is_empty() { Vec::new() } else { last.iter().copied().chain(suffix).collect() };
    parts(&first.join(" "), &last.join(" "))
}

/// `Last, First` becomes `First Last`; what stands after a further comma, or is a suffix itself, comes back separately.
fn turn_around(name: &str) -> (String, Vec<&str>) {
    let mut pieces: Vec<&str> = name.split(',').map(str::trim).filter(|piece| !piece.is_empty()).collect();
    let mut suffix = Vec::new();
    pieces.retain(|piece| {
        let generation = is_generation(piece);
        let noise = piece.split(' ').all(|word| is_degree(word) || is_generation(word));
        if generation {
            suffix.push(*piece);
        }
        !noise
    });
    let turned = match pieces.as_slice() {
        [last, first, ..] => format!("{first} {last}"),
        [whole] => (*whole).to_owned(),
        // Nothing but degrees and commas.
        [] => name.split(',').next().unwrap_or_default().to_owned(),
    };
    // The particles of "Berg, Jan van der" already stand where they belong.
    (turned, suffix)
}

/// True when a title was dropped. Something always remains.
fn drop_titles(words: &mut Vec<&str>) -> bool {
    let mut dropped = false;
    while words.len() > 1 && has(TITLES, fold(words[0]).trim_end_matches('.')) {
        words.remove(0);
        dropped = true;
    }
    dropped
}

fn take_suffixes<'a>(words: &mut Vec<&'a str>, suffix: &mut Vec<&'a str>) {
    while words.len() > 2 {
        let Some(last) = words.last().copied() else { return };
        if is_generation(last) {
            suffix.insert(0, last);
        } else if !(is_degree(last) || last == "D." && words.len() > 3) {
            return;
        }
        words.pop();
    }
}

fn is_generation(word: &str) -> bool {
    has(GENERATIONS, &lower(&without_dots(word)))
}

fn is_degree(word: &str) -> bool {
    has(DEGREES, &without_dots(word))
}

fn without_dots(word: &str) -> String {
    word.chars().filter(|c| *c != '.').collect()
}

/// Spellings that put the family name first although words are spaced.
fn family_first(words: &[&str]) -> Option<Split3> {
    let [family, middle @ .., last] = words else { return None };
    let is_vietnamese = |word: &str| has(VIETNAMESE, &lower(word));
    if is_vietnamese(family) && !is_vietnamese(last) {
        return Some((words[1..].join(" "), (*family).to_owned()));
    }
    // Иванов Иван Иванович: only three words, and only when the patronymic is not in the middle.
    if let [given] = middle
        && is_patronymic(last)
        && !is_patronymic(given)
    {
        return Some((format!("{given} {last}"), (*family).to_owned()));
    }
    None
}

type Split3 = (String, String);

fn is_patronymic(word: &str) -> bool {
    let word = lower(word);
    ["ович", "евич", "ьич", "овна", "евна", "ична", "івна", "ївна"].iter().any(|ending| word.ends_with(ending))
}

/// Index of the word at which the last name begins.
fn family_start(words: &[&str]) -> usize {
    let end = words.len() - 1;
    let given = given_length(words).min(end);
    let all_lower = words.iter().all(|word| is_lower(word));
    let western_vietnamese = has(VIETNAMESE, &lower(words[end]));

    // Ruiz y Picasso: the joiner ties the word before it to the last name.
    if !all_lower && end >= given + 2 && has(JOINERS, words[end - 1]) {
        return end - 2;
    }
    if let Some(at) = (given..end).find(|&at| is_particle(words[at]) && !western_vietnamese) {
        // "García de la Torre": a known surname directly before the particle belongs to it.
        return if at > given && is_iberian(words[at - 1]) { at - 1 } else { at };
    }
    if let Some(at) = (given..=end).find(|&at| is_attached_article(words[at])) {
        return at;
    }
    if end > given && is_iberian(words[end - 1]) {
        return end - 1;
    }
    end
}

/// How many words at the start certainly are given names: one, or a compound.
fn given_length(words: &[&str]) -> usize {
    let folded: Vec<String> = words.iter().map(|word| fold(word)).collect();
    if words.len() > 2 && has(BINDING_FIRST, &folded[0]) {
        return 2;
    }
    // María del Carmen, María de los Ángeles, José de Jesús.
    let mut at = 1;
    if words.len() > 3 && matches!(folded[1].as_str(), "de" | "del") {
        at += 1;
        if matches!(folded[at].as_str(), "la" | "las" | "los") {
            at += 1;
        }
        if at + 1 < words.len() && has(DEVOTIONS, &folded[at]) {
            return at + 1;
        }
    }
    1
}

fn is_particle(word: &str) -> bool {
    let bare = fold(word);
    has(PARTICLES, bare.trim_end_matches('.')) || is_lower_particle(word) || has(SCRIPT_PARTICLES, word)
}

fn is_lower_particle(word: &str) -> bool {
    is_lower(word) && word.is_ascii() && (has(LOWER_PARTICLES, word) || has(PARTICLES, word))
}

fn is_lower(word: &str) -> bool {
    word.chars().all(|c| lower_char(c) == c)
}

/// `al-Bashir`, `El-Sayed`, `ash-Shami`.
fn is_attached_article(word: &str) -> bool {
    let Some((article, rest)) = word.split_once('-') else { return false };
    !rest.is_empty() && matches!(lower(article).as_str(), "al" | "el" | "as" | "ash" | "an" | "ar" | "ad" | "at" | "az" | "bin" | "ben")
}

/// A frequent Spanish or Portuguese surname, or one built like them (`Álvarez`, `Ibáñez`).
fn is_iberian(word: &str) -> bool {
    let folded = fold(word);
    has(IBERIAN, &folded) || (folded.chars().count() > 4 && folded.ends_with("ez") && folded != "inez")
}
