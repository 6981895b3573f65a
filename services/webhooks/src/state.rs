//! The state of deliveries: one file per endpoint. A file is replaced atomically, so a kill leaves either the old or
//! the new state.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wb_files::Access;

use crate::error::WebhookError;

/// The progress of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// Every message for it below this ledger offset was answered with 2xx, or skipped by a replay.
    pub position: u64,
    /// Messages that were answered with 2xx, repeats included.
    pub delivered: u64,
    /// Failures in a row of the message at the position.
    pub failures: u32,
    /// When it is retried, UTC microseconds.
    pub retry_at_us: i64,
    /// The description of the last failure.
    pub last_failure: Option<String>,
    /// Why it is disabled, if it is.
    pub disabled: Option<Disabled>,
}

/// Why an endpoint is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disabled {
    /// It answered 410 Gone.
    Gone,
    /// It failed too often.
    Failed,
}

/// An order for an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "order", deny_unknown_fields)]
pub enum Order {
    /// Enable it and retry at once.
    Retry,
    /// Enable it and send everything from a ledger offset on again.
    Replay {
        /// The offset.
        from: u64,
    },
}

impl Delivery {
    pub(crate) fn at(position: u64) -> Self {
        Self { position, delivered: 0, failures: 0, retry_at_us: 0, last_failure: None, disabled: None }
    }

    pub(crate) fn obey(&mut self, order: Order) {
        (self.failures, self.retry_at_us, self.disabled) = (0, 0, None);
        if let Order::Replay { from } = order {
            self.position = from;
        }
    }
}

/// The folder of the states.
#[derive(Debug, Clone)]
pub struct StateDir {
    dir: PathBuf,
}

impl StateDir {
    /// Opens the folder; creates it if it is missing.
    ///
    /// # Errors
    /// [`WebhookError::State`].
    pub fn open(dir: &Path) -> Result<Self, WebhookError> {
        wb_files::make_folder(dir).map_err(failed("make the folder", dir))?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Locks the folder for one dispatcher, until the file is dropped or the process ends.
    ///
    /// # Errors
    /// [`WebhookError::Taken`] if another process has locked it.
    pub(crate) fn lock(&self) -> Result<File, WebhookError> {
        let path = self.dir.join("lock");
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = opened.map_err(failed("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(WebhookError::Taken { path: path.display().to_string() }),
            Err(TryLockError::Error(source)) => Err(failed("lock", &path)(source)),
        }
    }

    /// The progress of an endpoint; `None` if it was never served.
    ///
    /// # Errors
    /// [`WebhookError::State`] or [`WebhookError::Form`].
    pub fn delivery(&self, endpoint: &str) -> Result<Option<Delivery>, WebhookError> {
        read(&self.state_path(endpoint))
    }

    pub(crate) fn keep(&self, endpoint: &str, delivery: &Delivery) -> Result<(), WebhookError> {
        write(&self.state_path(endpoint), delivery)
    }

    /// Writes an order for the dispatcher, which may not be running. It replaces an earlier order that is not
    /// executed yet.
    ///
    /// # Errors
    /// [`WebhookError::State`].
    pub fn order(&self, endpoint: &str, order: Order) -> Result<(), WebhookError> {
        write(&self.order_path(endpoint), &order)
    }

    pub(crate) fn ordered(&self, endpoint: &str) -> Result<Option<Order>, WebhookError> {
        read(&self.order_path(endpoint))
    }

    /// Removes an order once its effect is saved. After a kill in between it is executed again, which sends messages
    /// twice and loses none.
    pub(crate) fn obeyed(&self, endpoint: &str) -> Result<(), WebhookError> {
        let path = self.order_path(endpoint);
        std::fs::remove_file(&path).map_err(failed("remove", &path))
    }

    fn state_path(&self, endpoint: &str) -> PathBuf {
        self.dir.join(format!("{endpoint}.json"))
    }

    fn order_path(&self, endpoint: &str) -> PathBuf {
        self.dir.join(format!("{endpoint}.order"))
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> WebhookError {
    let path = path.display().to_string();
    move |source| WebhookError::State { what, path, source }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, WebhookError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed("read", path)(source)),
    };
    let form = |error: serde_json::Error| WebhookError::Form {
        path: path.display().to_string(),
        detail: error.to_string(),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(form)
}

fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), WebhookError> {
    let form = |error: serde_json::Error| WebhookError::Form {
        path: path.display().to_string(),
        detail: error.to_string(),
    };
    let text = serde_json::to_string_pretty(value).map_err(form)?;
    let kept = wb_files::replace(path, text.as_bytes(), Access::Usual);
    kept.map_err(failed("keep the delivery state in", path))
}
