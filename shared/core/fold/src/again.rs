//! Refusals that would be repeated however often their event comes again.

/// The codes, with what to do instead.
const AGAIN: [(&str, &str); 6] = [
    (
        "WB-4011",
        "another event of its identity counts; correct that one, or send this one under a new sequence",
    ),
    (
        "WB-4012",
        "its sequence lies below its key's window; send it under a new source_epoch if it never counted",
    ),
    ("WB-4013", "ingest did not resolve it; send the share through ingest"),
    ("WB-4014", "its header has not 80 bytes; send the share through ingest"),
    ("WB-4015", "its chain tip is forgotten, so nobody can tell whether it was counted"),
    ("WB-4016", "ingest did not read it; send the sample through ingest"),
];

/// Why an event that was refused with a code would be refused again, and what to do instead; none
/// where it may count now.
#[must_use]
pub fn refused_again(code: &str) -> Option<&'static str> {
    AGAIN.iter().find(|(refused, _)| *refused == code).map(|(_, why)| *why)
}
