//! Makes events from the series of a site's Prometheus.

use wb_auth::Source;
use wb_events::wire::event::Body as EventBody;
use wb_events::{Event, input};

use super::Ready;

/// Microseconds per millisecond, the unit of Prometheus's times.
pub(super) const MILLISECOND_US: i64 = 1_000;

/// A checked event of a source.
pub(super) fn event(
    source: &Source,
    key: String,
    sequence: i64,
    event_time_us: i64,
    body: EventBody,
) -> Ready {
    // A time before 1970 is refused later, like any before Bitcoin's first block.
    let sequence = u64::try_from(sequence).unwrap_or(0);
    input::check(Event {
        source: source.id.clone(),
        source_epoch: 0,
        key,
        sequence,
        event_time_us,
        body: Some(body),
    })
}
