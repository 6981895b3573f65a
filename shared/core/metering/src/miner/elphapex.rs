//! Elphapex: Bitmain's newer web interface with its own `INFO`. Its machines hash scrypt.
//!
//! `power_output` of `get_power` has no unit and no document that gives one, so it is not read as power: such a
//! machine is billed by meter.

use super::answer::{Answer, Answers};
use super::bitmain_web;
use super::draft::Draft;
use super::reading::{Family, Reading};

/// How the names of its models begin.
const MODEL: &str = "DG";

pub(super) fn read(answers: &Answers<'_>) -> Option<Reading> {
    let named = |path: &[&str]| {
        answers.find(path).and_then(Answer::text).is_some_and(|model| model.starts_with(MODEL))
    };
    let own_system = || {
        // `minertype` with the algorithm beside it: Bitmain's answer has no such field.
        answers.tops().any(|fields| fields.get("minertype").is_some() && fields.get("Algorithm").is_some())
    };
    let by_info = named(&["INFO", "type"]) || named(&["INFO", "miner_version"]);
    let is_ours = by_info || (named(&["minertype"]) && own_system());
    if !is_ours {
        return None;
    }
    let algorithm = match answers.find(&["Algorithm"]).and_then(Answer::text).as_deref() {
        None | Some("Scrypt") => "scrypt",
        Some(_) => "unknown",
    };
    let mut draft = Draft::of(Family::Elphapex, algorithm);
    bitmain_web::fill(&mut draft, answers);
    Some(draft.settled())
}
