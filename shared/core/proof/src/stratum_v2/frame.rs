//! The two submit messages as Stratum V2 sends them: little-endian fields behind a frame header of six bytes.
//!
//! ```text
//! frame header: LE16 extension_type (top bit: addressed to a channel) | U8 msg_type | LE24 msg_length
//! payload:      LE32 channel_id | sequence_number | job_id | nonce | ntime | version
//!               extended, after that: U8 length (at most 32) | extranonce
//! ```
//!
//! Source: the Stratum V2 specification, sections 3.2 (framing), 3.5 (data types) and 8 (message types).

use super::{MAX_PREFIX_BYTES, Submit};

/// `msg_type` of `SubmitSharesStandard`.
pub const SUBMIT_SHARES_STANDARD: u8 = 0x1a;

/// `msg_type` of `SubmitSharesExtended`.
pub const SUBMIT_SHARES_EXTENDED: u8 = 0x1b;

/// Bytes of the longest submit: frame header, six numbers, and an extranonce behind its length.
pub const MAX_SUBMIT_BYTES: usize = HEADER_BYTES + FIXED_BYTES + 1 + MAX_PREFIX_BYTES;

const HEADER_BYTES: usize = 6;
const FIXED_BYTES: usize = 24;

/// The bit of `extension_type` that says that the payload begins with a channel.
const CHANNEL_BIT: u16 = 0x8000;

/// A submit with the channel it came on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitFrame {
    /// The channel.
    pub channel_id: u32,
    /// The sender's count of submits in the channel.
    pub sequence_number: u32,
    /// What was submitted.
    pub submit: Submit,
}

/// Why a frame is not a submit.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitFrameError {
    /// Longer than any submit.
    #[code("WB-1180")]
    #[error("the frame has {bytes} bytes; a submit has at most {MAX_SUBMIT_BYTES}")]
    TooLong {
        /// Bytes given.
        bytes: usize,
    },
    /// It ends before its fields do.
    #[code("WB-1181")]
    #[error("the frame ends after {bytes} bytes; its fields take {needed_bytes}")]
    Truncated {
        /// Bytes the fields take, as far as they were read.
        needed_bytes: usize,
        /// Bytes given.
        bytes: usize,
    },
    /// It is of another type, or of an extension.
    #[code("WB-1182")]
    #[error(
        "extension {extension:04x}, type {msg_type:02x} is no submit; a submit has extension 8000 and type 1a or 1b"
    )]
    NotASubmit {
        /// `extension_type`.
        extension: u16,
        /// `msg_type`.
        msg_type: u8,
    },
    /// The stated length and the bytes that came are not the same.
    #[code("WB-1183")]
    #[error(
        "the frame states {stated_bytes} bytes of payload, {bytes} are there and its fields take {used_bytes}"
    )]
    LengthMismatch {
        /// `msg_length`.
        stated_bytes: usize,
        /// Bytes behind the frame header.
        bytes: usize,
        /// Bytes that the fields take.
        used_bytes: usize,
    },
    /// An extranonce beyond B0_32.
    #[code("WB-1184")]
    #[error("the extranonce has {bytes} bytes; at most {MAX_PREFIX_BYTES} can be sent")]
    ExtranonceTooLong {
        /// Bytes stated.
        bytes: usize,
    },
}

/// Reads one whole, decrypted frame. No memory is reserved by the length that the frame states.
///
/// # Errors
/// [`SubmitFrameError`].
pub fn decode_submit_frame(frame: &[u8]) -> Result<SubmitFrame, SubmitFrameError> {
    if frame.len() > MAX_SUBMIT_BYTES {
        return Err(SubmitFrameError::TooLong { bytes: frame.len() });
    }
    let mut rest = Rest { frame, at: 0 };
    let extension = u16::from_le_bytes(rest.take()?);
    let [msg_type] = rest.take()?;
    if extension != CHANNEL_BIT || !matches!(msg_type, SUBMIT_SHARES_STANDARD | SUBMIT_SHARES_EXTENDED) {
        return Err(SubmitFrameError::NotASubmit { extension, msg_type });
    }
    let [low, middle, high] = rest.take()?;
    let stated_bytes = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
    let mut number = || rest.take().map(u32::from_le_bytes);
    let (channel_id, sequence_number, job_id) = (number()?, number()?, number()?);
    let (nonce, ntime, version) = (number()?, number()?, number()?);
    let extranonce = if msg_type == SUBMIT_SHARES_EXTENDED { Some(rest.short_bytes()?) } else { None };
    let (bytes, used_bytes) = (frame.len() - HEADER_BYTES, rest.at - HEADER_BYTES);
    if stated_bytes != bytes || used_bytes != bytes {
        return Err(SubmitFrameError::LengthMismatch { stated_bytes, bytes, used_bytes });
    }
    let submit = Submit { job_id: job_id.to_string(), version, ntime, nonce, extranonce };
    Ok(SubmitFrame { channel_id, sequence_number, submit })
}

struct Rest<'a> {
    frame: &'a [u8],
    at: usize,
}

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], SubmitFrameError> {
        let end = self.at + N;
        let taken = self.frame.get(self.at..end).and_then(|bytes| bytes.try_into().ok());
        let truncated = SubmitFrameError::Truncated { needed_bytes: end, bytes: self.frame.len() };
        self.at = end;
        taken.ok_or(truncated)
    }

    fn short_bytes(&mut self) -> Result<Vec<u8>, SubmitFrameError> {
        let [length] = self.take()?;
        let bytes = usize::from(length);
        if bytes > MAX_PREFIX_BYTES {
            return Err(SubmitFrameError::ExtranonceTooLong { bytes });
        }
        let end = self.at + bytes;
        let taken = self.frame.get(self.at..end).map(<[u8]>::to_vec);
        self.at = end;
        taken.ok_or(SubmitFrameError::Truncated { needed_bytes: end, bytes: self.frame.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(msg_type: u8, extranonce: Option<&[u8]>) -> Vec<u8> {
        let mut payload = Vec::new();
        for number in [1_u32, 2, 3, 0x0a0b_0c0d, 0x5f36_8665, 0x2000_e000] {
            payload.extend(number.to_le_bytes());
        }
        if let Some(extranonce) = extranonce {
            payload.push(u8::try_from(extranonce.len()).unwrap());
            payload.extend(extranonce);
        }
        let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
        [&[0x00, 0x80, msg_type], &length[..3], &payload].concat()
    }

    #[test]
    fn both_messages_are_read_field_by_field() {
        for (msg_type, extranonce) in
            [(SUBMIT_SHARES_STANDARD, None), (SUBMIT_SHARES_EXTENDED, Some(vec![9, 8, 7]))]
        {
            let read = decode_submit_frame(&frame(msg_type, extranonce.as_deref())).unwrap();
            assert_eq!((read.channel_id, read.sequence_number), (1, 2));
            let expected = Submit {
                job_id: "3".to_owned(),
                version: 0x2000_e000,
                ntime: 0x5f36_8665,
                nonce: 0x0a0b_0c0d,
                extranonce,
            };
            assert_eq!(read.submit, expected);
        }
    }

    #[test]
    fn every_cut_and_every_surplus_is_an_error() {
        let whole = frame(SUBMIT_SHARES_EXTENDED, Some(&[1, 2, 3, 4]));
        for end in 0..whole.len() {
            let error = decode_submit_frame(&whole[..end]).unwrap_err();
            assert!(matches!(error, SubmitFrameError::Truncated { .. }), "{end}: {error}");
        }
        let mut longer = whole.clone();
        longer.push(0);
        let mut lying = whole.clone();
        lying[3] += 1;
        let mut huge_nonce = whole.clone();
        huge_nonce[30] = 33;
        let mut alien = whole.clone();
        alien[2] = 0x15;
        for (bytes, code) in [
            (longer, "WB-1183"),
            (lying, "WB-1183"),
            (huge_nonce, "WB-1184"),
            (alien, "WB-1182"),
            (vec![0; 1 << 20], "WB-1180"),
        ] {
            let error = decode_submit_frame(&bytes).unwrap_err();
            assert_eq!(error.code(), code);
            assert!(error.to_string().contains(code), "{error}");
        }
        assert!(decode_submit_frame(&whole).is_ok());
    }
}
