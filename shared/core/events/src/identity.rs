//! The identity of an event, and the partition that follows from it.

use sha2::{Digest, Sha256};

use crate::wire::event::Body;
use crate::wire::{Event, GpuSample, GpuSpan, MinerReading, MinerSample};

/// The identity of an event: 16 bytes.
pub type EventId = [u8; 16];

fn leading_16(digest: &[u8]) -> EventId {
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(digest) {
        *to = *from;
    }
    id
}

/// The identity of an event by its source, epoch, key and sequence: see [`id_of`].
#[must_use]
pub fn event_id(event: &Event) -> EventId {
    id_of(&event.source, event.source_epoch, &event.key, event.sequence)
}

/// The identity by source, epoch, key and sequence: the first 16 bytes of the SHA-256 of these four, each text
/// preceded by its length.
#[must_use]
pub fn id_of(source: &str, source_epoch: u64, key: &str, sequence: u64) -> EventId {
    let mut hasher = Sha256::new();
    for text in [source, key] {
        // A text longer than 2^64 bytes does not exist; the length only separates the two.
        hasher.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.update(source_epoch.to_le_bytes());
    hasher.update(sequence.to_le_bytes());
    leading_16(&hasher.finalize())
}

/// The partition of an id: its first four bytes, little endian, modulo the count.
///
/// A count of zero gives 0; the pinned counts are checked to be positive at the start.
#[must_use]
pub fn partition_of_id(id: &EventId, partitions: u32) -> u32 {
    u32::from_le_bytes([id[0], id[1], id[2], id[3]]).checked_rem(partitions).unwrap_or(0)
}

/// The partition of a text key: by the SHA-256 of the key, as [`partition_of_id`].
#[must_use]
pub fn partition_of_key(key: &str, partitions: u32) -> u32 {
    partition_of_id(&leading_16(&Sha256::digest(key.as_bytes())), partitions)
}

/// The partition an event lies in. A share with a header goes by its proof, so that equal proofs lie in one
/// partition; every other event goes by what it is about.
#[must_use]
pub fn partition_of(event: &Event, partitions: u32) -> u32 {
    match &event.body {
        Some(Body::Share(share)) if share.header.len() == 80 => {
            let hash = wb_proof::sha256d(&share.header);
            wb_proof::ShareId::of_hash(&hash).partition(partitions)
        }
        Some(Body::Share(_)) | None => partition_of_id(&event_id(event), partitions),
        Some(Body::MinerSample(sample)) => partition_of_key(&sample.machine_id, partitions),
        Some(Body::EnergyReading(reading)) => partition_of_key(&reading.meter_id, partitions),
        Some(Body::GpuSpan(span)) => partition_of_key(&span.node_id, partitions),
        Some(Body::GpuSample(sample)) => partition_of_key(&sample.node_id, partitions),
        Some(Body::Fact(fact)) => partition_of_key(&fact.entity, partitions),
    }
}

/// The partitions of many events, as [`partition_of`] gives them, with the headers of shares hashed
/// side by side. `partitions` says how many a topic has.
#[must_use]
pub fn partitions_of(events: &[Event], partitions: impl Fn(&str) -> u32) -> Vec<u32> {
    let header_of = |event: &Event| match &event.body {
        Some(Body::Share(share)) => <[u8; 80]>::try_from(share.header.as_slice()).ok(),
        _ => None,
    };
    let headers: Vec<[u8; 80]> = events.iter().filter_map(header_of).collect();
    let mut hashes = wb_proof::hash_headers(&headers).into_iter();
    let place = |event: &Event| {
        let count = event.body.as_ref().map_or(1, |body| partitions(crate::topics::of_body(body)));
        match header_of(event).and_then(|_| hashes.next()) {
            Some(hash) => wb_proof::ShareId::of_hash(&hash).partition(count),
            None => partition_of(event, count),
        }
    };
    events.iter().map(place).collect()
}

/// A short hash of what the sender sent, without what ingest added. Two events of one identity with different tags
/// are a conflict; a repeat has the same tag.
#[must_use]
pub fn content_tag(event: &Event) -> u64 {
    use prost::Message as _;
    let mut said = event.clone();
    match &mut said.body {
        Some(Body::Share(share)) => share.resolution = None,
        Some(Body::MinerSample(MinerSample { reading, .. })) => *reading = None::<MinerReading>,
        Some(Body::EnergyReading(reading)) => reading.site_id.clear(),
        Some(Body::GpuSpan(GpuSpan { site_id, .. }) | Body::GpuSample(GpuSample { site_id, .. })) => {
            site_id.clear();
        }
        Some(Body::Fact(_)) | None => {}
    }
    let digest = Sha256::digest(said.encode_to_vec());
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(digest.iter()) {
        *to = *from;
    }
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{EnergyReading, Share};

    fn event(key: &str, sequence: u64) -> Event {
        Event { source: "pool-a".into(), source_epoch: 1, key: key.into(), sequence, ..Event::default() }
    }

    #[test]
    fn identity_separates_what_differs() {
        let ids = [event("a", 1), event("a", 2), event("b", 1)].map(|event| event_id(&event));
        assert_ne!(ids[0], ids[1]);
        assert_ne!(ids[0], ids[2]);
        assert_eq!(ids[0], event_id(&event("a", 1)));
        let moved = Event { event_time_us: 5, ..event("a", 1) };
        assert_eq!(event_id(&moved), ids[0], "a field that a retry could change is no identity");
    }

    #[test]
    fn a_share_lies_where_its_proof_lies() {
        let header = vec![7; 80];
        let by_two_claimants = ["a", "b"].map(|key| Event {
            body: Some(Body::Share(Share { header: header.clone(), ..Share::default() })),
            ..event(key, 1)
        });
        assert_eq!(partition_of(&by_two_claimants[0], 16), partition_of(&by_two_claimants[1], 16));
    }

    #[test]
    fn many_events_lie_where_each_of_them_does() {
        let events: Vec<Event> = (0..200_u64)
            .map(|sequence| {
                let byte = u8::try_from(sequence).unwrap();
                let share = |header: Vec<u8>| Body::Share(Share { header, ..Share::default() });
                let body = match sequence % 4 {
                    0 => share(vec![byte; 80]),
                    1 => share(Vec::new()),
                    2 => Body::EnergyReading(EnergyReading {
                        meter_id: format!("m{byte}"),
                        ..EnergyReading::default()
                    }),
                    _ => share(vec![byte; 79]),
                };
                Event { body: Some(body), ..event("k", sequence) }
            })
            .collect();
        let count = |topic: &str| if topic == "shares" { 16 } else { 7 };
        let expected: Vec<u32> = events
            .iter()
            .map(|event| partition_of(event, count(crate::topics::of_body(event.body.as_ref().unwrap()))))
            .collect();
        assert_eq!(partitions_of(&events, count), expected);
    }

    #[test]
    fn what_ingest_resolves_is_not_content() {
        let reading = |site: &str, register_wh| Event {
            body: Some(Body::EnergyReading(EnergyReading {
                site_id: site.into(),
                register_wh,
                ..EnergyReading::default()
            })),
            ..event("m", 1)
        };
        assert_eq!(content_tag(&reading("x", 1)), content_tag(&reading("y", 1)));
        assert_ne!(content_tag(&reading("x", 1)), content_tag(&reading("x", 2)));
    }
}
