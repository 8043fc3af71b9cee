//! A moment in Unix seconds as the text that the vendor wants. Reads no clock: the moments are the job's.

const DAY_S: u64 = 86_400;
/// Days from 0000-03-01, where this calendar begins, to 1970-01-01.
const EPOCH_DAY: u64 = 719_468;
/// Days of 400 years, after which the calendar repeats.
const CYCLE: u64 = 146_097;

/// RFC 3339 in UTC, such as `2026-01-02T03:04:05Z`. `None` for zero, which stands for a moment that is not known.
pub(crate) fn rfc3339(seconds: u64) -> Option<String> {
    // Years begin in March, so that a leap day is the last of its year.
    let days = seconds / DAY_S + EPOCH_DAY;
    let (cycle, day) = (days / CYCLE, days % CYCLE);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let (year, of_day) = (cycle * 400 + year + next, seconds % DAY_S);
    let text = format!("{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z", of_day / 3_600, of_day / 60 % 60, of_day % 60);
    (seconds > 0 && year < 10_000).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc_with_leap_days() {
        for (seconds, text) in [
            (1, "1970-01-01T00:00:01Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_323_045, "2026-01-02T03:04:05Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds).as_deref(), Some(text));
        }
        assert_eq!(rfc3339(0), None);
        assert_eq!(rfc3339(u64::MAX), None);
    }
}
