//! Where an answer ends that arrives in pieces.

/// Detects the end of an answer that arrives in pieces, for firmware that keeps the connection open.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    depth: usize,
    begun: bool,
    in_string: bool,
    escaped: bool,
}

impl Ending {
    /// Adds the next piece; returns whether the answer is complete.
    pub(crate) fn reached(&mut self, piece: &[u8]) -> bool {
        for byte in piece {
            match (self.in_string, byte) {
                (_, 0) => return true,
                (true, _) if self.escaped => self.escaped = false,
                (true, b'\\') => self.escaped = true,
                (true, b'"') => self.in_string = false,
                (true, _) => {}
                (false, b'"') => self.in_string = true,
                (false, b'{' | b'[') => {
                    self.begun = true;
                    self.depth += 1;
                }
                (false, b'}' | b']') => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.begun && self.depth == 0 {
                        return true;
                    }
                }
                (false, _) => {}
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::Ending;

    #[test]
    fn an_answer_ends_with_its_last_bracket_or_a_nul_however_it_is_cut() {
        for (text, ends) in [
            ("{\"a\":[1,\"}\\\"]\"]}", true),
            ("{\"a\":1", false),
            ("{\"a\":1\0", true),
            ("no json", false),
            (" ]", false),
        ] {
            for cut in 0..text.len() {
                let mut ending = Ending::default();
                let (first, second) = text.as_bytes().split_at(cut);
                let early = ending.reached(first);
                assert!(!early, "{text} is over after {cut} bytes");
                assert_eq!(ending.reached(second), ends, "{text} cut at {cut}");
            }
        }
    }
}
