//! Formats Kafka's storage folder once, atomically.
//!
//! The formatter works in a folder with another name, which is then renamed to `logs`. A kill in between leaves an
//! unused folder, which the next start removes. From then on `logs/meta.properties` holds the cluster id.

use super::{Jvm, KafkaConfig, render};
use crate::{
    StackError,
    text::{tail, write_whole},
};
use std::{ffi::OsString, fs, path::Path, process::Stdio, time::Duration};
use tokio::{process::Command, time::timeout};

/// The storage folder in the data folder.
pub(super) const LOG_DIR: &str = "logs";
/// The name of a folder that is being formatted; the process id follows.
const FORMATTING: &str = "logs.formatting-";
/// The time limit of the formatter, a JVM that runs for a second and a half.
const FORMAT_TIMEOUT: Duration = Duration::from_secs(60);

/// Formats the storage if it is missing; returns its cluster id.
pub(super) async fn ready(jvm: &Jvm<'_>, config: &KafkaConfig) -> Result<String, StackError> {
    remove_unfinished(jvm.data_dir)?;
    let logs = jvm.data_dir.join(LOG_DIR);
    if !logs.exists() {
        format(jvm, config, &logs).await?;
    }
    let meta = logs.join("meta.properties");
    let text = fs::read_to_string(&meta).map_err(StackError::io("read", &meta))?;
    cluster_id(&text).ok_or(StackError::BadStorage { path: meta, reason: "it has no cluster.id" })
}

fn cluster_id(meta: &str) -> Option<String> {
    meta.lines()
        .find_map(|line| line.trim().strip_prefix("cluster.id="))
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
}

fn remove_unfinished(data_dir: &Path) -> Result<(), StackError> {
    let entries = fs::read_dir(data_dir).map_err(StackError::io("list", data_dir))?;
    for entry in entries.filter_map(Result::ok) {
        if entry.file_name().as_encoded_bytes().starts_with(FORMATTING.as_bytes()) {
            let path = entry.path();
            fs::remove_dir_all(&path).map_err(StackError::io("remove", path))?;
        }
    }
    Ok(())
}

async fn format(jvm: &Jvm<'_>, config: &KafkaConfig, logs: &Path) -> Result<(), StackError> {
    // The formatter of a killed run may still be writing; the process id distinguishes the folders.
    let work = jvm.data_dir.join(format!("{FORMATTING}{}", std::process::id()));
    let unfinished = work.join(LOG_DIR);
    fs::create_dir(&work).map_err(StackError::io("create the folder", &work))?;
    let properties = work.join("server.properties");
    write_whole(&properties, &render::server_properties(config, &unfinished)?)?;

    let mut command = Command::new(&jvm.java.program);
    command
        .args(jvm.args())
        .args(["-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", "format", "--cluster-id"])
        .arg(new_cluster_id()?)
        .args([OsString::from("--config"), properties.into_os_string()])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let failed = |reason: String, output: String| StackError::Format { dir: logs.to_owned(), reason, output };
    let output = match timeout(FORMAT_TIMEOUT, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(failed(format!("it did not execute: {error}"), tail(""))),
        Err(_) => return Err(failed(format!("not done after {} s", FORMAT_TIMEOUT.as_secs()), tail(""))),
    };
    if !output.status.success() {
        let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        return Err(failed(output.status.to_string(), tail(&said)));
    }
    wb_files::rename(&unfinished, logs).map_err(StackError::io("put in place", logs))?;
    fs::remove_dir_all(&work).map_err(StackError::io("remove", &work))
}

/// A new cluster id: 16 random bytes in Kafka's notation.
fn new_cluster_id() -> Result<String, StackError> {
    const SOURCE: &str = "/proc/sys/kernel/random/uuid";
    loop {
        let uuid = fs::read_to_string(SOURCE).map_err(StackError::io("read", SOURCE))?;
        let digits: Vec<u32> = uuid.chars().filter_map(|c| c.to_digit(16)).collect();
        let bits: u128 = digits.iter().fold(0, |bits, digit| (bits << 4) | u128::from(*digit));
        let id = base64url(bits);
        // A command line would read a leading dash as an option.
        if !id.starts_with('-') {
            return Ok(id);
        }
    }
}

/// 128 bits in URL-safe base64 without padding (RFC 4648 section 5): 22 characters, the last one of 2 bits.
fn base64url(bits: u128) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let sextet = |at: u32| {
        let shifted = if at < 21 { bits >> (122 - 6 * at) } else { bits << 4 };
        usize::try_from(shifted & 63).map_or('A', |index| char::from(ALPHABET[index]))
    };
    (0..22).map(sextet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_agrees_with_known_values() {
        for (bits, text) in [
            (0, "AAAAAAAAAAAAAAAAAAAAAA"),
            (u128::MAX, "_____________________w"),
            // The bytes 00 01 .. 0f.
            (0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f, "AAECAwQFBgcICQoLDA0ODw"),
        ] {
            assert_eq!(base64url(bits), text);
        }
    }

    #[test]
    fn cluster_ids_differ_and_are_no_options() {
        let (one, two) = (new_cluster_id().unwrap(), new_cluster_id().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 22);
    }

    #[test]
    fn the_cluster_id_is_read_from_meta_properties() {
        assert_eq!(cluster_id("#\nversion=1\ncluster.id=abc\n"), Some("abc".to_owned()));
        assert_eq!(cluster_id("version=1\ncluster.id=\n"), None);
        assert_eq!(cluster_id(""), None);
    }
}
