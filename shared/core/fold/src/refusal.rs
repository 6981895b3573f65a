//! Why the fold quarantines an event, and which refusals a re-drive would repeat.

/// Why an event was not taken; it stands whole in the quarantine.
#[wb_coded::coded]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its bytes are no event.
    #[code("WB-4005")]
    Undecodable,
    /// Its kind belongs to another topic.
    #[code("WB-4006")]
    WrongTopic,
    /// It has no body that this program knows.
    #[code("WB-4007")]
    NoBody,
    /// Another event of its identity came first.
    #[code("WB-4011")]
    IdentityConflict,
    /// Its sequence lies below its key's window.
    #[code("WB-4012")]
    SequenceTooOld,
    /// A share without what ingest adds.
    #[code("WB-4013")]
    UnresolvedShare,
    /// A share whose header has not 80 bytes.
    #[code("WB-4014")]
    BadHeader,
    /// A share whose chain tip is forgotten.
    #[code("WB-4015")]
    TipForgotten,
    /// A sample that ingest did not read.
    #[code("WB-4016")]
    UnreadSample,
}

/// Refusals that a re-drive of the event would repeat, with what to do instead.
const AGAIN: [(Refusal, &str); 6] = [
    (
        Refusal::IdentityConflict,
        "another event of its identity counts; correct that one, or send this one under a new sequence",
    ),
    (
        Refusal::SequenceTooOld,
        "its sequence lies below its key's window; send it under a new source_epoch if it never counted",
    ),
    (Refusal::UnresolvedShare, "ingest did not resolve it; send the share through ingest"),
    (Refusal::BadHeader, "its header has not 80 bytes; send the share through ingest"),
    (Refusal::TipForgotten, "its chain tip is forgotten, so whether it was counted cannot be told"),
    (Refusal::UnreadSample, "ingest did not read it; send the sample through ingest"),
];

impl Refusal {
    /// The word under which refused events are counted.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable_event",
            Self::WrongTopic => "wrong_topic",
            Self::NoBody => "no_body",
            Self::IdentityConflict => "identity_conflict",
            Self::SequenceTooOld => "sequence_too_old",
            Self::UnresolvedShare => "unresolved_share",
            Self::BadHeader => "bad_header",
            Self::TipForgotten => "tip_forgotten",
            Self::UnreadSample => "unread_sample",
        }
    }
}

/// Why a re-drive would refuse an event with this code again, and what to do instead; `None` where it may count.
#[must_use]
pub fn refused_again(code: &str) -> Option<&'static str> {
    AGAIN.iter().find(|(refusal, _)| refusal.code() == code).map(|(_, why)| *why)
}
