//! Sizes in a byte each: sixteenths of an octave round a base that all of one row share.
//!
//! What is kept this way feeds a median. A sixteenth of an octave moves it by two percent at most, and what lies outside of the range of
//! eight octaves to either side stays on its side of the middle. Half of a float (bfloat16) would be twice the bytes for digits that nobody
//! asks for.

/// The base of a row that has had no size above zero.
pub(super) const NO_BASE: i16 = i16::MIN;
/// Steps an octave.
const STEPS: f32 = 16.0;
/// The code of the base; 0 is a size of zero.
const MIDDLE: i32 = 128;
/// Codes that there are.
pub(super) const CODES: usize = 256;
/// The base follows the usual size when that is three octaves off.
const FAR_STEPS: i32 = 48;

fn steps(size: f32) -> i32 {
    (STEPS * size.log2()).round() as i32
}

/// The code of a size; sets the base of a row that has none.
pub(super) fn code(size: f32, base: &mut i16) -> u8 {
    if size.is_nan() || size <= 0.0 {
        return 0;
    }
    let steps = steps(size);
    if *base == NO_BASE {
        *base = steps as i16;
    }
    (steps - i32::from(*base) + MIDDLE).clamp(1, 255) as u8
}

/// The size of a code.
pub(super) fn value(code: u8, base: i16) -> f32 {
    if code == 0 { 0.0 } else { ((i32::from(code) - MIDDLE + i32::from(base)) as f32 / STEPS).exp2() }
}

/// The median of sizes, from how many there are of each code; NaN where there are none.
pub(super) fn median(counts: &[u16; CODES], base: i16) -> f64 {
    let total: usize = counts.iter().map(|count| usize::from(*count)).sum();
    if total == 0 {
        return f64::NAN;
    }
    // A larger code is a larger size: the middle of the codes is that of the sizes.
    let size_of = |rank: usize| {
        let mut passed = 0;
        let code = counts.iter().position(|count| {
            passed += usize::from(*count);
            passed > rank
        });
        f64::from(value(code.unwrap_or(0) as u8, base))
    };
    let middle = (total - 1) / 2;
    let low = size_of(middle);
    if total % 2 == 1 { low } else { low + 0.5 * (size_of(middle + 1) - low) }
}

/// Moves the base to what is usual when that is far: by how much codes must move.
pub(super) fn centre(typical: f32, base: &mut i16) -> Option<i32> {
    if typical.is_nan() || typical <= 0.0 || *base == NO_BASE {
        return None;
    }
    let by = i32::from(*base) - steps(typical);
    if by.abs() < FAR_STEPS {
        return None;
    }
    *base = (i32::from(*base) - by) as i16;
    Some(by)
}

/// A code after the base has moved.
pub(super) fn moved(code: u8, by: i32) -> u8 {
    if code == 0 { 0 } else { (i32::from(code) + by).clamp(1, 255) as u8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_counted_codes_is_that_of_their_sizes() {
        for n in [0_u32, 1, 2, 7, 168] {
            let (mut base, mut counts, mut sizes) = (NO_BASE, [0_u16; CODES], Vec::new());
            for i in 0..n {
                let code = code(((i * 7_919) % 31) as f32 * 1.7, &mut base);
                counts[usize::from(code)] += 1;
                sizes.push(code);
            }
            let mut sizes: Vec<f64> = sizes.into_iter().map(|code| f64::from(value(code, base))).collect();
            let wanted = crate::robust::median_mut(&mut sizes);
            assert_eq!(median(&counts, base).to_bits(), wanted.to_bits(), "{n}");
        }
    }

    #[test]
    fn sizes_come_back_to_two_percent_and_follow_the_usual_one() {
        for size in [1e-30_f32, 0.003, 1.0, 77.7, 1e30] {
            let mut base = NO_BASE;
            for factor in [1.0, 0.01, 100.0] {
                let back = value(code(size * factor, &mut base), base);
                assert!((back / (size * factor) - 1.0).abs() < 0.022, "{back} for {}", size * factor);
            }
            assert_eq!((code(0.0, &mut base), value(0, base)), (0, 0.0));
            let known = code(50.0 * size, &mut base);
            let by = centre(64.0 * size, &mut base).expect("six octaves are far");
            assert!((value(moved(known, by), base) / (50.0 * size) - 1.0).abs() < 0.022);
            assert_eq!(centre(64.0 * size, &mut base), None);
        }
    }
}
