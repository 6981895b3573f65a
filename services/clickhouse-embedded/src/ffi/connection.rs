//! One connection of the engine and the answers it gives.

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr::NonNull;

use super::abi::{Api, RawAnalysis, RawConnection, RawResult};
use super::streams::{InsertStream, SelectStream};

/// The kind of a statement, by the engine's own parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueryClass {
    ReadOnly,
    Mutating,
    MutatingGlobal,
    Control,
    Unknown,
}

/// The parser's result for a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Analysis {
    /// Executable statements; 0 if the text does not parse.
    pub(crate) statement_count: u32,
    pub(crate) class: QueryClass,
}

/// An open connection, with its own database and settings.
pub(crate) struct Connection {
    pub(super) api: &'static Api,
    handle: NonNull<RawConnection>,
}

// SAFETY: chdb.h allows a connection to be used from any thread as long as one
// thread at a time does; every method that runs something takes `&mut self`.
unsafe impl Send for Connection {}

impl Connection {
    /// Opens a connection; the first one opens the engine. `None` if the engine refuses, which writes the reason only
    /// to standard error.
    pub(crate) fn open(api: &'static Api, arguments: &[String]) -> Option<Self> {
        let owned: Vec<CString> = std::iter::once("chdb")
            .chain(arguments.iter().map(String::as_str))
            .map(CString::new)
            .collect::<Result<_, _>>()
            .ok()?;
        let mut pointers: Vec<*mut c_char> = owned.iter().map(|a| a.as_ptr().cast_mut()).collect();
        let count = c_int::try_from(pointers.len()).ok()?;
        // SAFETY: `pointers` holds `count` NUL-terminated strings that live
        // until the call returns; the engine copies its arguments.
        let handle = unsafe { (api.connect)(count, pointers.as_mut_ptr()) };
        Some(Self { api, handle: NonNull::new(handle)? })
    }

    pub(super) fn raw(&self) -> RawConnection {
        // SAFETY: `handle` came from chdb_connect and is closed only in drop.
        unsafe { *self.handle.as_ptr() }
    }

    /// Runs a statement and waits for its whole answer.
    pub(crate) fn query(
        &mut self,
        sql: &[u8],
        format: &str,
        parameters: &[(String, String)],
    ) -> Result<Answer, String> {
        let raw = self.call(self.api.query, sql, format, parameters);
        Answer::from_raw(self.api, raw)
    }

    /// Starts a SELECT with a streamed answer.
    pub(crate) fn select(
        &mut self,
        sql: &[u8],
        format: &str,
        parameters: &[(String, String)],
    ) -> Result<SelectStream<'_>, String> {
        let raw = self.call(self.api.stream_query, sql, format, parameters);
        SelectStream::from_raw(self, raw)
    }

    /// Starts an INSERT whose data is appended later in `format`. `sql` has neither FORMAT nor VALUES nor data.
    pub(crate) fn insert(
        &mut self,
        sql: &[u8],
        format: &str,
        parameters: &[(String, String)],
    ) -> Result<InsertStream<'_>, String> {
        let raw = self.call(self.api.insert, sql, format, parameters);
        InsertStream::from_raw(self, raw)
    }

    /// Parses without running.
    pub(crate) fn classify(&self, sql: &[u8]) -> Analysis {
        let size = u32::try_from(size_of::<RawAnalysis>()).unwrap_or(16);
        let mut raw = RawAnalysis { struct_size: size, statement_count: 0, flags: 0, query_class: 4 };
        // SAFETY: `sql` is valid for its length, the target database may be
        // NULL, and `raw` is the struct whose size it carries.
        let state = unsafe {
            (self.api.classify)(self.raw(), sql.as_ptr().cast(), sql.len(), std::ptr::null(), 0, &raw mut raw)
        };
        let class = match (state, raw.query_class) {
            (0, 0) => QueryClass::ReadOnly,
            (0, 1) => QueryClass::Mutating,
            (0, 2) => QueryClass::MutatingGlobal,
            (0, 3) => QueryClass::Control,
            _ => QueryClass::Unknown,
        };
        Analysis { statement_count: raw.statement_count, class }
    }

    fn call(
        &self,
        function: super::abi::QueryFn,
        sql: &[u8],
        format: &str,
        parameters: &[(String, String)],
    ) -> RawResult {
        let names: Vec<*const c_char> = parameters.iter().map(|(n, _)| n.as_ptr().cast()).collect();
        let name_lengths: Vec<usize> = parameters.iter().map(|(n, _)| n.len()).collect();
        let values: Vec<*const c_char> = parameters.iter().map(|(_, v)| v.as_ptr().cast()).collect();
        let value_lengths: Vec<usize> = parameters.iter().map(|(_, v)| v.len()).collect();
        // SAFETY: every pointer is valid for the length given beside it until
        // the call returns; the engine copies text, format and parameters.
        unsafe {
            function(
                self.raw(),
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                names.as_ptr(),
                name_lengths.as_ptr(),
                values.as_ptr(),
                value_lengths.as_ptr(),
                parameters.len(),
            )
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: the handle is open and nothing borrows it any more.
        unsafe { (self.api.close_conn)(self.handle.as_ptr()) };
    }
}

/// An answer or a piece of one, owned by the engine's allocator.
pub(crate) struct Answer {
    api: &'static Api,
    raw: NonNull<std::ffi::c_void>,
}

// SAFETY: a result is plain memory that belongs to its one owner.
unsafe impl Send for Answer {}

impl Answer {
    /// Takes ownership of `raw`; an error inside it is returned instead.
    pub(super) fn from_raw(api: &'static Api, raw: RawResult) -> Result<Self, String> {
        let raw = NonNull::new(raw).ok_or("the engine gave no result at all")?;
        let answer = Self { api, raw };
        // SAFETY: `raw` is a live result.
        let error = unsafe { (api.result_error)(raw.as_ptr()) };
        match text_of(error) {
            Some(message) => Err(message),
            None => Ok(answer),
        }
    }

    /// The bytes in the requested format.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: buffer and length describe one allocation owned by `raw`.
        unsafe {
            let length = (self.api.result_length)(self.raw.as_ptr());
            let buffer = (self.api.result_buffer)(self.raw.as_ptr());
            if buffer.is_null() || length == 0 {
                return &[];
            }
            std::slice::from_raw_parts(buffer.cast(), length)
        }
    }

    /// Rows in the answer.
    pub(crate) fn rows(&self) -> u64 {
        // SAFETY: `raw` is a live result (this and the four below).
        unsafe { (self.api.result_rows)(self.raw.as_ptr()) }
    }

    /// Rows read from storage.
    pub(crate) fn read_rows(&self) -> u64 {
        // SAFETY: as above.
        unsafe { (self.api.result_read_rows)(self.raw.as_ptr()) }
    }

    /// Bytes read from storage.
    pub(crate) fn read_bytes(&self) -> u64 {
        // SAFETY: as above.
        unsafe { (self.api.result_read_bytes)(self.raw.as_ptr()) }
    }

    pub(crate) fn written_rows(&self) -> u64 {
        // SAFETY: as above.
        unsafe { (self.api.result_written_rows)(self.raw.as_ptr()) }
    }

    pub(crate) fn written_bytes(&self) -> u64 {
        // SAFETY: as above.
        unsafe { (self.api.result_written_bytes)(self.raw.as_ptr()) }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: the one owner frees it once.
        unsafe { (self.api.destroy_result)(self.raw.as_ptr()) };
    }
}

/// Copies a C string of the engine; `None` for NULL.
pub(super) fn text_of(pointer: *const c_char) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: the engine's error texts are NUL-terminated and live at least as
    // long as the handle they came from, which the caller still holds.
    Some(unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned())
}
