//! Encodes answers: plain, in ClickHouse's blocks, or as one LZ4 frame.

use std::io::Write;

use bytes::Bytes;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

use super::block::encode_blocks;

/// Encodes an answer piece by piece.
pub(crate) enum Encoder {
    /// Unchanged.
    Plain,
    /// `compress=1`.
    Blocks,
    /// `Accept-Encoding: lz4`.
    Frame(Box<FrameEncoder<Vec<u8>>>),
}

impl Encoder {
    pub(crate) fn lz4_frame() -> Self {
        let info = FrameInfo::new().block_size(BlockSize::Max256KB).block_mode(BlockMode::Independent);
        Self::Frame(Box::new(FrameEncoder::with_frame_info(info, Vec::new())))
    }

    /// The value of `Content-Encoding`, if there is one.
    pub(crate) fn content_encoding(&self) -> Option<&'static str> {
        match self {
            Self::Frame(_) => Some("lz4"),
            Self::Plain | Self::Blocks => None,
        }
    }

    /// Encodes `data` into separate blocks. Nothing is held back, so an error at the end of a stream does not mix
    /// with the rows before it.
    pub(crate) fn pack(&mut self, data: Bytes) -> std::io::Result<Bytes> {
        match self {
            Self::Plain => Ok(data),
            Self::Blocks => {
                let mut out = Vec::with_capacity(data.len() / 2 + 64);
                encode_blocks(&data, &mut out);
                Ok(out.into())
            }
            Self::Frame(encoder) => {
                encoder.write_all(&data)?;
                encoder.flush()?;
                Ok(std::mem::take(encoder.get_mut()).into())
            }
        }
    }

    /// The end of the answer.
    pub(crate) fn finish(&mut self) -> std::io::Result<Bytes> {
        match self {
            Self::Plain | Self::Blocks => Ok(Bytes::new()),
            Self::Frame(encoder) => {
                encoder.try_finish()?;
                Ok(std::mem::take(encoder.get_mut()).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn frame_is_a_standard_lz4_frame_and_flushes_each_piece() {
        let mut encoder = Encoder::lz4_frame();
        let pieces = [vec![7_u8; 600_000], b"tail".to_vec()];
        let mut packed = Vec::new();
        for piece in &pieces {
            let bytes = encoder.pack(piece.clone().into()).unwrap();
            assert!(!bytes.is_empty(), "a piece was held back");
            packed.extend_from_slice(&bytes);
        }
        packed.extend_from_slice(&encoder.finish().unwrap());
        let mut plain = Vec::new();
        lz4_flex::frame::FrameDecoder::new(&packed[..]).read_to_end(&mut plain).unwrap();
        assert_eq!(plain, pieces.concat());
    }

    #[test]
    fn an_empty_answer_is_still_a_frame() {
        let mut encoder = Encoder::lz4_frame();
        let packed = encoder.finish().unwrap();
        let mut plain = Vec::new();
        lz4_flex::frame::FrameDecoder::new(&packed[..]).read_to_end(&mut plain).unwrap();
        assert!(plain.is_empty() && !packed.is_empty());
    }
}
