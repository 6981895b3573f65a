//! Checks the columns that the reads rely on against the server's description of its tables.
//!
//! The client checks the types of answers, but not the tables: a table changed by hand is found here before it is
//! read.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::client::Store;
use crate::error::{StoreError, query_failed};

/// Columns with their types.
type Columns = &'static [(&'static str, &'static str)];

/// Columns that identify the block of a row.
const BLOCK: Columns = &[
    ("attempt", "UInt64"),
    ("topic", "LowCardinality(String)"),
    ("partition", "UInt32"),
    ("block", "UInt64"),
    ("idx", "UInt32"),
];

const SEALED_WORK: Columns = &[
    ("day", "Int32"),
    ("seal", "UInt64"),
    ("machine_id", "String"),
    ("interval_start_us", "Int64"),
    ("site_id", "LowCardinality(String)"),
    ("chain", "LowCardinality(String)"),
    ("nbits", "UInt32"),
    ("subsidy_sat", "UInt64"),
    ("verdict", "LowCardinality(String)"),
    ("reason", "LowCardinality(String)"),
    ("shares", "UInt64"),
    ("credited_q32", "UInt128"),
    ("credited_q32_squared", "UInt256"),
    ("blocks", "UInt64"),
    ("largest_q32", "UInt256"),
];

/// The tables that are read, with the columns and types that the reads need.
const RELIED_ON: &[(&str, &[Columns])] = &[
    (
        "manifest",
        &[&[
            ("commit_offset", "UInt64"),
            ("topic", "LowCardinality(String)"),
            ("partition", "UInt32"),
            ("block", "UInt64"),
            ("attempt", "UInt64"),
        ]],
    ),
    (
        "work_5m",
        &[
            BLOCK,
            &[
                ("site_id", "LowCardinality(String)"),
                ("machine_id", "String"),
                ("interval_start_us", "Int64"),
                ("chain", "LowCardinality(String)"),
                ("verdict", "LowCardinality(String)"),
                ("reason", "LowCardinality(String)"),
                ("shares", "UInt64"),
                ("credited_q32", "UInt128"),
                ("credited_q32_squared", "UInt256"),
                ("blocks", "UInt64"),
            ],
        ],
    ),
    ("sealed_work_5m", &[SEALED_WORK]),
    ("sealed_work_1h", &[SEALED_WORK]),
    ("sealed_work_1d", &[SEALED_WORK]),
    (
        "sealed_energy_readings",
        &[&[
            ("day", "Int32"),
            ("seal", "UInt64"),
            ("machine_id", "String"),
            ("meter_id", "String"),
            ("witness", "LowCardinality(String)"),
            ("event_time_us", "Int64"),
            ("event_id", "FixedString(16)"),
            ("register_wh", "UInt64"),
            ("site_id", "LowCardinality(String)"),
            ("topic", "LowCardinality(String)"),
            ("partition", "UInt32"),
            ("block", "UInt64"),
        ]],
    ),
    (
        "sealed_blocks",
        &[&[
            ("day", "Int32"),
            ("seal", "UInt64"),
            ("topic", "LowCardinality(String)"),
            ("partition", "UInt32"),
            ("block", "UInt64"),
            ("content_hash", "FixedString(32)"),
            ("merkle_root", "FixedString(32)"),
        ]],
    ),
    (
        "seals",
        &[&[
            ("commit_offset", "UInt64"),
            ("day", "Int32"),
            ("seal", "UInt64"),
            ("cut", "UInt64"),
            ("seal_hash", "FixedString(32)"),
            ("blocks", "UInt64"),
            ("blocks_root", "FixedString(32)"),
        ]],
    ),
    ("seal_floor", &[&[("commit_offset", "UInt64")]]),
    (
        "shares",
        &[
            BLOCK,
            &[
                ("event_time_us", "Int64"),
                ("share_id", "FixedString(16)"),
                ("site_id", "LowCardinality(String)"),
                ("machine_id", "String"),
                ("chain", "LowCardinality(String)"),
                ("credited_q32", "UInt128"),
                ("verdict", "LowCardinality(String)"),
                ("hash", "FixedString(32)"),
            ],
        ],
    ),
    (
        "energy_readings",
        &[
            BLOCK,
            &[
                ("event_time_us", "Int64"),
                ("event_id", "FixedString(16)"),
                ("site_id", "LowCardinality(String)"),
                ("machine_id", "String"),
                ("meter_id", "String"),
                ("witness", "LowCardinality(String)"),
                ("register_wh", "UInt64"),
            ],
        ],
    ),
    (
        "facts",
        &[
            BLOCK,
            &[
                ("kind", "LowCardinality(String)"),
                ("entity", "String"),
                ("valid_from_us", "Int64"),
                ("valid_to_us", "Nullable(Int64)"),
                ("body", "String"),
            ],
        ],
    ),
    (
        "ledger",
        &[&[
            ("ledger_offset", "UInt64"),
            ("kind", "LowCardinality(String)"),
            ("customer_id", "String"),
            ("invoice_id", "String"),
            ("body", "String"),
        ]],
    ),
];

#[derive(Debug, clickhouse::Row, Deserialize)]
struct Column {
    table: String,
    name: String,
    r#type: String,
}

impl Store {
    /// Checks that the tables have the columns and types that the reads need.
    ///
    /// # Errors
    /// [`StoreError::Schema`] for the first column that differs.
    pub async fn check_columns(&self) -> Result<(), StoreError> {
        let sql = "SELECT table, name, type FROM system.columns WHERE database = {database:String}";
        let columns: Vec<Column> = self
            .client()
            .query(sql)
            .param("database", self.database())
            .fetch_all()
            .await
            .map_err(query_failed("describe its tables"))?;
        let found: BTreeMap<(&str, &str), &str> = columns
            .iter()
            .map(|column| ((column.table.as_str(), column.name.as_str()), column.r#type.as_str()))
            .collect();
        for (table, groups) in RELIED_ON {
            for (name, wanted) in groups.iter().copied().flatten() {
                let problem = match found.get(&(*table, *name)) {
                    Some(actual) if actual == wanted => continue,
                    Some(actual) => format!("column {name} is {actual}, but {wanted} is needed"),
                    None => format!("column {name} of type {wanted} is missing: run the migrations"),
                };
                return Err(StoreError::Schema { table, problem });
            }
        }
        Ok(())
    }
}
