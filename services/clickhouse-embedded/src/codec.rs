//! Encoding of bodies: ClickHouse's block framing, the LZ4 frame of `Content-Encoding: lz4`, and headers that
//! streamed answers repeat.

mod answer;
mod block;
mod header;

pub(crate) use answer::Encoder;
pub(crate) use block::BlockDecoder;
pub(crate) use header::{HeaderTrim, is_streamable};
