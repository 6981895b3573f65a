//! The known name that a misspelt one was probably meant to be.

/// Gives the candidate with the fewest changed letters, if it is close enough to be what was meant: at most a third of
/// the letters of the longer name. Of equals the first is taken.
pub(crate) fn nearest<'a>(given: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let best = candidates
        .iter()
        .map(|candidate| (distance(given, candidate), *candidate))
        .min_by_key(|(d, _)| *d)?;
    let letters = given.chars().count().max(best.1.chars().count());
    (best.0 * 3 <= letters).then_some(best.1)
}

/// Letters to insert, remove or replace to get from one name to the other (Levenshtein's distance), row by row.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, letter) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (index, other) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[index + 1];
            row[index + 1] = replaced.min(row[index] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_counted_by_hand() {
        for (left, right, expected) in [
            ("", "", 0),
            ("abc", "", 3),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
            ("port", "prot", 2),
            ("a", "a", 0),
        ] {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }

    #[test]
    fn only_a_close_name_is_offered() {
        assert_eq!(nearest("heap_mb", &["port", "heap_mib"]), Some("heap_mib"));
        assert_eq!(nearest("colour", &["port", "heap_mib"]), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
