//! The configuration: one TOML file and the `WEIGHBRIDGE_*` environment variables over it.
//!
//! [`Config::load`] reads both and checks everything. It returns either a complete [`Config`] or all mistakes at
//! once, each with the field, the given value and what is expected. Every field has a default, with which the product
//! runs on one machine.
//!
//! No field is ignored (an unknown one is a mistake), nothing is read again later, and no other file, port or server
//! is accessed: whether a library exists or a broker answers is checked by the part that uses it.
//!
//! Secrets ([`Secret`]) are never shown, neither by `Debug` nor in a mistake.

mod cross;
mod environment;
mod form;
mod mistake;
mod paths;
mod reader;
mod secret;
mod settings;
mod sources;
mod webhooks;

use std::fs::File;
use std::io::Read;
use std::path::Path;

pub use environment::{Environment, ProcessEnvironment, VARIABLES};
pub use mistake::{ConfigErrors, Mistake, MistakeKind};
pub use secret::Secret;
pub use settings::{
    AggregatorConfig, ApiConfig, BillingConfig, ClickhouseConfig, Config, DocumentsConfig, IngestConfig,
    KafkaConfig, PartitionsConfig, WebhooksConfig,
};
pub use webhooks::WebhookEndpoint;

use reader::Reader;

/// The largest configuration file, in bytes; it has room for thousands of sources.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

impl Config {
    /// Reads the file, if one is given, and the environment, and checks everything.
    ///
    /// Relative data folders in the file start at the file's folder, wherever a command is run; those of the environment,
    /// and the defaults, start at the working folder.
    ///
    /// An environment variable takes precedence over the file; an empty one counts as not set. Unknown variables are
    /// reported only if the environment can list its names, so use [`ProcessEnvironment`], not a closure, when a
    /// person runs the product.
    ///
    /// # Errors
    /// [`ConfigErrors`] with all mistakes in file and environment.
    pub fn load(path: Option<&Path>, env: impl Environment) -> Result<Self, ConfigErrors> {
        let Some(path) = path else {
            return Self::from_text(None, "", Path::new(""), &env);
        };
        let name = path.display().to_string();
        match read_bounded(path) {
            Ok(text) => {
                let folder = path.parent().unwrap_or(Path::new(""));
                Self::from_text(Some(name), &text, folder, &env)
            }
            Err(problem) => {
                let mistake = Mistake {
                    kind: MistakeKind::FileUnreadable,
                    field: "the configuration file".to_owned(),
                    given: Some(name.clone()),
                    right: format!(
                        "a UTF-8 file of at most {FILE_BYTES_MAX} bytes that this user may read is needed: {problem}"
                    ),
                };
                Err(ConfigErrors { file: Some(name), mistakes: vec![mistake] })
            }
        }
    }

    fn from_text(
        file: Option<String>,
        text: &str,
        folder: &Path,
        env: &dyn Environment,
    ) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(env);
        // The environment is checked even if the file cannot be parsed.
        let mut table = reader.parse(text);
        paths::resolve(&mut table, folder);
        let config = settings::read(&mut reader, table);
        reader.check_variable_names();
        cross::check(&config, &mut reader);
        let mistakes = reader.into_mistakes();
        if mistakes.is_empty() { Ok(config) } else { Err(ConfigErrors { file, mistakes }) }
    }
}

fn read_bounded(path: &Path) -> Result<String, std::io::Error> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if !u64::try_from(text.len()).is_ok_and(|bytes| bytes <= FILE_BYTES_MAX) {
        return Err(std::io::Error::other("it is larger"));
    }
    Ok(text)
}
