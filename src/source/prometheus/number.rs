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
const MAX_DIGITS: u32 = 19;

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
    let (negative, digits) = match bytes.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, bytes),
    };
    match plain_seconds_ms(digits) {
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
    let point = bytes.iter().position(|b| *b == b'.').unwrap_or(bytes.len());
    let fraction = bytes.get(point + 1..).unwrap_or_default();
    if point == 0 || point > 12 || fraction.len() > 3 || (point < bytes.len() && fraction.is_empty()) {
        return None;
    }
    let mut ms = 0;
    for byte in bytes[..point].iter().chain(fraction) {
        ms = ms * 10 + i64::from(digit(*byte)?);
    }
    for _ in fraction.len()..3 {
        ms *= 10;
    }
    Some(ms)
}

fn digit(byte: u8) -> Option<u8> {
    byte.is_ascii_digit().then(|| byte - b'0')
}

fn exact(bytes: &[u8]) -> Option<f64> {
    let (negative, digits) = match bytes.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, bytes),
    };
    let (mut mantissa, mut count, mut places, mut point) = (0_u64, 0_u32, 0_usize, false);
    for byte in digits {
        if *byte == b'.' && !point {
            point = true;
            continue;
        }
        mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit(*byte)?));
        count += 1;
        places += usize::from(point);
    }
    if count == 0 || count > MAX_DIGITS || mantissa > EXACT_INTEGER {
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
