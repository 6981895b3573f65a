//! The pages of all error codes: what each means, why it comes about and what to do. They stand in `schemas/errors`.

/// The page of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Such as `WB-4102`.
    pub code: &'static str,
    /// Markdown: `# WB-4102: title`, then **Means.**, **Why.** and **Do.**
    pub text: &'static str,
}

static PAGES: &[Page] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// Digits of a code.
const DIGITS: usize = 4;

impl Page {
    /// The title.
    #[must_use]
    pub fn title(&self) -> &'static str {
        let line = self.text.lines().next().unwrap_or_default();
        line.split_once(": ").map_or(line, |(_, title)| title)
    }
}

/// All pages, by code.
#[must_use]
pub fn pages() -> &'static [Page] {
    PAGES
}

/// The page of a code, written `WB-4102`, `wb-4102` or `4102`.
#[must_use]
pub fn find(code: &str) -> Option<&'static Page> {
    let digits = digits_of(code)?;
    PAGES.iter().find(|page| digits_of(page.code) == Some(digits))
}

/// The pages whose codes are nearest to a text: those that differ in the fewest digits, the nearest numbers first.
/// None where the text holds no digits.
#[must_use]
pub fn nearest(text: &str, count: usize) -> Vec<&'static Page> {
    let wanted: String = text.chars().filter(char::is_ascii_digit).take(DIGITS).collect();
    let Ok(number) = wanted.parse::<u32>() else { return Vec::new() };
    let mut found: Vec<_> = PAGES
        .iter()
        .filter_map(|page| {
            let digits = digits_of(page.code)?;
            let differing =
                DIGITS - digits.bytes().zip(wanted.bytes()).filter(|(left, right)| left == right).count();
            Some((differing, digits.parse::<u32>().ok()?.abs_diff(number), page))
        })
        .collect();
    found.sort_by_key(|(differing, apart, _)| (*differing, *apart));
    found.into_iter().take(count).map(|(_, _, page)| page).collect()
}

/// The codes of a printed error, `[WB-4102] text`, in their order and each once.
#[must_use]
pub fn named_in(error: &str) -> Vec<&'static str> {
    let mut codes = Vec::new();
    for (start, _) in error.match_indices("[WB-") {
        let code = error[start + 1..].split(']').next().unwrap_or_default();
        if let Some(page) = find(code)
            && !codes.contains(&page.code)
        {
            codes.push(page.code);
        }
    }
    codes
}

fn digits_of(code: &str) -> Option<&str> {
    let code = code.trim();
    let digits = match code.get(..3) {
        Some(prefix) if prefix.eq_ignore_ascii_case("WB-") => &code[3..],
        _ => code,
    };
    (digits.len() == DIGITS && digits.bytes().all(|digit| digit.is_ascii_digit())).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_found_and_has_a_title() {
        assert!(PAGES.len() > 300, "{} pages", PAGES.len());
        for page in PAGES {
            assert_eq!(find(page.code), Some(page));
            assert!(page.text.starts_with(&format!("# {}: {}\n", page.code, page.title())), "{}", page.code);
        }
    }

    #[test]
    fn a_code_is_found_however_it_is_written() {
        let page = find("WB-4102");
        assert!(page.is_some());
        for text in ["wb-4102", "4102", " Wb-4102 "] {
            assert_eq!(find(text), page, "{text:?}");
        }
        for text in ["", "WB-", "WB-41020", "410", "XX-4102", "WB-41o2", "é102"] {
            assert_eq!(find(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_most_like_a_code_comes_first() {
        let like = |text| nearest(text, 3).iter().map(|page| page.code).collect::<Vec<_>>();
        assert_eq!(like("WB-4109"), ["WB-4103", "WB-4102", "WB-4101"]);
        assert!(like("nonsense").is_empty());
    }

    #[test]
    fn the_codes_of_an_error_are_found_once_each() {
        let error =
            "closing: [WB-5401] reading failed: [WB-3202] ClickHouse: [WB-5401] again [WB-0000] WB-4102 [WB-";
        assert_eq!(named_in(error), ["WB-5401", "WB-3202"]);
    }
}
