//! Timestamps and sample values, straight from bytes.
//!
//! Prometheus writes values as the shortest decimal that reads back as the same double, mostly short ones. Up to 15 digits and 22 places
//! an integer division is exact (Clinger's fast path, PLDI 1990) and costs a few nanoseconds; the rest goes to the standard library.

/// Powers of ten that a double holds exactly.
const EXACT_POWERS: [f64; 23] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22];

/// The largest integer below which every integer is a double.
const EXACT_INTEGER: u64 = 1 << 53;

/// Digits a `u64` takes without overflow.
const MAX_DIGITS: usize = 19;

/// Digits of whole seconds read without a float: as many as [`MAX_SECONDS`] has.
const MAX_SECOND_DIGITS: usize = 12;

/// Seconds further from 1970 than this (about 31,000 years) are not a sample's time.
const MAX_SECONDS: f64 = 1e12;

/// A sample's value as Prometheus writes it: a decimal, `NaN`, `+Inf`, `-Inf` or `Inf`.
pub fn parse_value(bytes: &[u8]) -> Option<f64> {
    match bytes {
        b"NaN" => Some(f64::NAN),
        b"+Inf" | b"Inf" => Some(f64::INFINITY),
        b"-Inf" => Some(f64::NEG_INFINITY),
        _ => exact(bytes).or_else(|| general(bytes)),
    }
}

/// A Unix time in seconds with a fraction, to the nearest millisecond.
pub fn parse_seconds_ms(bytes: &[u8]) -> Option<i64> {
    let (negative, unsigned) = match bytes.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, bytes),
    };
    match plain_seconds_ms(unsigned) {
        Some(ms) => Some(if negative { -ms } else { ms }),
        None => {
            let seconds = general(bytes)?;
            // Below the bound the product fits 53 bits, so the cast is exact.
            (seconds.abs() < MAX_SECONDS).then(|| (seconds * 1000.0).round() as i64)
        }
    }
}

/// `1435781430` or `1435781430.781`, without float arithmetic; None for anything else, however valid.
fn plain_seconds_ms(bytes: &[u8]) -> Option<i64> {
    let (seconds, whole) = digits(bytes, 0);
    let seconds = i64::try_from(seconds).ok()?;
    if whole == 0 || whole > MAX_SECOND_DIGITS {
        return None;
    }
    let Some((b'.', fraction)) = bytes[whole..].split_first() else {
        return (whole == bytes.len()).then_some(seconds * 1000);
    };
    let (ms, places) = digits(fraction, 0);
    let scale = match places {
        1 => 100,
        2 => 10,
        3 => 1,
        _ => return None,
    };
    (places == fraction.len()).then_some(seconds * 1000 + i64::try_from(ms).ok()? * scale)
}

/// The decimal digits at the front, appended to `value`, and how many there are. Wraps beyond [`MAX_DIGITS`]: the caller counts.
#[inline]
fn digits(bytes: &[u8], mut value: u64) -> (u64, usize) {
    let mut count = 0;
    for byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        count += 1;
    }
    (value, count)
}

fn exact(bytes: &[u8]) -> Option<f64> {
    let (negative, unsigned) = match bytes.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, bytes),
    };
    let (mantissa, whole) = digits(unsigned, 0);
    let (mantissa, places, end) = match unsigned.get(whole) {
        None => (mantissa, 0, whole),
        Some(b'.') => {
            let (mantissa, places) = digits(&unsigned[whole + 1..], mantissa);
            (mantissa, places, whole + 1 + places)
        }
        Some(_) => return None,
    };
    let count = whole + places;
    if end != unsigned.len() || count == 0 || count > MAX_DIGITS || mantissa > EXACT_INTEGER {
        return None;
    }
    // Exact: the mantissa is at most 2^53.
    let value = mantissa as f64 / EXACT_POWERS.get(places)?;
    Some(if negative { -value } else { value })
}

/// Anything the standard library reads, but for its words ("inf", "nan", "infinity" in any case), which Prometheus doesn't write.
fn general(bytes: &[u8]) -> Option<f64> {
    if !bytes.iter().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E')) {
        return None;
    }
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_words_and_the_plain_numbers() {
        assert!(parse_value(b"NaN").unwrap().is_nan());
        assert_eq!(parse_value(b"+Inf"), Some(f64::INFINITY));
        assert_eq!(parse_value(b"Inf"), Some(f64::INFINITY));
        assert_eq!(parse_value(b"-Inf"), Some(f64::NEG_INFINITY));
        assert_eq!(parse_value(b"-0").unwrap().to_bits(), (-0.0_f64).to_bits());
        for bad in ["", "-", ".", "nan", "inf", "1..2", "0x10", "1e", "1 ", "--1", "1,5"] {
            assert_eq!(parse_value(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn times_are_exact_milliseconds() {
        for (text, ms) in [
            ("1435781430.781", 1_435_781_430_781),
            ("1435781430", 1_435_781_430_000),
            ("1435781430.5", 1_435_781_430_500),
            ("-1.25", -1_250),
            ("1435781430.78149", 1_435_781_430_781),
            ("1.435781430781e+09", 1_435_781_430_781),
            ("0", 0),
        ] {
            assert_eq!(parse_seconds_ms(text.as_bytes()), Some(ms), "{text}");
        }
        for bad in ["", "-", "1.", "1e300", "NaN", "12:00"] {
            assert_eq!(parse_seconds_ms(bad.as_bytes()), if bad == "1." { Some(1000) } else { None }, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_double_reads_back_bit_for_bit(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            for text in [format!("{value}"), format!("{value:e}")] {
                prop_assert_eq!(parse_value(text.as_bytes()).unwrap().to_bits(), bits, "{}", text);
            }
        }

        #[test]
        fn short_decimals_read_as_the_standard_library_reads_them(whole in 0u32.., places in 0usize..9, fraction in 0u32..1_000_000_000) {
            let text = format!("-{whole}.{}", &format!("{fraction:09}")[..places.max(1)]);
            prop_assert_eq!(parse_value(text.as_bytes()), text.parse().ok());
        }

        #[test]
        fn times_come_back(ms in -4_000_000_000_000_i64..4_000_000_000_000) {
            let sign = if ms < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:03}", ms.abs() / 1000, ms.abs() % 1000);
            prop_assert_eq!(parse_seconds_ms(text.as_bytes()), Some(ms));
        }
    }
}
