//! From the records of a block to its events, with the headers of all shares hashed side by side.

use prost::Message as _;
use wb_events::Event;
use wb_events::frame::FrameError;
use wb_events::wire::event::Body;

use crate::Origin;
use crate::assemble::ClosedBlock;

/// An event at its place in the log.
pub(crate) enum What<'a> {
    Event {
        /// The event.
        event: Box<Event>,
        /// The double SHA-256 of its header, where it is a share that has one.
        hash: Option<[u8; 32]>,
    },
    /// Bytes in a frame that are no event.
    NoEvent(prost::DecodeError),
    /// A record that is no frame.
    NoFrame(&'a FrameError),
}

/// Something that counts as one event, with where it stands and its stored bytes.
pub(crate) struct Item<'a> {
    pub(crate) origin: Origin,
    pub(crate) bytes: &'a [u8],
    pub(crate) what: What<'a>,
}

/// The header of a share, where it has one.
fn header_of(event: &Event) -> Option<[u8; 80]> {
    match &event.body {
        Some(Body::Share(share)) => share.header.as_slice().try_into().ok(),
        _ => None,
    }
}

/// All items of a block in log order.
pub(crate) fn items(
    hash_headers: impl Fn(&[[u8; 80]]) -> Vec<wb_proof::Hash256>,
    block: &ClosedBlock,
) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    let mut headers = Vec::new();
    for record in &block.records {
        let origin = |frame_index| Origin {
            log_offset: record.offset,
            frame_index,
            append_time_us: record.append_time_us,
        };
        match &record.events {
            Err((error, original)) => {
                items.push(Item { origin: origin(0), bytes: original, what: What::NoFrame(error) });
            }
            Ok(events) => {
                for (index, bytes) in (0_u32..).zip(events) {
                    let what = match Event::decode(bytes.as_slice()) {
                        Ok(event) => {
                            headers.extend(header_of(&event));
                            What::Event { event: Box::new(event), hash: None }
                        }
                        Err(error) => What::NoEvent(error),
                    };
                    items.push(Item { origin: origin(index), bytes, what });
                }
            }
        }
    }
    let mut hashes = hash_headers(&headers).into_iter();
    for item in &mut items {
        if let What::Event { event, hash } = &mut item.what
            && header_of(event).is_some()
        {
            *hash = hashes.next();
        }
    }
    items
}
