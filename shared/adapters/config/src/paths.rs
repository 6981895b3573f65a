//! Relative paths of a configuration file.

use std::path::Path;

use toml::{Table, Value};

/// The fields that hold a folder of the installation's data.
const FIELDS: [&[&str]; 3] = [&["data_dir"], &["archive", "dir"], &["aggregator", "state_dir"]];

/// Lets relative paths start at the file's folder, so that a command finds the same data wherever it is run.
pub(crate) fn resolve(table: &mut Table, folder: &Path) {
    for field in FIELDS {
        let Some((name, sections)) = field.split_last() else { continue };
        let mut holder = Some(&mut *table);
        for section in sections {
            holder = holder.and_then(|holder| holder.get_mut(*section)).and_then(Value::as_table_mut);
        }
        let value = holder.and_then(|holder| holder.get_mut(*name));
        // An empty text means none.
        if let Some(Value::String(text)) = value.filter(|value| value.as_str() != Some(""))
            && let Some(resolved) = folder.join(&*text).to_str()
        {
            resolved.clone_into(text);
        }
    }
}
