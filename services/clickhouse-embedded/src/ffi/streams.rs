//! Streamed answers and streamed inserts.

use std::ptr::NonNull;

use super::abi::{RawInsert, RawResult};
use super::connection::{Answer, Connection, text_of};

/// A running SELECT. Dropping it early cancels the query.
pub(crate) struct SelectStream<'c> {
    connection: &'c mut Connection,
    raw: NonNull<std::ffi::c_void>,
    ended: bool,
}

impl<'c> SelectStream<'c> {
    pub(super) fn from_raw(connection: &'c mut Connection, raw: RawResult) -> Result<Self, String> {
        let raw = NonNull::new(raw).ok_or("the engine gave no stream at all")?;
        // SAFETY: `raw` is a live result.
        let error = text_of(unsafe { (connection.api.result_error)(raw.as_ptr()) });
        // From here on, drop frees `raw`. A stream that failed to start is not cancelled.
        let stream = Self { connection, raw, ended: error.is_some() };
        match error {
            Some(message) => Err(message),
            None => Ok(stream),
        }
    }

    /// The next piece; `None` at the end.
    pub(crate) fn next_piece(&mut self) -> Result<Option<Answer>, String> {
        if self.ended {
            return Ok(None);
        }
        // SAFETY: connection and stream are live, and `&mut self` makes this
        // thread the only one that uses them.
        let raw = unsafe { (self.connection.api.stream_fetch)(self.connection.raw(), self.raw.as_ptr()) };
        match Answer::from_raw(self.connection.api, raw) {
            Ok(piece) if piece.bytes().is_empty() && piece.rows() == 0 => {
                self.ended = true;
                Ok(None)
            }
            Ok(piece) => Ok(Some(piece)),
            Err(message) => {
                self.ended = true;
                Err(message)
            }
        }
    }
}

impl Drop for SelectStream<'_> {
    fn drop(&mut self) {
        // SAFETY: both handles are live; a stream that ended is not cancelled,
        // and the stream is freed once, here.
        unsafe {
            if !self.ended {
                (self.connection.api.stream_cancel)(self.connection.raw(), self.raw.as_ptr());
            }
            (self.connection.api.destroy_result)(self.raw.as_ptr());
        }
    }
}

/// The counts of an insert.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Written {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

/// A running INSERT. Dropping it without [`InsertStream::finish`] cancels it, so that an incomplete body is never
/// committed.
pub(crate) struct InsertStream<'c> {
    connection: &'c mut Connection,
    raw: NonNull<std::ffi::c_void>,
    finished: bool,
}

impl<'c> InsertStream<'c> {
    pub(super) fn from_raw(connection: &'c mut Connection, raw: RawInsert) -> Result<Self, String> {
        let raw = NonNull::new(raw).ok_or("the engine gave no insert stream at all")?;
        // SAFETY: `raw` is a live insert stream.
        let error = text_of(unsafe { (connection.api.insert_error)(raw.as_ptr()) });
        let stream = Self { connection, raw, finished: error.is_some() };
        match error {
            Some(message) => Err(message),
            None => Ok(stream),
        }
    }

    /// Appends bytes; blocks while the engine is busy. `false` means that the engine has failed;
    /// [`InsertStream::finish`] returns the error.
    pub(crate) fn append(&mut self, data: &[u8]) -> bool {
        // SAFETY: `data` is valid for its length; the engine copies it.
        unsafe {
            (self.connection.api.insert_append)(self.raw.as_ptr(), data.as_ptr().cast(), data.len()) == 0
        }
    }

    /// Ends the data and commits.
    pub(crate) fn finish(mut self) -> Result<Written, String> {
        self.finished = true;
        // SAFETY: the stream is live and nothing is appended after this.
        let raw = unsafe { (self.connection.api.insert_done)(self.raw.as_ptr()) };
        let answer = Answer::from_raw(self.connection.api, raw)?;
        Ok(Written { rows: answer.written_rows(), bytes: answer.written_bytes() })
    }
}

impl Drop for InsertStream<'_> {
    fn drop(&mut self) {
        // SAFETY: the stream is live; it is cancelled unless finished and freed once.
        unsafe {
            if !self.finished {
                (self.connection.api.insert_cancel)(self.raw.as_ptr());
            }
            (self.connection.api.insert_destroy)(self.raw.as_ptr());
        }
    }
}
