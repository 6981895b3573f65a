//! The format of a file in progress.

use crate::cell::{Cell, Column};
use crate::error::ExportError;
use crate::parquet_file::ParquetFile;
use crate::request::Request;
use crate::words::Format;
use crate::{csv, jsonl};

/// Takes rows and returns bytes.
pub(crate) enum Sink {
    Csv(Vec<u8>),
    Jsonl(Vec<u8>),
    Parquet(Box<ParquetFile>),
}

impl Sink {
    pub(crate) fn new(columns: &[Column], request: &Request) -> Result<Self, ExportError> {
        Ok(match request.format() {
            Format::Csv => {
                let mut out = Vec::new();
                csv::header(columns, &mut out);
                Self::Csv(out)
            }
            Format::Jsonl => Self::Jsonl(Vec::new()),
            Format::Parquet => Self::Parquet(Box::new(ParquetFile::new(columns, request)?)),
        })
    }

    pub(crate) fn push(&mut self, columns: &[Column], cells: Vec<Cell>) -> Result<(), ExportError> {
        match self {
            Self::Csv(out) => csv::row(&cells, out),
            Self::Jsonl(out) => jsonl::row(columns, cells, out)?,
            Self::Parquet(file) => file.push(cells)?,
        }
        Ok(())
    }

    pub(crate) fn take(&mut self) -> Vec<u8> {
        match self {
            Self::Csv(out) | Self::Jsonl(out) => std::mem::take(out),
            Self::Parquet(file) => file.take(),
        }
    }

    pub(crate) fn finish(self) -> Result<Vec<u8>, ExportError> {
        match self {
            Self::Csv(out) | Self::Jsonl(out) => Ok(out),
            Self::Parquet(file) => file.finish(),
        }
    }
}
