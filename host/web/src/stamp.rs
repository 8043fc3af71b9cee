//! When a form was shown, signed: so that nobody can claim to have had it in front of them for longer. No cookie is needed, and nothing is
//! kept. The key lives as long as the process: forms from before a restart are sent a second time.

use blake3::Hash;

/// Nobody reads the form, fills it in and sends it within this.
const YOUNGEST_MS: u64 = 2_000;
/// A page that stood open for longer is shown again, with what was typed.
const OLDEST_MS: u64 = 24 * 60 * 60 * 1_000;

/// What a stamp says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    /// Sent sooner than a person can.
    Young,
    Ripe,
    /// Too old, another page's, of another process, or made up.
    Unknown,
}

pub(crate) struct Stamps {
    key: [u8; 32],
}

impl Stamps {
    pub(crate) fn new() -> Self {
        Self { key: rand::random() }
    }

    /// For the form on the page `of`, shown now.
    pub(crate) fn fresh(&self, of: &str, now: u64) -> String {
        format!("{now}.{}", self.sign(of, now).to_hex())
    }

    /// For a form that is shown again in answer to one that was sent: it may be sent at once.
    pub(crate) fn ripe(&self, of: &str, now: u64) -> String {
        self.fresh(of, now.saturating_sub(YOUNGEST_MS))
    }

    pub(crate) fn age(&self, of: &str, now: u64, stamp: &str) -> Age {
        let read = || -> Option<(u64, Hash)> {
            let (shown, signature) = stamp.split_once('.')?;
            Some((shown.parse().ok()?, Hash::from_hex(signature).ok()?))
        };
        match read() {
            // Hashes are compared in constant time.
            Some((shown, signature)) if signature == self.sign(of, shown) => match now.saturating_sub(shown) {
                0..YOUNGEST_MS => Age::Young,
                YOUNGEST_MS..=OLDEST_MS => Age::Ripe,
                _ => Age::Unknown,
            },
            _ => Age::Unknown,
        }
    }

    fn sign(&self, of: &str, shown: u64) -> Hash {
        blake3::keyed_hash(&self.key, format!("{shown}/{of}").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_790_000_000_000;

    #[test]
    fn a_stamp_ripens_and_grows_too_old() {
        let stamps = Stamps::new();
        let stamp = stamps.fresh("spring", NOW);
        for (later, age) in [
            (0, Age::Young),
            (YOUNGEST_MS - 1, Age::Young),
            (YOUNGEST_MS, Age::Ripe),
            (OLDEST_MS, Age::Ripe),
            (OLDEST_MS + 1, Age::Unknown),
        ] {
            assert_eq!(stamps.age("spring", NOW + later, &stamp), age, "{later}");
        }
        assert_eq!(stamps.age("spring", NOW, &stamps.ripe("spring", NOW)), Age::Ripe);
    }

    #[test]
    fn what_was_not_signed_here_for_this_page_says_nothing() {
        let stamps = Stamps::new();
        let stamp = stamps.fresh("spring", NOW);
        let later = NOW + 60_000;
        let (_, signature) = stamp.split_once('.').unwrap();
        let older = format!("{}.{signature}", NOW - 60_000);
        for made_up in ["", ".", "x", "1790000000000", "1790000000000.", "1790000000000.00", "-1.00", older.as_str()] {
            assert_eq!(stamps.age("spring", later, made_up), Age::Unknown, "{made_up}");
        }
        assert_eq!(stamps.age("autumn", later, &stamp), Age::Unknown);
        assert_eq!(Stamps::new().age("spring", later, &stamp), Age::Unknown);
    }
}
