//! When to try again: exponential backoff with full jitter, as a pure function.
//!
//! Full jitter (a uniform draw from nothing up to the bound) rather than a bound plus or minus a little: after an outage of a receiver
//! all its senders would otherwise come back in step (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).

use crate::core::time::{Span, Timestamp};

/// Bound of the first pause: most failures are a restart or a lost packet, over within seconds.
pub const BASE: Span = Span::SECOND;

/// Bound of every later pause. A prediction is news for hours at most, so a receiver that is back should hear within minutes; a request
/// each five minutes (the mean) over three days is under 900 of them, which no receiver feels.
pub const CAP: Span = Span::from_secs(600);

/// No pause is shorter, whatever the draw: it is what keeps a receiver that fails at once from being called in a tight loop.
pub const FLOOR: Span = Span::from_millis(100);

/// The longest pause a receiver can ask for with `Retry-After`. A wrong header must not silence predictions for a day.
pub const RETRY_AFTER_MAX: Span = Span::HOUR;

/// An event that could not be delivered for this long is given up: Standard Webhooks recommends several days, which outlasts a weekend.
pub const MAX_AGE: Span = Span::DAY.times(3);

/// The pause after `attempts` failures in a row (1 after the first), with `jitter` drawn uniformly from [0, 1).
pub fn backoff(attempts: u32, jitter: f64) -> Span {
    // 2^20 seconds is far above the cap; the bound keeps the shift in range.
    let doublings = attempts.saturating_sub(1).min(20);
    let bound = BASE.times(1 << doublings).min(CAP);
    Span::from_secs_f64(bound.as_secs_f64() * jitter.clamp(0.0, 1.0)).max(FLOOR)
}

/// When to try next, `attempts` failures after the first try, the last one at `now`. Never before what the receiver asked for.
pub fn next_attempt(attempts: u32, now: Timestamp, retry_after: Option<Span>, jitter: f64) -> Timestamp {
    now + backoff(attempts, jitter).max(retry_after.unwrap_or(Span::ZERO).min(RETRY_AFTER_MAX))
}

/// `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date, which is taken by our clock at `now`. `None` for anything else.
pub fn parse_retry_after(value: &str, now: Timestamp) -> Option<Span> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // A number too large for i64 asks for "very long".
        return Some(value.parse::<i64>().map_or(RETRY_AFTER_MAX, |secs| Span::SECOND.times(secs)));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some((Timestamp::from_millis(date.as_millisecond()) - now).max(Span::ZERO))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn doubles_up_to_the_cap() {
        let seconds: Vec<f64> = (1..=12).map(|attempts| backoff(attempts, 1.0).as_secs_f64()).collect();
        assert_eq!(seconds, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 600.0, 600.0]);
        assert_eq!(backoff(3, 0.5), Span::from_secs(2));
        assert_eq!(backoff(u32::MAX, 0.0), FLOOR);
        assert_eq!(backoff(0, f64::NAN), FLOOR);
    }

    #[test]
    fn waits_as_long_as_it_is_asked_to_but_not_for_a_day() {
        let now = Timestamp::from_millis(0);
        assert_eq!(next_attempt(1, now, Some(Span::from_secs(30)), 1.0) - now, Span::from_secs(30));
        assert_eq!(next_attempt(12, now, Some(Span::from_secs(30)), 1.0) - now, CAP);
        assert_eq!(next_attempt(1, now, Some(Span::DAY), 1.0) - now, RETRY_AFTER_MAX);
        assert_eq!(next_attempt(1, now, Some(Span::from_secs(-5)), 0.0) - now, FLOOR);
    }

    #[test]
    fn reads_both_forms_of_retry_after() {
        let now: Timestamp = "1994-11-06T08:49:07Z".parse().unwrap();
        for (text, want) in [
            ("120", Some(Span::from_secs(120))),
            (" 0 ", Some(Span::ZERO)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(Span::from_secs(30))),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(Span::ZERO)),
            ("99999999999999999999", Some(RETRY_AFTER_MAX)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            assert_eq!(parse_retry_after(text, now), want, "{text:?}");
        }
        assert!(parse_retry_after("9223372036854775807", now).is_some());
    }

    proptest! {
        #[test]
        fn every_pause_lies_between_floor_and_limit(
            attempts: u32,
            asked in proptest::option::of(-10_i64..i64::MAX / 1000),
            jitter in 0.0..1.0,
        ) {
            let now = Timestamp::from_millis(1_795_341_600_000);
            let pause = next_attempt(attempts, now, asked.map(Span::from_secs), jitter) - now;
            prop_assert!(pause >= FLOOR && pause <= RETRY_AFTER_MAX.max(CAP));
        }
    }
}
