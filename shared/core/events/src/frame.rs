//! Frames: the Kafka records of the event topics, signed by whoever wrote them.

use hmac::{Hmac, KeyInit, Mac};
use prost::Message as _;
use sha2::{Digest, Sha256};

use crate::wire;

/// The form of frame that this code writes.
pub const FRAME_VERSION: u32 = 1;
/// A frame is closed at this many events.
pub const FRAME_EVENTS_MAX: usize = 100;
/// A frame is closed at this many bytes of events.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// A larger record is not decoded; the broker's own limit is above it.
pub const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The key that ingest and aggregators share. Its bytes are never printed.
#[derive(Clone)]
pub struct FrameKey([u8; 32]);

impl std::fmt::Debug for FrameKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("FrameKey(..)")
    }
}

impl FrameKey {
    /// Takes the 32 bytes of the key.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn mac(&self, bytes: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(bytes);
        Some(mac)
    }
}

/// Why a record of an event topic is not a frame.
#[wb_coded::coded(codes, message)]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Larger than anything we write.
    #[code("WB-4001")]
    #[error("the record has {bytes} bytes, more than the {RECORD_BYTES_MAX} a frame may have")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not Protobuf of the expected form.
    #[code("WB-4002")]
    #[error("the record is no SignedFrame: {detail}")]
    Undecodable {
        /// What the decoder said.
        detail: String,
    },
    /// The signature is not of the shared key.
    #[code("WB-4003")]
    #[error("the frame's signature does not match: it was not written by an ingest of ours")]
    BadSignature,
    /// A later form.
    #[code("WB-4004")]
    #[error("the frame has version {version}, this program reads {FRAME_VERSION}")]
    UnknownVersion {
        /// Its version.
        version: u32,
    },
}

fn sign(frame: &wire::Frame, key: &FrameKey) -> Vec<u8> {
    let bytes = frame.encode_to_vec();
    // HMAC takes keys of any length, so a mac always exists.
    let signature = key.mac(&bytes).map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_default();
    wire::SignedFrame { frame: bytes, signature }.encode_to_vec()
}

/// Makes the record of a frame of events, each already encoded.
#[must_use]
pub fn encode_events(writer: &str, events: Vec<Vec<u8>>, key: &FrameKey) -> Vec<u8> {
    sign(&wire::Frame { events, ..empty(writer) }, key)
}

fn empty(writer: &str) -> wire::Frame {
    wire::Frame { version: FRAME_VERSION, writer: writer.to_owned(), ..wire::Frame::default() }
}

/// Makes the record of a punctuation that closes the block starting at `first_offset`.
#[must_use]
pub fn encode_punctuation(writer: &str, first_offset: u64, key: &FrameKey) -> Vec<u8> {
    let punctuation = Some(wire::Punctuation { first_offset });
    sign(&wire::Frame { punctuation, ..empty(writer) }, key)
}

/// Makes the record from which on, after the block that holds it, a partition is folded by the
/// rules of another version.
#[must_use]
pub fn encode_fold_switch(writer: &str, fold_version: u32, key: &FrameKey) -> Vec<u8> {
    let fold_switch = Some(wire::FoldSwitch { fold_version });
    sign(&wire::Frame { fold_switch, ..empty(writer) }, key)
}

/// Opens a record: size, form, signature, version, in this order.
///
/// # Errors
/// [`FrameError`]; the record then counts as one rejected event and is quarantined whole.
pub fn decode(record: &[u8], key: &FrameKey) -> Result<wire::Frame, FrameError> {
    if record.len() > RECORD_BYTES_MAX {
        return Err(FrameError::TooLarge { bytes: record.len() });
    }
    let undecodable = |error: prost::DecodeError| FrameError::Undecodable { detail: error.to_string() };
    let signed = wire::SignedFrame::decode(record).map_err(undecodable)?;
    if !is_signed(&signed, key) {
        return Err(FrameError::BadSignature);
    }
    let frame = wire::Frame::decode(signed.frame.as_slice()).map_err(undecodable)?;
    if frame.version != FRAME_VERSION {
        return Err(FrameError::UnknownVersion { version: frame.version });
    }
    Ok(frame)
}

/// Whether a frame is signed with a key.
#[must_use]
pub fn is_signed(signed: &wire::SignedFrame, key: &FrameKey) -> bool {
    key.mac(&signed.frame).is_some_and(|mac| mac.verify_slice(&signed.signature).is_ok())
}

/// SHA-256 of a record's payload. The commit of a block keeps it for the block's last record.
#[must_use]
pub fn record_hash(record: &[u8]) -> [u8; 32] {
    Sha256::digest(record).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_open_only_with_their_key() {
        let key = FrameKey::new([1; 32]);
        let record = encode_events("ingest-1", vec![vec![1, 2], vec![3]], &key);
        let frame = decode(&record, &key).unwrap();
        assert_eq!(frame.events, vec![vec![1, 2], vec![3]]);
        assert_eq!(decode(&record, &FrameKey::new([2; 32])), Err(FrameError::BadSignature));
        assert_eq!(format!("{key:?}"), "FrameKey(..)");
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let key = FrameKey::new([1; 32]);
        let record = encode_punctuation("aggregator-1", 77, &key);
        assert_eq!(decode(&record, &key).unwrap().punctuation.unwrap().first_offset, 77);
        for at in 0..record.len() {
            for bit in 0..8 {
                let mut damaged = record.clone();
                damaged[at] ^= 1 << bit;
                assert!(decode(&damaged, &key).is_err(), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn what_is_no_frame_is_named() {
        let key = FrameKey::new([1; 32]);
        assert_eq!(decode(b"", &key), Err(FrameError::BadSignature));
        assert_eq!(decode(b"hello", &key).unwrap_err().code(), "WB-4002");
        assert_eq!(decode(&vec![0; RECORD_BYTES_MAX + 1], &key).unwrap_err().code(), "WB-4001");
    }
}
