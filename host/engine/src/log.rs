//! Lets a guest's log lines through, within limits and without anything that could forge a line or drive a terminal.
//! Must not know where the lines go.

use std::sync::Arc;

use crm_contract::ports::{GuestLog, LogLevel};

use crate::limits::Limits;

pub(crate) struct LogGate {
    log: Arc<dyn GuestLog>,
    lines_left: u32,
    bytes_left: usize,
    line_bytes: usize,
    suppressed: u64,
}

impl LogGate {
    pub(crate) fn new(log: Arc<dyn GuestLog>, limits: &Limits) -> Self {
        Self { log, lines_left: limits.log_lines, bytes_left: limits.log_bytes, line_bytes: limits.log_line_bytes, suppressed: 0 }
    }

    pub(crate) fn line(&mut self, level: LogLevel, text: &str) {
        if self.lines_left == 0 || self.bytes_left == 0 {
            self.suppressed += 1;
            return;
        }
        let safe = printable(text, self.line_bytes.min(self.bytes_left));
        self.lines_left -= 1;
        self.bytes_left = self.bytes_left.saturating_sub(safe.len());
        self.log.line(level, &safe);
    }
}

/// At the end of the run, however it ends.
impl Drop for LogGate {
    fn drop(&mut self) {
        if self.suppressed > 0 {
            self.log.line(LogLevel::Warn, &format!("{} more lines suppressed", self.suppressed));
        }
    }
}

const CUT: &str = "[cut]";

/// `text` in at most `max` bytes, with control characters, terminal escapes and direction overrides written out.
pub(crate) fn printable(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    for c in text.chars() {
        let before = out.len();
        if is_unsafe(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        if out.len() > max {
            out.truncate(before);
            if let Some(mut end) = max.checked_sub(CUT.len()) {
                end = end.min(out.len());
                while !out.is_char_boundary(end) {
                    end -= 1;
                }
                out.truncate(end);
                out.push_str(CUT);
            }
            break;
        }
    }
    out
}

/// The joiners U+200C and U+200D are not here: names in several scripts need them.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<(LogLevel, String)>>);

    impl GuestLog for Kept {
        fn line(&self, level: LogLevel, text: &str) {
            self.0.lock().expect("not poisoned").push((level, text.to_owned()));
        }
    }

    fn lines(limits: &Limits, texts: &[&str]) -> Vec<String> {
        let kept = Arc::new(Kept::default());
        let mut gate = LogGate::new(kept.clone(), limits);
        for text in texts {
            gate.line(LogLevel::Info, text);
        }
        drop(gate);
        let kept = kept.0.lock().expect("not poisoned");
        kept.iter().map(|(_, text)| text.clone()).collect()
    }

    #[test]
    fn invariant_3_a_flood_of_lines_is_counted_and_not_kept() {
        let limits = Limits { log_lines: 3, ..Limits::default() };
        assert_eq!(lines(&limits, &["a", "b", "c", "d", "e"]), ["a", "b", "c", "2 more lines suppressed"]);
    }

    #[test]
    fn invariant_3_a_flood_of_bytes_is_cut() {
        let limits = Limits { log_bytes: 10, log_line_bytes: 8, ..Limits::default() };
        assert_eq!(lines(&limits, &["0123456789", "abc", "d"]), ["012[cut]", "ab", "1 more lines suppressed"]);
    }

    #[test]
    fn no_line_can_forge_another_or_drive_a_terminal() {
        assert_eq!(printable("a\nb\u{1b}[31mred\r\u{202e}x\u{9b}", 100), "a\\nb\\u{1b}[31mred\\r\\u{202e}x\\u{9b}");
    }

    proptest! {
        #[test]
        fn a_printable_line_is_short_and_clean(text in any::<String>(), max in 0usize..64) {
            let line = printable(&text, max);
            prop_assert!(line.len() <= max);
            prop_assert!(!line.chars().any(is_unsafe));
        }
    }
}
