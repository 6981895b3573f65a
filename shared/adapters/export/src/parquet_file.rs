//! Parquet files with row groups of bounded size, exact decimals and reproducible bytes.
//!
//! Money is `DECIMAL(38, 8)`, minor units are `DECIMAL(38, 0)`, other decimals are `DECIMAL(38, 12)`, each as 16
//! bytes, which readers treat as exact. A value with more digits is an error; it is never cut. Text is UTF-8,
//! instants are microseconds in UTC, counts are 64-bit integers.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int32Type,
    Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use crate::FORM;
use crate::cell::{Cell, Column, DECIMAL_DIGITS, Kind, MONEY_PLACES, NUMBER_PLACES};
use crate::error::ExportError;
use crate::request::Request;

/// The most rows of a row group, which reader and writer hold in memory.
pub const ROW_GROUP_ROWS_MAX: usize = 8_192;

/// The most bytes of values in memory before a row group is written.
pub const ROW_GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The writer stated in the file. It follows the files' form, not the program's version, so an upgrade alone changes
/// no byte.
const CREATED_BY: &str = "weighbridge-export version 1";

const DECIMAL_BYTES: i32 = 16;

/// Bytes that are written and not yet taken.
#[derive(Debug, Clone, Default)]
struct Pipe(Arc<Mutex<Vec<u8>>>);

impl Pipe {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A file in progress.
pub(crate) struct ParquetFile {
    columns: Vec<Column>,
    writer: SerializedFileWriter<Pipe>,
    pipe: Pipe,
    waiting: Vec<Vec<Cell>>,
    waiting_bytes: usize,
    rows: u64,
}

impl ParquetFile {
    pub(crate) fn new(columns: &[Column], request: &Request) -> Result<Self, ExportError> {
        let fields =
            columns.iter().map(|column| schema_of(column).map(Arc::new)).collect::<Result<_, _>>()?;
        let schema = Type::group_type_builder("weighbridge").with_fields(fields).build().map_err(failed)?;
        let about = |key: &str, value: String| KeyValue::new(format!("weighbridge.{key}"), value);
        let properties = WriterProperties::builder()
            .set_created_by(CREATED_BY.to_owned())
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_key_value_metadata(Some(vec![
                about("form", FORM.to_string()),
                about("export", request.table().to_string()),
                about("period", request.period().to_owned()),
            ]))
            .build();
        let pipe = Pipe::default();
        let writer = SerializedFileWriter::new(pipe.clone(), Arc::new(schema), Arc::new(properties))
            .map_err(failed)?;
        Ok(Self { columns: columns.to_vec(), writer, pipe, waiting: Vec::new(), waiting_bytes: 0, rows: 0 })
    }

    pub(crate) fn push(&mut self, cells: Vec<Cell>) -> Result<(), ExportError> {
        self.waiting_bytes += cells.iter().map(Cell::bytes).sum::<usize>();
        self.waiting.push(cells);
        if self.waiting.len() >= ROW_GROUP_ROWS_MAX || self.waiting_bytes >= ROW_GROUP_BYTES_MAX {
            self.flush()?;
        }
        Ok(())
    }

    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.pipe.take()
    }

    pub(crate) fn finish(mut self) -> Result<Vec<u8>, ExportError> {
        if !self.waiting.is_empty() {
            self.flush()?;
        }
        self.writer.finish().map_err(failed)?;
        Ok(self.pipe.take())
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        let rows = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let first = self.rows;
        self.rows = first.saturating_add(u64::try_from(rows.len()).unwrap_or(u64::MAX));
        let mut group = self.writer.next_row_group().map_err(failed)?;
        for (index, column) in self.columns.iter().enumerate() {
            write_column(&mut group, *column, rows.iter().map(|row| &row[index]), first)?;
        }
        group.close().map_err(failed)?;
        Ok(())
    }
}

fn failed(error: ParquetError) -> ExportError {
    ExportError::Parquet { detail: error.to_string() }
}

/// The places of a decimal type, and its name.
fn decimal_of(kind: Kind) -> Option<(u32, &'static str)> {
    match kind {
        Kind::Minor => Some((0, "DECIMAL(38, 0)")),
        Kind::Money => Some((MONEY_PLACES, "DECIMAL(38, 8)")),
        Kind::Number => Some((NUMBER_PLACES, "DECIMAL(38, 12)")),
        _ => None,
    }
}

fn schema_of(column: &Column) -> Result<Type, ExportError> {
    let (physical, logical) = match column.kind {
        Kind::Text | Kind::Word => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Json => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
        Kind::Count => (Physical::INT64, None),
        Kind::Instant => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        Kind::Day => (Physical::INT32, Some(LogicalType::Date)),
        Kind::Flag => (Physical::BOOLEAN, None),
        Kind::Minor | Kind::Money | Kind::Number => (Physical::FIXED_LEN_BYTE_ARRAY, None),
    };
    let repetition = if column.nullable { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    let mut builder = Type::primitive_type_builder(column.name, physical)
        .with_repetition(repetition)
        .with_logical_type(logical);
    if let Some((places, _)) = decimal_of(column.kind) {
        let places = i32::try_from(places).unwrap_or_default();
        let digits = i32::try_from(DECIMAL_DIGITS).unwrap_or_default();
        builder = builder
            .with_length(DECIMAL_BYTES)
            .with_precision(digits)
            .with_scale(places)
            .with_logical_type(Some(LogicalType::decimal(places, digits)));
    }
    builder.build().map_err(failed)
}

fn write_column<'a>(
    group: &mut SerializedRowGroupWriter<'_, Pipe>,
    column: Column,
    cells: impl Iterator<Item = &'a Cell>,
    first: u64,
) -> Result<(), ExportError> {
    let wrong = |row: u64, cell: &Cell| ExportError::Parquet {
        detail: format!(
            "row {row} has {cell:?} in column {}, which holds {}",
            column.name,
            column.kind.as_str()
        ),
    };
    match column.kind {
        Kind::Text | Kind::Word | Kind::Json => {
            typed::<ByteArrayType>(group, column, cells, first, |row, cell| match cell {
                Cell::Text(text) => Ok(ByteArray::from(text.as_bytes().to_vec())),
                Cell::Json(value) => Ok(ByteArray::from(value.to_string().into_bytes())),
                _ => Err(wrong(row, cell)),
            })
        }
        Kind::Count => typed::<Int64Type>(group, column, cells, first, |row, cell| match cell {
            Cell::Count(count) => i64::try_from(*count).map_err(|_| wrong(row, cell)),
            _ => Err(wrong(row, cell)),
        }),
        Kind::Instant => typed::<Int64Type>(group, column, cells, first, |row, cell| match cell {
            Cell::Instant(at_us) => Ok(*at_us),
            _ => Err(wrong(row, cell)),
        }),
        Kind::Day => typed::<Int32Type>(group, column, cells, first, |row, cell| match cell {
            Cell::Day(day) => Ok(*day),
            _ => Err(wrong(row, cell)),
        }),
        Kind::Flag => typed::<BoolType>(group, column, cells, first, |row, cell| match cell {
            Cell::Flag(flag) => Ok(*flag),
            _ => Err(wrong(row, cell)),
        }),
        Kind::Minor | Kind::Money | Kind::Number => {
            let (wanted, kind) = decimal_of(column.kind).unwrap_or_default();
            typed::<FixedLenByteArrayType>(group, column, cells, first, |row, cell| {
                let (unscaled, places) = match cell {
                    Cell::Minor(minor) => (*minor, 0),
                    Cell::Money(money) => (money.minor, money.currency.scale()),
                    Cell::Number { unscaled, places } => (*unscaled, *places),
                    _ => return Err(wrong(row, cell)),
                };
                let fitted = fit(unscaled, places, wanted).ok_or_else(|| ExportError::Width {
                    place: format!("row {}", row.saturating_add(1)),
                    field: column.name,
                    given: cell.plain(),
                    kind,
                })?;
                Ok(FixedLenByteArray::from(fitted.to_be_bytes().to_vec()))
            })
        }
    }
}

/// A decimal with other places, if it has at most 38 digits then and loses none.
fn fit(unscaled: i128, places: u32, wanted: u32) -> Option<i128> {
    let bound = 10_i128.checked_pow(DECIMAL_DIGITS)?;
    let fitted = unscaled.checked_mul(10_i128.checked_pow(wanted.checked_sub(places)?)?)?;
    (fitted.unsigned_abs() < bound.unsigned_abs()).then_some(fitted)
}

fn typed<'a, T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Pipe>,
    column: Column,
    cells: impl Iterator<Item = &'a Cell>,
    first: u64,
    read: impl Fn(u64, &Cell) -> Result<T::T, ExportError>,
) -> Result<(), ExportError> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    for (row, cell) in (first..).zip(cells) {
        if *cell == Cell::Null {
            levels.push(0);
        } else {
            levels.push(1);
            values.push(read(row, cell)?);
        }
    }
    if !column.nullable && values.len() != levels.len() {
        let detail = format!("column {} must not be empty, but is in a row from {first} on", column.name);
        return Err(ExportError::Parquet { detail });
    }
    let missing = || ExportError::Parquet { detail: format!("there is no column {} left", column.name) };
    let mut writer = group.next_column().map_err(failed)?.ok_or_else(missing)?;
    let levels = column.nullable.then_some(levels.as_slice());
    writer.typed::<T>().write_batch(&values, levels, None).map_err(failed)?;
    writer.close().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_or_refused() {
        let most = 10_i128.pow(38) - 1;
        for (unscaled, places, wanted, expected) in [
            (-17_475_307, 2, 8, Some(-17_475_307_000_000)),
            (most, 8, 8, Some(most)),
            (-most, 8, 8, Some(-most)),
            (most + 1, 8, 8, None),
            (most, 2, 8, None),
            (i128::MIN, 0, 0, None),
            (1, 9, 8, None),
        ] {
            assert_eq!(fit(unscaled, places, wanted), expected, "{unscaled} e-{places}");
        }
    }
}
