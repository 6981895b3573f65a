//! Why an event is not taken.

/// What can be wrong with an event that is not taken.
#[wb_coded::coded]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputFault {
    /// A field of the wrong form.
    #[code("WB-2001")]
    Field,
    /// JSON that nests too deep.
    #[code("WB-2002")]
    TooDeep,
    /// A time before there were events.
    #[code("WB-2003")]
    TooEarly,
    /// A time ahead of the clock.
    #[code("WB-2004")]
    TooLate,
    /// A longer event than is taken.
    #[code("WB-2005")]
    TooLarge,
    /// A correction that gives no event, or two.
    #[code("WB-2006")]
    CorrectionNamesNothing,
    /// A correction without who or why.
    #[code("WB-2007")]
    CorrectionUnsigned,
    /// An impossible ratio of a transformer.
    #[code("WB-2008")]
    RatioImpossible,
    /// A session that is not known at the event's time.
    #[code("WB-2010")]
    UnknownSession,
    /// A machine that is not known.
    #[code("WB-2011")]
    UnknownMachine,
    /// A share whose form does not match its session's protocol.
    #[code("WB-2012")]
    OtherProtocol,
    /// A job for which there is no room.
    #[code("WB-2021")]
    NoRoomForJobs,
}

/// Why an event was not taken: the field, the reason with what would be right, and a code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[{code}] {field}: {reason}")]
pub struct InputError {
    /// The stable code.
    pub code: &'static str,
    /// The field, as a path.
    pub field: String,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl InputError {
    /// A field of the wrong form.
    #[must_use]
    pub fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(InputFault::Field, field, reason)
    }

    /// Another fault of an event.
    #[must_use]
    pub fn new(fault: InputFault, field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::coded(fault.code(), field, reason)
    }

    /// A refusal by another error, with its code.
    #[must_use]
    pub fn coded(code: &'static str, field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { code, field: field.into(), reason: reason.into() }
    }
}
