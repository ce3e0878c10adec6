//! The known word nearest to an unknown one, for "did you mean".
//!
//! Optimal string alignment (edits plus swaps of neighbours, each cost 1) rather than plain Levenshtein: swapped letters are the
//! commonest slip of fast typists, and plain Levenshtein counts them twice. <https://en.wikipedia.org/wiki/Damerau-Levenshtein_distance>

/// Words longer than this get no suggestion: the distance costs length times length, and no known word comes near it.
const LONGEST_WORD: usize = 64;

/// The known word with the smallest distance, if it is near enough to be a slip: at most a third of the longer word's letters differ,
/// and less than half of a short one's. The first of equals wins.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let letters: Vec<char> = word.to_lowercase().chars().collect();
    if letters.len() > LONGEST_WORD {
        return None;
    }
    let near = known.into_iter().filter_map(|candidate| {
        let other: Vec<char> = candidate.to_lowercase().chars().collect();
        let allowed = (letters.len().max(other.len()) / 3).max(1);
        let distance = if other.len() > LONGEST_WORD { usize::MAX } else { distance(&letters, &other) };
        (distance <= allowed && distance * 2 < other.len()).then_some((distance, candidate))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn a_swap_an_addition_and_a_loss_cost_one_each() {
        for (a, b, want) in [("horizn", "horizon", 1), ("tsep", "step", 1), ("", "abc", 3), ("kitten", "sitting", 3), ("ca", "abc", 3)] {
            assert_eq!(distance(&chars(a), &chars(b)), want, "{a} {b}");
            assert_eq!(distance(&chars(b), &chars(a)), want, "{b} {a}");
        }
    }

    #[test]
    fn names_only_what_could_be_a_slip() {
        let known = ["name", "query", "step", "horizon", "above", "below"];
        assert_eq!(nearest("horizn", known), Some("horizon"));
        assert_eq!(nearest("Querry", known), Some("query"));
        assert_eq!(nearest("threshold", known), None);
        assert_eq!(nearest("uk", ["us"]), None, "one letter of two is no likeness");
        assert_eq!(nearest(&"q".repeat(100_000), known), None);
    }
}
