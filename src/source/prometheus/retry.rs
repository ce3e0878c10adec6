//! When to try again: pure arithmetic, the clock and the dice are arguments.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;

/// Longest wait between two tries; beyond it the next tick is the better retry.
pub const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// Longest `Retry-After` that is waited out inside one call. A longer one is handed to the caller, who has other work.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Reads `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date, which counts from the answer's own `Date`, since our clock may differ
/// from the server's. A date in the past means now; a date without a `Date` says nothing.
pub fn parse_retry_after(text: &str, date: Option<&str>) -> Option<Duration> {
    let text = text.trim();
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    let read = |text: &str| DateTimeParser::new().parse_timestamp(text.trim()).ok();
    let wait_s = read(text)?.as_second() - read(date?)?.as_second();
    Some(Duration::from_secs(u64::try_from(wait_s).unwrap_or(0)))
}

/// The wait before try `attempt + 1`: `base` doubled with each try, between half and all of it as `dice` in [0, 1) falls, so that clients
/// that failed together don't come back together. What the server asked for is kept, with the same spread on top. None: don't wait, give up.
pub fn wait(attempt: u32, base: Duration, retry_after: Option<Duration>, dice: f64) -> Option<Duration> {
    if let Some(asked) = retry_after {
        return (asked <= MAX_RETRY_AFTER).then(|| asked + base.min(MAX_BACKOFF).mul_f64(dice.clamp(0.0, 1.0)));
    }
    let full = base.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(MAX_BACKOFF);
    Some(full.mul_f64(0.5 + dice.clamp(0.0, 1.0) / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_in_seconds_or_as_a_date() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for (text, want) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-5", None),
            ("soon", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(parse_retry_after(text, date), want.map(Duration::from_secs), "{text}");
        }
        assert_eq!(parse_retry_after("7", None), Some(Duration::from_secs(7)));
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:50:07 GMT", None), None);
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:50:07 GMT", Some("today")), None);
    }

    #[test]
    fn waits_double_spread_and_end() {
        let base = Duration::from_millis(100);
        assert_eq!(wait(1, base, None, 0.0), Some(Duration::from_millis(50)));
        assert_eq!(wait(1, base, None, 1.0), Some(Duration::from_millis(100)));
        assert_eq!(wait(4, base, None, 1.0), Some(Duration::from_millis(800)));
        assert_eq!(wait(60, base, None, 1.0), Some(MAX_BACKOFF));
        assert_eq!(wait(1, base, Some(Duration::from_secs(7)), 0.5), Some(Duration::from_millis(7_050)));
        assert_eq!(wait(1, base, Some(Duration::from_secs(3600)), 0.5), None);
    }
}
