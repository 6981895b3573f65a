//! Finds the known name that a misspelt one probably means.

/// Returns the known name with the fewest changed letters, if at most a third of the letters of the longer name are
/// changed. Of equal names the first is taken.
#[must_use]
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distances = known.into_iter().map(|name| (strsim::levenshtein(given, name), name));
    let (distance, name) = distances.min_by_key(|(distance, _)| *distance)?;
    let letters = given.chars().count().max(name.chars().count());
    (distance * 3 <= letters).then_some(name)
}

/// The end of a message on an unknown name: `; did you mean NAME?`, or nothing where no known name is like it.
#[must_use]
pub fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, known).map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_close_name_is_offered() {
        assert_eq!(nearest("heap_mb", ["port", "heap_mib"]), Some("heap_mib"));
        assert_eq!(nearest("colour", ["port", "heap_mib"]), None);
        assert_eq!(nearest("x", []), None);
        assert_eq!(did_you_mean("heap_mb", ["heap_mib"]), "; did you mean heap_mib?");
        assert_eq!(did_you_mean("colour", ["heap_mib"]), "");
    }
}
