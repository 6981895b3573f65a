//! The engine of this process: opening, connecting, killing queries, closing.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::config::EngineConfig;
use crate::error::EngineError;
use crate::exception::{ChException, code};
use crate::ffi::{Api, Connection};
use crate::sql::Guard;

/// The library, loaded once and never unloaded.
static API: OnceLock<Api> = OnceLock::new();
/// The data directory that this process has open; the engine supports only one.
static OPEN_PATH: Mutex<Option<PathBuf>> = Mutex::new(None);

/// The open engine.
pub(crate) struct Engine {
    api: &'static Api,
    arguments: Vec<String>,
    /// Kept open while the engine serves: the first connection loads every part of every table (2 s for a thousand
    /// parts), later ones take a fraction of a millisecond. It also runs KILL QUERY.
    keeper: Mutex<Option<Connection>>,
    guard: Guard,
    version: String,
    next_tag: AtomicU64,
    // Last, so that the slot is freed only after the connection is closed.
    _place: Place,
}

/// Frees the slot of the process when the engine is dropped.
struct Place;

impl Drop for Place {
    fn drop(&mut self) {
        *OPEN_PATH.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Engine {
    /// Loads the library, opens the data directory and creates the database. Blocks until the tables are loaded.
    pub(crate) fn open(config: &EngineConfig) -> Result<Self, EngineError> {
        let data_dir = prepared(&config.data_dir)?;
        let api = api(&config.lib_path)?;
        let place = claim(&data_dir)?;
        let path = data_dir.to_str().ok_or_else(|| EngineError::Config {
            what: format!("data directory {} is not UTF-8; choose another name", data_dir.display()),
        })?;
        let arguments = vec![format!("--path={path}")];
        let mut keeper =
            Connection::open(api, &arguments).ok_or_else(|| EngineError::Open { path: data_dir.clone() })?;
        let create =
            format!("CREATE DATABASE IF NOT EXISTS {} ENGINE = Atomic", quoted_name(&config.database));
        run(&mut keeper, &create)?;
        let version = run(&mut keeper, "SELECT version()")?.trim().to_owned();
        let functions = run(&mut keeper, "SELECT name FROM system.table_functions")?;
        let engines = run(
            &mut keeper,
            "SELECT name FROM system.table_engines UNION ALL SELECT name FROM system.database_engines",
        )?;
        Ok(Self {
            api,
            arguments,
            keeper: Mutex::new(Some(keeper)),
            guard: Guard::new(functions.lines(), engines.lines()),
            version,
            next_tag: AtomicU64::new(1),
            _place: place,
        })
    }

    /// The engine's version, such as `26.7.2.1`.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// A connection for one request.
    pub(crate) fn connect(&self) -> Result<Connection, ChException> {
        Connection::open(self.api, &self.arguments).ok_or_else(|| {
            ChException::new(
                code::ABORTED,
                "ABORTED",
                "The embedded engine gives no more connections; it is shutting down",
            )
        })
    }

    /// A tag for the query of a request. The engine's C interface cannot set query ids, so the tag is at the start of
    /// `log_comment`.
    pub(crate) fn new_tag(&self) -> String {
        format!("wb:{}:{} ", std::process::id(), self.next_tag.fetch_add(1, Ordering::Relaxed))
    }

    /// Kills every query whose tag starts with `tag`.
    pub(crate) fn kill(&self, tag: &str) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(connection) = keeper.as_mut() else { return };
        let sql = format!("KILL QUERY WHERE startsWith(Settings['log_comment'], {}) ASYNC", quoted_text(tag));
        if let Err(reason) = connection.query(sql.as_bytes(), "Null", &[]) {
            tracing::warn!(%reason, "could not kill the query of a disconnected client");
        }
    }

    /// Closes the kept connection. When the last connection closes, the engine writes everything to disk and stops.
    pub(crate) fn close(&self) {
        let kept = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(kept);
    }
}

fn prepared(path: &Path) -> Result<PathBuf, EngineError> {
    std::fs::create_dir_all(path)
        .and_then(|()| path.canonicalize())
        .map_err(|source| EngineError::DataDir { path: path.to_owned(), source })
}

fn api(path: &Path) -> Result<&'static Api, EngineError> {
    if let Some(api) = API.get() {
        return Ok(api);
    }
    let loaded = Api::load(path).map_err(|reason| EngineError::Load { path: path.to_owned(), reason })?;
    Ok(API.get_or_init(|| loaded))
}

fn claim(wanted: &Path) -> Result<Place, EngineError> {
    let mut open = OPEN_PATH.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = open.as_ref() {
        return Err(EngineError::SecondPath { open: path.clone(), wanted: wanted.to_owned() });
    }
    *open = Some(wanted.to_owned());
    Ok(Place)
}

fn run(connection: &mut Connection, statement: &str) -> Result<String, EngineError> {
    match connection.query(statement.as_bytes(), "TSVRaw", &[]) {
        Ok(answer) => Ok(String::from_utf8_lossy(answer.bytes()).into_owned()),
        Err(reason) => Err(EngineError::Prepare { statement: statement.to_owned(), reason }),
    }
}

/// `text` as a string literal.
pub(crate) fn quoted_text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// `name` as an identifier.
pub(crate) fn quoted_name(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}
