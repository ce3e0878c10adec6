//! Clock time where people live: "every night at two" is a civil time, and moves against UTC twice a year.

use jiff::tz::TimeZone;

use super::time::Timestamp;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Hours since local midnight by the clock on the wall, `[0, 24)`.
pub fn hour_of_day(zone: &TimeZone, at: Timestamp) -> f64 {
    local_ms(zone, at).rem_euclid(DAY_MS) as f64 / HOUR_MS as f64
}

/// The civil hour, 0 to 23, that the middle of a bucket falls into.
pub fn slot(zone: &TimeZone, bucket: i64, bucket_ms: i64) -> usize {
    let middle = Timestamp::from_millis(bucket.saturating_mul(bucket_ms).saturating_add(bucket_ms / 2));
    (local_ms(zone, middle).rem_euclid(DAY_MS) / HOUR_MS) as usize
}

/// How far the clock on the wall is ahead of UTC.
pub fn offset_ms(zone: &TimeZone, at: Timestamp) -> i64 {
    // Outside jiff's years (-9999 to 9999) there is no civil time; UTC is as good as any.
    let offset_s = jiff::Timestamp::from_millisecond(at.as_millis()).map_or(0, |t| zone.to_offset(t).seconds());
    i64::from(offset_s) * 1000
}

fn local_ms(zone: &TimeZone, at: Timestamp) -> i64 {
    at.as_millis().saturating_add(offset_ms(zone, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_clock_through_a_change() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(hour_of_day(&berlin, at("2026-03-28T01:30:00Z")), 2.5);
        assert_eq!(hour_of_day(&berlin, at("2026-03-29T01:30:00Z")), 3.5);
        let bucket = at("2026-03-29T01:00:00Z").as_millis() / HOUR_MS;
        assert_eq!((slot(&berlin, bucket - 1, HOUR_MS), slot(&berlin, bucket, HOUR_MS)), (1, 3));
    }
}
