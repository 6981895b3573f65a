//! Removes the headers that the engine repeats in every piece of a streamed answer.

/// The header of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// No header.
    Rows,
    /// A number of lines, each ended by a line feed that no value contains.
    Lines(u8),
    /// CSV lines, in which a quoted name may contain line feeds.
    CsvLines(u8),
    /// A count, then this many strings per column (1: names, 2: names and types).
    Binary(u8),
}

fn shape(format: &str) -> Option<Shape> {
    Some(match format.to_ascii_lowercase().as_str() {
        "rowbinary" | "native" | "csv" | "tsv" | "tabseparated" | "tsvraw" | "tabseparatedraw"
        | "jsoneachrow" | "jsonlines" | "ndjson" | "jsoncompacteachrow" | "jsonstringseachrow"
        | "lineasstring" | "tskv" => Shape::Rows,
        "rowbinarywithnames" => Shape::Binary(1),
        "rowbinarywithnamesandtypes" => Shape::Binary(2),
        "tsvwithnames" | "tabseparatedwithnames" | "jsoncompacteachrowwithnames" => Shape::Lines(1),
        "tsvwithnamesandtypes" | "tabseparatedwithnamesandtypes" | "jsoncompacteachrowwithnamesandtypes" => {
            Shape::Lines(2)
        }
        "csvwithnames" => Shape::CsvLines(1),
        "csvwithnamesandtypes" => Shape::CsvLines(2),
        _ => return None,
    })
}

/// Whether pieces of this format can be joined to one answer. Other formats (JSON, Parquet, Pretty, ...) have footers
/// or counts, so their answers are not streamed.
pub(crate) fn is_streamable(format: &str) -> bool {
    shape(format).is_some()
}

/// Keeps the header of the first piece and removes it from the others.
pub(crate) struct HeaderTrim {
    shape: Shape,
    first: bool,
}

impl HeaderTrim {
    pub(crate) fn new(format: &str) -> Self {
        Self { shape: shape(format).unwrap_or(Shape::Rows), first: true }
    }

    /// The part of `piece` that belongs to the answer.
    pub(crate) fn trim<'p>(&mut self, piece: &'p [u8]) -> &'p [u8] {
        if std::mem::take(&mut self.first) {
            return piece;
        }
        let length = match self.shape {
            Shape::Rows => Some(0),
            Shape::Lines(count) => lines(piece, count, false),
            Shape::CsvLines(count) => lines(piece, count, true),
            Shape::Binary(strings) => binary(piece, strings),
        };
        // A piece shorter than its header has no rows.
        length.and_then(|l| piece.get(l..)).unwrap_or_default()
    }
}

fn lines(piece: &[u8], count: u8, quotes: bool) -> Option<usize> {
    let mut at = 0;
    for _ in 0..count {
        let mut quoted = false;
        loop {
            let b = *piece.get(at)?;
            at += 1;
            match b {
                b'"' if quotes => quoted = !quoted,
                b'\n' if !quoted => break,
                _ => {}
            }
        }
    }
    Some(at)
}

fn binary(piece: &[u8], strings: u8) -> Option<usize> {
    let mut at = 0;
    let columns = varint(piece, &mut at)?;
    for _ in 0..columns.checked_mul(usize::from(strings))? {
        let length = varint(piece, &mut at)?;
        at = at.checked_add(length)?;
    }
    Some(at)
}

/// Unsigned LEB128, as ClickHouse writes lengths.
fn varint(piece: &[u8], at: &mut usize) -> Option<usize> {
    let mut value = 0_usize;
    for shift in (0..63).step_by(7) {
        let b = *piece.get(*at)?;
        *at += 1;
        value |= usize::from(b & 0x7f) << shift;
        if b < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_after_the_first_piece_are_taken_off() {
        let table: [(&str, &[u8], &[u8]); 5] = [
            ("RowBinaryWithNamesAndTypes", b"\x01\x01n\x05UInt8\x07", b"\x07"),
            ("RowBinaryWithNames", b"\x02\x01a\x01b\x07\x08", b"\x07\x08"),
            ("CSVWithNames", b"\"a\nb\",\"c\"\n1,2\n", b"1,2\n"),
            ("TSVWithNamesAndTypes", b"a\nUInt8\n5\n", b"5\n"),
            ("Native", b"\x01\x02abc", b"\x01\x02abc"),
        ];
        for (format, piece, rest) in table {
            let mut trim = HeaderTrim::new(format);
            assert_eq!(trim.trim(piece), piece, "{format}: first piece");
            assert_eq!(trim.trim(piece), rest, "{format}: second piece");
        }
    }

    #[test]
    fn formats_with_footers_are_not_streamed() {
        for format in ["JSON", "Parquet", "Pretty", "XML", "Values", "Null"] {
            assert!(!is_streamable(format), "{format}");
        }
    }

    #[test]
    fn a_long_name_has_a_long_length() {
        let name = "n".repeat(300);
        let mut piece = vec![1, 0xac, 0x02];
        piece.extend_from_slice(name.as_bytes());
        piece.extend_from_slice(b"\x05UInt8\x2a");
        let mut trim = HeaderTrim::new("RowBinaryWithNamesAndTypes");
        trim.trim(&piece);
        assert_eq!(trim.trim(&piece), b"\x2a");
    }
}
