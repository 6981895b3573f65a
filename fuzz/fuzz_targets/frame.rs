//! Frames: only what was signed opens, any change to it is noticed, and no record makes the reader panic.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wb_events::frame::{FrameKey, decode, encode_events, encode_punctuation};

#[derive(Debug, Arbitrary)]
enum Input {
    /// A record from anywhere.
    Foreign(Vec<u8>),
    /// A record of ours with something done to it.
    Ours {
        writer: String,
        events: Option<Vec<Vec<u8>>>,
        first_offset: u64,
        cut: u16,
        changes: Vec<(u16, u8)>,
    },
}

fuzz_target!(|input: Input| {
    let key = FrameKey::new([7; 32]);
    match input {
        Input::Foreign(record) => {
            // An HMAC cannot be guessed.
            let error = decode(&record, &key).expect_err("a frame without our signature");
            assert!(error.code().starts_with("WB-40"));
        }
        Input::Ours { writer, events, first_offset, cut, changes } => {
            let record = match &events {
                Some(events) => encode_events(&writer, events.clone(), &key),
                None => encode_punctuation(&writer, first_offset, &key),
            };
            let frame = decode(&record, &key).expect("what we wrote opens");
            assert_eq!(frame.writer, writer);
            assert_eq!(
                frame.punctuation.map(|punctuation| punctuation.first_offset),
                events.is_none().then_some(first_offset)
            );
            assert_eq!(frame.events, events.unwrap_or_default());

            let mut changed = record.clone();
            for (at, mask) in changes {
                let length = changed.len();
                changed[usize::from(at) % length] ^= mask;
            }
            changed.truncate(changed.len().saturating_sub(usize::from(cut)));
            // Protobuf may encode the same content in other bytes, but not other content.
            if let Ok(opened) = decode(&changed, &key) {
                assert_eq!(Ok(opened), decode(&record, &key));
            }
            assert!(decode(&record, &FrameKey::new([8; 32])).is_err());
        }
    }
});
