//! `ClickHouse`'s RowBinary, written here so that exactly the hashed bytes are sent, and come back from `SELECT *
//! EXCEPT (attempt) ... FORMAT RowBinary`.

/// A row under construction.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Row(Vec<u8>);

impl Row {
    /// An empty row.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `UInt8`.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    /// `UInt32`.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// `UInt64`.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// `Int64`.
    pub fn i64(&mut self, value: i64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// `UInt128`.
    pub fn u128(&mut self, value: u128) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// `UInt256` from its low and high halves.
    pub fn u256(&mut self, low: u128, high: u128) -> &mut Self {
        self.u128(low).u128(high)
    }

    /// `FixedString(N)`.
    pub fn fixed<const N: usize>(&mut self, value: &[u8; N]) -> &mut Self {
        self.0.extend_from_slice(value);
        self
    }

    /// `String`: a LEB128 length, then the bytes.
    pub fn string(&mut self, value: &[u8]) -> &mut Self {
        let mut length = value.len();
        loop {
            let [low, ..] = length.to_le_bytes();
            length >>= 7;
            if length == 0 {
                self.0.push(low & 0x7f);
                break;
            }
            self.0.push(low | 0x80);
        }
        self.0.extend_from_slice(value);
        self
    }

    /// `String` of text.
    pub fn text(&mut self, value: &str) -> &mut Self {
        self.string(value.as_bytes())
    }

    /// `Nullable(T)`: a byte that says whether it is NULL, then the value.
    pub fn nullable<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) -> &mut Self {
        match value {
            None => {
                self.u8(1);
            }
            Some(value) => {
                self.u8(0);
                write(self, value);
            }
        }
        self
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_have_leb128_lengths() {
        for (length, prefix) in [(0, vec![0]), (127, vec![127]), (128, vec![0x80, 1]), (300, vec![0xac, 2])] {
            let mut row = Row::new();
            row.string(&vec![7; length]);
            assert_eq!(&row.as_bytes()[..prefix.len()], prefix.as_slice());
            assert_eq!(row.as_bytes().len(), prefix.len() + length);
        }
    }

    #[test]
    fn nulls_are_one_byte() {
        let mut row = Row::new();
        row.nullable(None::<u64>, |row, value| {
            row.u64(value);
        });
        row.nullable(Some(1), |row, value| {
            row.u64(value);
        });
        assert_eq!(row.as_bytes(), [1, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    }
}
