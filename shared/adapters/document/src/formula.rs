//! Formulas of lines in symbols, for the annex.

/// Names of the ledger and what they mean.
const NAMES: &[(&str, &str)] = &[
    ("credited_q32", "credited work in 2^-32 of difficulty 1"),
    ("energy_kwh", "energy in kWh"),
    ("subsidy_sat", "block subsidy in satoshi"),
    ("T(nbits)", "target of the block"),
    ("D1 = 0xffff x 2^208", "D1 = 65535 x 2^208, the target of difficulty 1"),
];

/// A formula with the signs of mathematics, and the ledger's names in words.
pub(crate) fn symbols(formula: &str) -> String {
    let mut text = formula.to_owned();
    for (name, words) in NAMES {
        text = text.replace(name, words);
    }
    superscripts(&text.replace(" x ", " × ").replace(">=", "≥").replace("<=", "≤"))
}

/// Exponents such as `^48` and `^-32` as raised digits.
fn superscripts(text: &str) -> String {
    let mut written = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_power = letter == '^' && letters.peek().is_some_and(|next| raised(*next).is_some());
        if !is_power {
            written.push(letter);
            continue;
        }
        while let Some(digit) = letters.peek().copied().and_then(raised) {
            written.push(digit);
            letters.next();
        }
    }
    written
}

fn raised(letter: char) -> Option<char> {
    let digits = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    match letter {
        '-' => Some('⁻'),
        _ => letter.to_digit(10).and_then(|digit| digits.get(usize::try_from(digit).ok()?).copied()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_have_the_signs_of_mathematics() {
        for (formula, expected) in [
            ("sum of energy_kwh x 0.0725 USD/kWh", "sum of energy in kWh × 0.0725 USD/kWh"),
            ("267 x 2^48/65535 hashes", "267 × 2⁴⁸/65535 hashes"),
            ("max of 2^x", "max of 2^x"),
            ("D1 = 0xffff x 2^208", "D1 = 65535 × 2²⁰⁸, the target of difficulty 1"),
        ] {
            assert_eq!(symbols(formula), expected);
        }
    }
}
