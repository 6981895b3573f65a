//! The small files in which connectors keep their positions.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wb_files::Access;

use crate::ConnectError;

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Stored<T> {
    version: u32,
    #[serde(flatten)]
    content: T,
}

/// Reads a file; a missing one is empty.
pub(crate) fn load<T: DeserializeOwned + Default>(path: &Path) -> Result<T, ConnectError> {
    let wrong = |detail: String| ConnectError::Position { path: path.to_owned(), detail };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(T::default()),
        Err(error) => return Err(ConnectError::file("read", path)(error)),
    };
    let stored: Stored<T> = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if stored.version != VERSION {
        return Err(wrong(format!("its version is {}, this program reads {VERSION}", stored.version)));
    }
    Ok(stored.content)
}

/// Replaces a file atomically and durably.
pub(crate) fn save<T: Serialize>(path: &Path, content: &T) -> Result<(), ConnectError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        wb_files::make_folder(folder).map_err(ConnectError::file("make the folder", folder))?;
    }
    let text = serde_json::to_string_pretty(&Stored { version: VERSION, content })
        .map_err(|error| ConnectError::file("write", path)(error.into()))?;
    wb_files::replace(path, text.as_bytes(), Access::Usual).map_err(ConnectError::file("replace", path))
}
