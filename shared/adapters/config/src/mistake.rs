//! What can be wrong with a configuration, and how it is said.

use std::fmt;

/// What is wrong, in one word; each has a stable code.
#[wb_coded::coded]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MistakeKind {
    /// The file cannot be read.
    #[code("WB-6001")]
    FileUnreadable,
    /// The file is not TOML.
    #[code("WB-6002")]
    NotToml,
    /// A field that does not exist.
    #[code("WB-6003")]
    UnknownField,
    /// An environment variable that does not exist.
    #[code("WB-6004")]
    UnknownVariable,
    /// A value of another type: text for a number, a number for a text.
    #[code("WB-6005")]
    WrongType,
    /// A number outside its bounds.
    #[code("WB-6006")]
    OutOfRange,
    /// An address to listen on that cannot be read.
    #[code("WB-6007")]
    Listen,
    /// A server's URL that cannot be used.
    #[code("WB-6008")]
    Url,
    /// A list of brokers that cannot be used.
    #[code("WB-6009")]
    Brokers,
    /// A name of a database that is not allowed.
    #[code("WB-6010")]
    DatabaseName,
    /// A port that two listeners would share.
    #[code("WB-6011")]
    PortTaken,
    /// An event source that cannot be used.
    #[code("WB-6012")]
    Source,
    /// A librdkafka property that may not be set.
    #[code("WB-6013")]
    KafkaProperty,
    /// Two settings that contradict each other.
    #[code("WB-6014")]
    Contradiction,
    /// A webhook endpoint that cannot be used.
    #[code("WB-6021")]
    Webhook,
    /// A text that is empty or holds characters it cannot hold.
    #[code("WB-6015")]
    Text,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong.
    pub kind: MistakeKind,
    /// Where: the field's path, such as `kafka.port`, or the environment variable's name.
    pub field: String,
    /// The value given; none where it is a secret or there is none to show.
    pub given: Option<String>,
    /// What would be right.
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
