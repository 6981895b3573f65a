//! Secrets of an installation. They are created once and kept in `keys/` of the data folder, readable by its owner
//! alone.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use wb_auth::Issuer;
use wb_events::frame::FrameKey;
use wb_files::Access;
use wb_stack::StackError;

/// The folder of an installation's secrets.
pub(crate) struct Keys {
    dir: PathBuf,
    /// Whether missing keys are made.
    makes: bool,
}

impl Keys {
    /// Opens the folder, making it if needed.
    pub(crate) fn open(data_dir: &Path) -> Result<Self> {
        let dir = data_dir.join("keys");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .with_context(|| format!("cannot make the folder {}", dir.display()))?;
        Ok(Self { dir, makes: true })
    }

    /// The folder of an installation that ran before: a missing key is an error.
    pub(crate) fn of_installation(data_dir: &Path) -> Self {
        Self { dir: data_dir.join("keys"), makes: false }
    }

    fn check_made(&self, key: &Path) -> Result<(), StackError> {
        if self.makes || key.exists() {
            return Ok(());
        }
        let data_dir = self.dir.parent().unwrap_or(&self.dir).to_owned();
        Err(StackError::NoKeys { key: key.to_owned(), data_dir })
    }

    /// The key that ingest and aggregators share. Services on different machines need the same file `keys/frame.key`.
    pub(crate) fn frame_key(&self) -> Result<FrameKey> {
        self.secret("frame.key").map(FrameKey::new)
    }

    /// The password of the ClickHouse engine that runs on this machine.
    pub(crate) fn engine_password(&self) -> Result<String> {
        self.secret("clickhouse.key").map(|bytes| hex(&bytes))
    }

    /// The issuer of this installation's tokens.
    pub(crate) fn issuer(&self) -> Result<Issuer> {
        let tokens = self.dir.join("tokens");
        self.check_made(&tokens)?;
        Issuer::create_or_load(&tokens).context("cannot make or read the token keys")
    }

    fn secret(&self, name: &str) -> Result<[u8; 32]> {
        let path = self.dir.join(name);
        self.check_made(&path)?;
        match fs::read(&path) {
            Ok(bytes) => match <[u8; 32]>::try_from(bytes.as_slice()) {
                Ok(secret) => Ok(secret),
                Err(_) => bail!("{} has {} bytes, a key has 32", path.display(), bytes.len()),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => self.make(&path),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    fn make(&self, path: &Path) -> Result<[u8; 32]> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).context("the operating system gave no random bytes")?;
        // Two processes that start at once end up with the same key.
        let is_ours = wb_files::create(path, &secret, Access::Secret)
            .with_context(|| format!("cannot write {}", path.display()))?;
        if is_ours {
            return Ok(secret);
        }
        let bytes = fs::read(path)?;
        <[u8; 32]>::try_from(bytes.as_slice())
            .ok()
            .context("the key that another process wrote is incomplete")
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    wb_proof::hex::encode(bytes)
}
