//! Splits RowBinary into rows, by the types of the columns.

/// The encoding of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// A fixed number of bytes.
    Fixed(usize),
    /// A length, then as many bytes.
    Text,
    /// A byte that marks NULL, then the value.
    Nullable(Box<Form>),
}

/// The columns of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout(Vec<Form>);

fn inside<'a>(name: &'a str, wrapper: &str) -> Option<&'a str> {
    name.strip_prefix(wrapper)?.strip_prefix('(')?.strip_suffix(')')
}

fn form(name: &str) -> Option<Form> {
    Some(match name {
        "UInt8" | "Int8" | "Bool" => Form::Fixed(1),
        "UInt16" | "Int16" => Form::Fixed(2),
        "UInt32" | "Int32" => Form::Fixed(4),
        "UInt64" | "Int64" => Form::Fixed(8),
        "UInt128" | "Int128" => Form::Fixed(16),
        "UInt256" | "Int256" => Form::Fixed(32),
        "String" => Form::Text,
        _ => {
            if let Some(inner) = inside(name, "LowCardinality") {
                form(inner)?
            } else if let Some(inner) = inside(name, "Nullable") {
                Form::Nullable(Box::new(form(inner)?))
            } else {
                Form::Fixed(inside(name, "FixedString")?.parse().ok()?)
            }
        }
    })
}

impl Form {
    /// The length of the value at the start; `None` if it is incomplete.
    fn bytes(&self, from: &[u8]) -> Option<usize> {
        match self {
            Self::Fixed(length) => (from.len() >= *length).then_some(*length),
            Self::Nullable(inner) => match from.split_first()? {
                (0, rest) => inner.bytes(rest).map(|length| length + 1),
                _ => Some(1),
            },
            Self::Text => {
                let (mut length, mut shift) = (0_usize, 0_u32);
                for (index, byte) in from.iter().enumerate() {
                    length |= usize::from(byte & 0x7f).checked_shl(shift)?;
                    shift += 7;
                    if byte & 0x80 == 0 {
                        let whole = length.checked_add(index + 1)?;
                        return (from.len() >= whole).then_some(whole);
                    }
                }
                None
            }
        }
    }
}

impl Layout {
    /// The layout of columns of these types; the error states the unknown type.
    pub(super) fn of(types: &[String]) -> Result<Self, String> {
        let known = |name: &String| form(name).ok_or_else(|| format!("a column has the unknown type {name}"));
        types.iter().map(known).collect::<Result<_, _>>().map(Self)
    }

    /// The same layout after two `UInt64`.
    pub(super) fn after_two_numbers(&self) -> Self {
        let two = [Form::Fixed(8), Form::Fixed(8)];
        Self(two.into_iter().chain(self.0.iter().cloned()).collect())
    }

    /// The length of the row at the start; `None` if it is incomplete.
    pub(super) fn row_bytes(&self, from: &[u8]) -> Option<usize> {
        let mut end = 0;
        for form in &self.0 {
            end += form.bytes(from.get(end..)?)?;
        }
        Some(end).filter(|end| *end > 0)
    }
}

/// A row's two leading numbers and the rest of it.
pub(super) fn split_two_numbers(row: &[u8]) -> Option<(u64, u64, &[u8])> {
    let (first, rest) = row.split_first_chunk::<8>()?;
    let (second, rest) = rest.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*first), u64::from_le_bytes(*second), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wb_fold::rowbinary::Row;

    #[test]
    fn rows_end_where_their_types_say() {
        let types = ["UInt64", "LowCardinality(String)", "Nullable(Int64)", "FixedString(3)", "UInt256"];
        let layout = Layout::of(&types.map(str::to_owned)).unwrap();
        for (length, number) in [(0, None), (127, Some(1)), (128, None), (20_000, Some(-1))] {
            let mut row = Row::new();
            row.u64(7).string(&vec![1; length]).nullable(number, |row, value| {
                row.i64(value);
            });
            row.fixed(b"abc").u256(1, 2);
            let bytes = row.as_bytes();
            assert_eq!(layout.row_bytes(&[bytes, b"next"].concat()), Some(bytes.len()));
            for end in [0, 1, 8, 9, bytes.len() - 1] {
                assert_eq!(layout.row_bytes(&bytes[..end]), None, "{end}");
            }
        }
        assert!(Layout::of(&["Array(String)".to_owned()]).is_err());
    }
}
