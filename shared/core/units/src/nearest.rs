//! Finds the known name that a misspelt one probably means.

/// Returns the candidate with the fewest changed letters, if at most a third of the letters of the longer name are
/// changed. Of equal candidates the first is taken.
pub(crate) fn nearest<'a>(given: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let best = candidates
        .iter()
        .map(|candidate| (strsim::levenshtein(given, candidate), *candidate))
        .min_by_key(|(distance, _)| *distance)?;
    let letters = given.chars().count().max(best.1.chars().count());
    (best.0 * 3 <= letters).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_close_name_is_offered() {
        assert_eq!(nearest("heap_mb", &["port", "heap_mib"]), Some("heap_mib"));
        assert_eq!(nearest("colour", &["port", "heap_mib"]), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
