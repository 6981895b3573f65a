//! The three formats have the same content, match their control totals, and give the same bytes every time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{csv_rows, entry, export, export_of, invoice, issued, ledger, line};
use parquet::basic::{LogicalType, TimeUnit};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use proptest::prelude::*;
use wb_export::{Exporter, Finished, Format, Kind, ROW_GROUP_ROWS_MAX, Request, Table, columns};
use wb_ledger::{Event, Hash};
use wb_units::decimal;

type Row = BTreeMap<String, Option<String>>;

fn json_rows(bytes: &[u8]) -> Vec<Row> {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    let rows = text.lines().map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(wb_ledger::canonical::write(&value).unwrap(), line, "canonical");
        let text = |value: &serde_json::Value| match value {
            serde_json::Value::Null => None,
            serde_json::Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect()
    });
    rows.collect()
}

/// A decimal of 16 bytes, without trailing zeros.
fn decimal_text(bytes: &[u8], places: i32) -> String {
    let unscaled = i128::from_be_bytes(bytes.try_into().unwrap());
    decimal::format(unscaled, u32::try_from(places).unwrap())
}

/// Decimals compared as numbers: Parquet has all places of its type, the others only those of the currency.
fn canonical_decimal(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

fn parquet_rows(bytes: &[u8]) -> Vec<Row> {
    let reader = SerializedFileReader::new(bytes::Bytes::copy_from_slice(bytes)).unwrap();
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let rows = reader.get_row_iter(None).unwrap().map(|row| {
        let row = row.unwrap();
        let cells = row.get_column_iter().enumerate().map(|(index, (name, field))| {
            let text = match field {
                Field::Null => None,
                Field::Str(text) => Some(text.clone()),
                Field::Bool(flag) => Some(flag.to_string()),
                Field::Long(number) => Some(number.to_string()),
                Field::TimestampMicros(at_us) => {
                    Some(jiff::Timestamp::from_microsecond(*at_us).unwrap().to_string())
                }
                Field::Date(day) => {
                    let at = jiff::Timestamp::from_second(i64::from(*day) * 86_400).unwrap();
                    Some(at.to_string()[..10].to_owned())
                }
                Field::Decimal(value) => {
                    let Some(LogicalType::Decimal(kind)) = schema.column(index).logical_type_ref().cloned()
                    else {
                        panic!("{name} is a decimal without its type")
                    };
                    Some(decimal_text(value.data(), kind.scale))
                }
                Field::Bytes(bytes) => Some(String::from_utf8(bytes.data().to_vec()).unwrap()),
                other => panic!("{name} holds {other:?}"),
            };
            (name.clone(), text)
        });
        cells.collect()
    });
    rows.collect()
}

#[test]
fn all_formats_hold_the_same_values() {
    for table in Table::ALL {
        let csv = csv_rows(&export(*table, Format::Csv).bytes);
        let jsonl = json_rows(&export(*table, Format::Jsonl).bytes);
        let parquet = parquet_rows(&export(*table, Format::Parquet).bytes);
        assert!(csv.len() >= 5, "{table} has {} rows", csv.len());
        assert_eq!((csv.len(), csv.len()), (jsonl.len(), parquet.len()), "{table}");
        let request = Request::new(*table, Format::Csv, "2026-10", None).unwrap();
        for (row, ((csv, jsonl), parquet)) in csv.iter().zip(&jsonl).zip(&parquet).enumerate() {
            for column in columns(&request) {
                let of = |cells: &Row| {
                    cells[column.name].clone().map(|text| match column.kind {
                        Kind::Money | Kind::Number | Kind::Minor => canonical_decimal(&text),
                        _ => text,
                    })
                };
                let (csv, jsonl, parquet) = (of(csv), of(jsonl), of(parquet));
                assert_eq!(csv, jsonl, "{table} row {row} {}", column.name);
                assert_eq!(csv, parquet, "{table} row {row} {}", column.name);
                assert!(column.nullable || csv.is_some(), "{table} row {row} {} is empty", column.name);
            }
        }
    }
}

#[test]
fn the_same_ledger_gives_the_same_bytes_however_it_is_taken() {
    for table in Table::ALL {
        for format in Format::ALL {
            let by_piece = export(*table, *format);
            let request = Request::new(*table, *format, "2026-10", None).unwrap();
            let mut exporter = Exporter::new(request).unwrap();
            let invoices = ledger();
            for (offset, event) in &invoices {
                exporter.push(&entry(*offset, event)).unwrap();
            }
            let at_once: Finished = exporter.finish(16).unwrap();
            assert_eq!(by_piece.bytes, at_once.bytes, "{table} {format}");
            assert_eq!(by_piece.control, at_once.control);
            let file = &by_piece.control.file;
            assert_eq!(file.sha256, Hash::of(&by_piece.bytes), "{table} {format}");
            assert_eq!(file.bytes, u64::try_from(by_piece.bytes.len()).unwrap());
        }
    }
}

#[test]
fn rows_are_in_the_order_of_the_ledger_and_of_this_period_only() {
    let rows = csv_rows(&export(Table::Lines, Format::Csv).bytes);
    let places: Vec<(u64, u64)> = rows
        .iter()
        .map(|row| {
            let number = |name: &str| row[name].as_deref().unwrap().parse().unwrap();
            (number("ledger_offset"), number("line_number"))
        })
        .collect();
    assert!(places.is_sorted());
    let offsets: BTreeSet<u64> = places.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets.into_iter().collect::<Vec<_>>(), [3, 5, 9, 12, 14]);
    let request = Request::new(Table::Lines, Format::Csv, "2026-10", Some("acme")).unwrap();
    let own = csv_rows(&export_of(request, &ledger()).bytes);
    assert_eq!(own.len(), 6);
    assert!(own.iter().all(|row| row["customer_id"].as_deref() == Some("acme")));
    assert_eq!(own[0]["amount"].as_deref(), Some("174753.07"));
    assert_eq!(own[4]["amount_minor"].as_deref(), Some("2125"));
}

#[test]
fn control_totals_are_those_of_the_rows() {
    for (table, column) in [
        (Table::Invoices, "total"),
        (Table::Lines, "amount"),
        (Table::Journal, "debit"),
        (Table::Journal, "credit"),
    ] {
        let done = export(table, Format::Csv);
        let rows = csv_rows(&done.bytes);
        let mut sums: BTreeMap<String, i128> = BTreeMap::new();
        for row in &rows {
            let minor: i128 = row[&format!("{column}_minor")].as_deref().unwrap().parse().unwrap();
            *sums.entry(row["currency"].clone().unwrap()).or_default() += minor;
        }
        let control = &done.control;
        let told: BTreeMap<String, i128> = control.sums[column]
            .iter()
            .map(|(code, sum)| (code.clone(), sum.minor.parse().unwrap()))
            .collect();
        assert_eq!(told, sums, "{table} {column}");
        assert_eq!(control.rows, u64::try_from(rows.len()).unwrap());
        // In October's journal is the invoice of September, which was issued in October, and no note, as those
        // are of November.
        let (records, last) = if table == Table::Journal { (5, 12) } else { (5, 14) };
        let last_offset = control.last_record.as_ref().map(|record| record.ledger_offset);
        assert_eq!((control.records, last_offset), (records, Some(last)), "{table}");
    }
    let lines = export(Table::Lines, Format::Jsonl).control;
    assert_eq!(lines.sums["amount"]["USD"].amount, "212370.93");
    assert_eq!(lines.quantities["kWh"].sum, "2411387.7");
    assert_eq!(
        (lines.quantities["GPU-hour"].sum.as_str(), lines.quantities["GPU-hour"].rounded),
        ("5774.285714285714", 1)
    );
    let text = lines.to_text().unwrap();
    assert!(text.contains("\"ledger_end\":16") && text.ends_with("}\n"), "{text}");
}

#[test]
fn row_groups_have_a_bound_and_finance_reads_exact_types() {
    let mut many = line("metered_energy", "USD", "1", "kWh", "1 USD/kWh", "1.00");
    many.inputs =
        (0..2_000).map(|index| BTreeMap::from([("machine_id".to_owned(), format!("m{index}"))])).collect();
    let ledger: Vec<_> = (0..10)
        .map(|offset| (offset, issued(&invoice("N", "acme", "2026-10", vec![many.clone()]))))
        .collect();
    let request = Request::new(Table::Usage, Format::Parquet, "2026-10", None).unwrap();
    let done = export_of(request, &ledger);
    let reader = SerializedFileReader::new(bytes::Bytes::from(done.bytes)).unwrap();
    let groups: Vec<i64> = reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(groups, [8_192, 8_192, 3_616]);
    assert_eq!(groups[0], i64::try_from(ROW_GROUP_ROWS_MAX).unwrap());
    let lines = export(Table::Invoices, Format::Parquet);
    let reader = SerializedFileReader::new(bytes::Bytes::from(lines.bytes)).unwrap();
    let file = reader.metadata().file_metadata();
    assert_eq!(file.created_by(), Some("weighbridge-export version 1"));
    let type_of = |name: &str| {
        let columns = file.schema_descr().columns();
        columns.iter().find(|column| column.name() == name).unwrap().logical_type_ref().cloned()
    };
    assert_eq!(type_of("total"), Some(LogicalType::decimal(8, 38)));
    assert_eq!(type_of("total_minor"), Some(LogicalType::decimal(0, 38)));
    assert_eq!(type_of("issued_at"), Some(LogicalType::timestamp(true, TimeUnit::MICROS)));
}

#[test]
fn what_does_not_add_up_or_fit_stops_the_export() {
    let Event::InvoiceIssued(good) = ledger().remove(0).1 else { panic!("the first record is an invoice") };
    let begin = |format| Exporter::new(Request::new(Table::Lines, format, "2026-10", None).unwrap()).unwrap();
    let code = |invoice: &wb_ledger::Invoice| {
        begin(Format::Csv).push(&entry(1, &issued(invoice))).unwrap_err().code()
    };
    let mut wrong = good.clone();
    wrong.totals[0].amount_minor = "19636188".to_owned();
    assert_eq!(code(&wrong), "WB-5824");
    let mut wrong = good.clone();
    wrong.totals.clear();
    assert_eq!(code(&wrong), "WB-5824");
    let mut wrong = good.clone();
    wrong.lines[0].amount_minor = "1.5".to_owned();
    assert_eq!(code(&wrong), "WB-5822");
    let mut wrong = good.clone();
    wrong.lines[0].currency = "QQQ".to_owned();
    assert_eq!(code(&wrong), "WB-5822");
    let mut exporter = begin(Format::Csv);
    exporter.push(&entry(7, &issued(&good))).unwrap();
    assert_eq!(exporter.push(&entry(7, &issued(&good))).unwrap_err().code(), "WB-5825");
    // More dollars than 38 digits at eight places: text holds them, the decimal of Parquet does not.
    let mut large = good.clone();
    let all = (10_i128.pow(32) + 1).to_string();
    large.lines.truncate(1);
    large.lines[0].amount_minor.clone_from(&all);
    large.totals[0].amount_minor = all;
    begin(Format::Csv).push(&entry(1, &issued(&large))).unwrap();
    let mut parquet = begin(Format::Parquet);
    parquet.push(&entry(1, &issued(&large))).unwrap();
    let error = parquet.finish(2).unwrap_err();
    assert_eq!(error.code(), "WB-5823");
    assert!(error.to_string().contains("amount 1000000000000000000000000000000.01"), "{error}");
}

#[test]
fn an_empty_export_is_a_file_too() {
    for format in Format::ALL {
        let done = export_of(Request::new(Table::Focus, *format, "2031-01", None).unwrap(), &ledger());
        assert_eq!((done.control.rows, done.control.records), (0, 0));
        match format {
            Format::Csv => assert!(csv_rows(&done.bytes).is_empty()),
            Format::Jsonl => assert!(done.bytes.is_empty()),
            Format::Parquet => assert!(parquet_rows(&done.bytes).is_empty()),
        }
    }
}

proptest! {
    /// Any text comes back from CSV, and none is read as a formula.
    #[test]
    fn any_text_survives_csv(text in "(?s)[=+@',\"\r\n\t a-z\u{ff1d}-]{0,12}|.{0,20}") {
        let mut made = line("fixed_fee", "USD", "1", "period", "1 USD/period", "1.00");
        made.description = text.clone();
        let ledger = [(1, issued(&invoice("N", "acme", "2026-10", vec![made])))];
        let done = export_of(Request::new(Table::Lines, Format::Csv, "2026-10", None).unwrap(), &ledger);
        let rows = csv_rows(&done.bytes);
        prop_assert_eq!(rows[0]["description"].clone(), Some(text.clone()));
        if text.starts_with(['=', '+', '-', '@']) {
            let raw = String::from_utf8(done.bytes).unwrap();
            let safe = raw.contains(",'") || raw.contains(",\"'");
            prop_assert!(safe);
        }
    }
}
