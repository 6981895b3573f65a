//! Reference facts: kept in the order of the log, which is when they were recorded.

use wb_events::Fact;

use crate::Entry;
use crate::count::Outcome;
use crate::state::State;
use crate::tables::Tables;

pub(crate) fn fold(state: &mut State, tables: &mut Tables, entry: &Entry<'_>, fact: &Fact) -> Outcome {
    if let Err(outcome) = entry.admit(state, tables) {
        return outcome;
    }
    tables.event_row("facts", entry.origin, entry.event, |row| {
        row.text(&fact.kind).text(&fact.entity).i64(fact.valid_from_us);
        row.nullable(fact.valid_to_us, |row, value| {
            row.i64(value);
        });
        row.text(&fact.body);
    });
    Outcome::accepted()
}
