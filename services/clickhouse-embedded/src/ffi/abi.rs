//! Function pointers of libchdb, resolved once.

use std::ffi::{c_char, c_int, c_void};
use std::path::Path;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

/// `chdb_connection`: an opaque pointer.
pub(super) type RawConnection = *mut c_void;
/// `chdb_result *`.
pub(super) type RawResult = *mut c_void;
/// `chdb_insert_stream`.
pub(super) type RawInsert = *mut c_void;

/// `chdb_query_analysis_v1`.
#[repr(C)]
pub(super) struct RawAnalysis {
    pub(super) struct_size: u32,
    pub(super) statement_count: u32,
    pub(super) flags: u32,
    pub(super) query_class: u32,
}

pub(super) type QueryFn = unsafe extern "C" fn(
    RawConnection,
    *const c_char,
    usize,
    *const c_char,
    usize,
    *const *const c_char,
    *const usize,
    *const *const c_char,
    *const usize,
    usize,
) -> RawResult;

/// The functions used, with the signatures of chdb.h.
pub(crate) struct Api {
    pub(super) connect: unsafe extern "C" fn(c_int, *mut *mut c_char) -> *mut RawConnection,
    pub(super) close_conn: unsafe extern "C" fn(*mut RawConnection),
    pub(super) query: QueryFn,
    pub(super) stream_query: QueryFn,
    pub(super) stream_fetch: unsafe extern "C" fn(RawConnection, RawResult) -> RawResult,
    pub(super) stream_cancel: unsafe extern "C" fn(RawConnection, RawResult),
    pub(super) insert: QueryFn,
    pub(super) insert_append: unsafe extern "C" fn(RawInsert, *const c_void, usize) -> c_int,
    pub(super) insert_done: unsafe extern "C" fn(RawInsert) -> RawResult,
    pub(super) insert_cancel: unsafe extern "C" fn(RawInsert),
    pub(super) insert_error: unsafe extern "C" fn(RawInsert) -> *const c_char,
    pub(super) insert_destroy: unsafe extern "C" fn(RawInsert),
    pub(super) classify: unsafe extern "C" fn(
        RawConnection,
        *const c_char,
        usize,
        *const c_char,
        usize,
        *mut RawAnalysis,
    ) -> c_int,
    pub(super) result_buffer: unsafe extern "C" fn(RawResult) -> *const c_char,
    pub(super) result_length: unsafe extern "C" fn(RawResult) -> usize,
    pub(super) result_error: unsafe extern "C" fn(RawResult) -> *const c_char,
    pub(super) result_rows: unsafe extern "C" fn(RawResult) -> u64,
    pub(super) result_read_rows: unsafe extern "C" fn(RawResult) -> u64,
    pub(super) result_read_bytes: unsafe extern "C" fn(RawResult) -> u64,
    pub(super) result_written_rows: unsafe extern "C" fn(RawResult) -> u64,
    pub(super) result_written_bytes: unsafe extern "C" fn(RawResult) -> u64,
    pub(super) destroy_result: unsafe extern "C" fn(RawResult),
    // Keeps the library mapped for as long as the pointers above may be called.
    _library: Library,
}

impl Api {
    /// Loads the library and disables its signal handlers, so that this process keeps its own. Errors are those of
    /// the dynamic loader.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        // RTLD_LOCAL: the engine carries its own copies of common libraries
        // (jemalloc, OpenSSL, zstd), which must not be seen by ours.
        // SAFETY: libchdb's initialisers run here; they are those of a library
        // made to be loaded this way and need nothing from this process.
        let library =
            unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(|e| e.to_string())?;

        macro_rules! symbol {
            ($name:literal) => {
                // SAFETY: the type of the field this initialises is the
                // signature chdb.h declares for this symbol.
                *unsafe { library.get(concat!($name, "\0").as_bytes()) }.map_err(|e| e.to_string())?
            };
        }

        let set_signal_handlers: unsafe extern "C" fn(c_int) = symbol!("chdb_set_signal_handlers_enabled");
        // SAFETY: called before the first connection, as chdb.h requires.
        unsafe { set_signal_handlers(0) };

        Ok(Self {
            connect: symbol!("chdb_connect"),
            close_conn: symbol!("chdb_close_conn"),
            query: symbol!("chdb_query_with_params_n"),
            stream_query: symbol!("chdb_stream_query_with_params_n"),
            stream_fetch: symbol!("chdb_stream_fetch_result"),
            stream_cancel: symbol!("chdb_stream_cancel_query"),
            insert: symbol!("chdb_stream_insert_with_params_n"),
            insert_append: symbol!("chdb_stream_append"),
            insert_done: symbol!("chdb_stream_done"),
            insert_cancel: symbol!("chdb_stream_cancel_insert"),
            insert_error: symbol!("chdb_stream_insert_error"),
            insert_destroy: symbol!("chdb_destroy_insert_stream"),
            classify: symbol!("chdb_classify_query_n"),
            result_buffer: symbol!("chdb_result_buffer"),
            result_length: symbol!("chdb_result_length"),
            result_error: symbol!("chdb_result_error"),
            result_rows: symbol!("chdb_result_rows_read"),
            result_read_rows: symbol!("chdb_result_storage_rows_read"),
            result_read_bytes: symbol!("chdb_result_storage_bytes_read"),
            result_written_rows: symbol!("chdb_result_rows_written"),
            result_written_bytes: symbol!("chdb_result_bytes_written"),
            destroy_result: symbol!("chdb_destroy_query_result"),
            _library: library,
        })
    }
}
