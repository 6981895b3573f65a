//! Formats decimal text for a language.

use crate::language::Language;

/// Digits of a group.
const GROUP: usize = 3;

/// Decimal text with the language's separators. Other text, such as the fraction `1/3`, is unchanged.
pub(crate) fn decimal(text: &str, language: Language) -> String {
    let (sign, digits) = match text.strip_prefix('-') {
        // The minus sign, which is as wide as a digit and does not break.
        Some(digits) => ("\u{2212}", digits),
        None => ("", text),
    };
    let (whole, places) =
        digits.split_once('.').map_or((digits, None), |(whole, places)| (whole, Some(places)));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !places.is_none_or(is_digits) {
        return text.to_owned();
    }
    let marks = language.marks();
    let mut written = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % GROUP == 0 && whole.len() > marks.ungrouped_digits_max {
            written.push(marks.group);
        }
        written.push(digit);
    }
    if let Some(places) = places {
        written.push(marks.point);
        written.push_str(places);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn separators_are_those_of_the_language() {
        for (text, english, spanish) in [
            ("0", "0", "0"),
            ("174753.07", "174,753.07", "174.753,07"),
            ("-8737.65", "\u{2212}8,737.65", "\u{2212}8737,65"),
            ("2410387.200", "2,410,387.200", "2.410.387,200"),
            ("999", "999", "999"),
            ("12345", "12,345", "12.345"),
            ("1/3", "1/3", "1/3"),
            ("", "", ""),
            ("1.", "1.", "1."),
            (".5", ".5", ".5"),
            ("12a", "12a", "12a"),
        ] {
            assert_eq!(decimal(text, Language::English), english);
            assert_eq!(decimal(text, Language::Spanish), spanish);
        }
    }

    proptest! {
        /// Only separators are added: without them the digits are those of the ledger.
        #[test]
        fn the_digits_stay(minor in any::<i128>(), places in 0_u32..9) {
            let text = wb_units::decimal::format(minor, places);
            for language in Language::ALL {
                let marks = language.marks();
                let back: String = decimal(&text, language)
                    .chars()
                    .filter(|character| *character != marks.group)
                    .map(|character| match character {
                        '\u{2212}' => '-',
                        other if other == marks.point => '.',
                        other => other,
                    })
                    .collect();
                prop_assert_eq!(&back, &text);
            }
        }
    }
}
