//! The last look at what an author's command is about to write: no secret, in no spelling. Egress has blanked them all before; this
//! is for what the author put elsewhere, and for mistakes of ours. Never prints what it looks for.

use std::sync::Arc;

use crm_egress::Echo;
use parking_lot::Mutex;
use zeroize::Zeroizing;

/// Shorter ones would be found in ordinary words.
const LEAST: usize = 4;

/// Every secret of one run. No `Debug`.
#[derive(Clone, Default)]
pub(super) struct Leaks {
    live: Arc<Mutex<Vec<Zeroizing<String>>>>,
}

impl Leaks {
    pub(super) fn add(&self, secret: &str) {
        let mut live = self.live.lock();
        if !secret.is_empty() && !live.iter().any(|known| known.as_str() == secret) {
            live.push(Zeroizing::new(secret.to_owned()));
        }
    }

    /// Whether the text holds one of them, in any spelling.
    pub(super) fn are_in(&self, text: &str) -> bool {
        let live = self.live.lock();
        let short = live.iter().any(|secret| secret.chars().count() >= LEAST && text.contains(secret.as_str()));
        short || Echo::new(live.iter().map(|secret| secret.as_bytes())).is_in(text.as_bytes())
    }

    /// The text without them.
    pub(super) fn blanked(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        Echo::new(self.live.lock().iter().map(|secret| secret.as_bytes())).blank(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::Leaks;

    #[test]
    fn a_secret_is_found_in_every_spelling_and_blanked() {
        let leaks = Leaks::default();
        leaks.add("s3cret/key+1");
        for spelled in ["s3cret/key+1", "7333637265742f6b65792b31", "czNjcmV0L2tleSsx", "s3cret%2Fkey%2B1", "s3cret\\/key+1"] {
            let text = format!("{{\"a\": \"{spelled}\"}}");
            assert!(leaks.are_in(&text), "{spelled}");
            assert!(!leaks.blanked(&text).contains(spelled), "{spelled}");
        }
        assert!(!leaks.are_in("{\"a\": \"nothing\"}"));
    }

    #[test]
    fn a_short_secret_is_found_too() {
        let leaks = Leaks::default();
        leaks.add("ab1c");
        assert!(leaks.are_in("x ab1c y"));
    }
}
