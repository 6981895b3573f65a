//! The mistakes in a configuration.

use std::fmt;

/// The kinds of mistakes; each has a stable code.
#[wb_coded::coded]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MistakeKind {
    /// The file cannot be read.
    #[code("WB-6001")]
    FileUnreadable,
    /// The file is not TOML.
    #[code("WB-6002")]
    NotToml,
    /// The field does not exist.
    #[code("WB-6003")]
    UnknownField,
    /// The environment variable does not exist.
    #[code("WB-6004")]
    UnknownVariable,
    /// The value has another type: text for a number, or a number for a text.
    #[code("WB-6005")]
    WrongType,
    /// The number is outside its bounds.
    #[code("WB-6006")]
    OutOfRange,
    /// The address to listen on is not valid.
    #[code("WB-6007")]
    Listen,
    /// The server's URL is not valid.
    #[code("WB-6008")]
    Url,
    /// The list of brokers is not valid.
    #[code("WB-6009")]
    Brokers,
    /// The database name is not allowed.
    #[code("WB-6010")]
    DatabaseName,
    /// Two listeners share a port.
    #[code("WB-6011")]
    PortTaken,
    /// The event source is not valid.
    #[code("WB-6012")]
    Source,
    /// The librdkafka property must not be set.
    #[code("WB-6013")]
    KafkaProperty,
    /// Two settings contradict each other.
    #[code("WB-6014")]
    Contradiction,
    /// The webhook endpoint is not valid.
    #[code("WB-6021")]
    Webhook,
    /// The text is empty or has characters that are not allowed.
    #[code("WB-6015")]
    Text,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong.
    pub kind: MistakeKind,
    /// The field's path, such as `kafka.port`, or the environment variable's name.
    pub field: String,
    /// The given value; none if it is a secret or missing.
    pub given: Option<String>,
    /// What is expected.
    pub right: String,
}

impl Mistake {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{}] {}", self.code(), self.field)?;
        if let Some(given) = &self.given {
            write!(formatter, " = {given}")?;
        }
        write!(formatter, ": {}", self.right)
    }
}

/// All mistakes of a configuration; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    /// The file that was read, if any.
    pub file: Option<String>,
    /// The mistakes, those of the file and environment first, then those between settings.
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, plural) = (self.mistakes.len(), if self.mistakes.len() == 1 { "" } else { "s" });
        write!(formatter, "the configuration has {count} mistake{plural}")?;
        if let Some(file) = &self.file {
            write!(formatter, " (file {file} and environment)")?;
        } else {
            write!(formatter, " (environment, no file)")?;
        }
        for mistake in &self.mistakes {
            write!(formatter, "\n  {mistake}")?;
        }
        Ok(())
    }
}
