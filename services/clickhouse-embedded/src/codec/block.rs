//! ClickHouse's native compressed blocks (`compress=1`, `decompress=1`).
//!
//! A block is: CityHash 1.0.2 checksum (16 bytes, over all that follows),
//! method (1 byte), size with this 9-byte header (u32), size of the data
//! (u32), payload; integers are little-endian. Methods: 0x82 LZ4, 0x02 none.

use bytes::{Buf, Bytes, BytesMut};

use crate::exception::{ChException, code};

const CHECKSUM_BYTES: usize = 16;
const HEADER_BYTES: usize = 9;
const METHOD_NONE: u8 = 0x02;
const METHOD_LZ4: u8 = 0x82;
/// The largest accepted block, compressed or not, because it is held in memory.
const MAX_BLOCK_BYTES: usize = 64 << 20;
/// Data bytes per written block; ClickHouse's own buffer size.
const WRITE_BLOCK_BYTES: usize = 1 << 20;

/// Collects bytes as they arrive and returns data block by block.
#[derive(Default)]
pub(crate) struct BlockDecoder {
    pending: BytesMut,
}

impl BlockDecoder {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The data of the next block, once it is complete.
    pub(crate) fn next_block(&mut self) -> Result<Option<Bytes>, ChException> {
        let Some(mut head) = self.pending.get(..CHECKSUM_BYTES + HEADER_BYTES) else {
            return Ok(None);
        };
        let stated = head.get_u128_le();
        let method = head.get_u8();
        let packed = usize::try_from(head.get_u32_le()).unwrap_or(usize::MAX);
        let plain = usize::try_from(head.get_u32_le()).unwrap_or(usize::MAX);
        if packed > MAX_BLOCK_BYTES || plain > MAX_BLOCK_BYTES || packed < HEADER_BYTES {
            return Err(ChException::new(
                code::TOO_LARGE_SIZE_COMPRESSED,
                "TOO_LARGE_SIZE_COMPRESSED",
                format!(
                    "A compressed block states {packed} bytes packed and {plain} bytes of data; 9 to {MAX_BLOCK_BYTES} are accepted. The body is corrupt or is not in ClickHouse's block framing"
                ),
            ));
        }
        let whole = CHECKSUM_BYTES + packed;
        if self.pending.len() < whole {
            self.pending.reserve(whole - self.pending.len());
            return Ok(None);
        }
        let block = self.pending.split_to(whole).freeze();
        let found = checksum(&block[CHECKSUM_BYTES..]);
        if found != stated {
            return Err(ChException::new(
                code::CHECKSUM_DOESNT_MATCH,
                "CHECKSUM_DOESNT_MATCH",
                format!(
                    "Checksum doesn't match: a compressed block states {stated:032x} but its bytes give {found:032x}; the data was changed in transit"
                ),
            ));
        }
        let payload = block.slice(CHECKSUM_BYTES + HEADER_BYTES..);
        match method {
            METHOD_NONE if payload.len() == plain => Ok(Some(payload)),
            METHOD_LZ4 => match lz4_flex::block::decompress(&payload, plain) {
                Ok(data) if data.len() == plain => Ok(Some(data.into())),
                _ => Err(cannot_decompress(plain)),
            },
            METHOD_NONE => Err(cannot_decompress(plain)),
            other => Err(ChException::new(
                code::UNKNOWN_COMPRESSION_METHOD,
                "UNKNOWN_COMPRESSION_METHOD",
                format!(
                    "Unknown compression method 0x{other:02x} in a block; 0x82 (LZ4) and 0x02 (none) are supported"
                ),
            )),
        }
    }

    /// Whether the bytes so far end at a block's end.
    pub(crate) fn is_at_block_end(&self) -> bool {
        self.pending.is_empty()
    }
}

fn cannot_decompress(plain: usize) -> ChException {
    ChException::new(
        code::CANNOT_DECOMPRESS,
        "CANNOT_DECOMPRESS",
        format!("Cannot decompress a block to the {plain} bytes it states"),
    )
}

/// Encodes `data` into blocks, appended to `out`.
pub(super) fn encode_blocks(data: &[u8], out: &mut Vec<u8>) {
    for part in data.chunks(WRITE_BLOCK_BYTES) {
        let payload = lz4_flex::block::compress(part);
        // Both fit: a part has at most 1 MiB and LZ4 adds less than 1 % to it.
        let packed = u32::try_from(payload.len() + HEADER_BYTES).unwrap_or(u32::MAX);
        let plain = u32::try_from(part.len()).unwrap_or(u32::MAX);
        let start = out.len();
        out.extend_from_slice(&[0; CHECKSUM_BYTES]);
        out.push(METHOD_LZ4);
        out.extend_from_slice(&packed.to_le_bytes());
        out.extend_from_slice(&plain.to_le_bytes());
        out.extend_from_slice(&payload);
        let sum = checksum(&out[start + CHECKSUM_BYTES..]);
        out[start..start + CHECKSUM_BYTES].copy_from_slice(&sum.to_le_bytes());
    }
}

// ClickHouse stores the two 64-bit halves the other way round than a u128 does.
fn checksum(bytes: &[u8]) -> u128 {
    cityhash_rs::cityhash_102_128(bytes).rotate_right(64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(bytes: &[u8], step: usize) -> Result<Vec<u8>, ChException> {
        let mut decoder = BlockDecoder::default();
        let mut out = Vec::new();
        for part in bytes.chunks(step.max(1)) {
            decoder.push(part);
            while let Some(data) = decoder.next_block()? {
                out.extend_from_slice(&data);
            }
        }
        assert!(decoder.is_at_block_end());
        Ok(out)
    }

    proptest! {
        #[test]
        fn blocks_come_back_however_they_are_cut(data in proptest::collection::vec(any::<u8>(), 0..5000), step in 1_usize..700) {
            let mut packed = Vec::new();
            encode_blocks(&data, &mut packed);
            prop_assert_eq!(decode(&packed, step).unwrap(), data);
        }

        #[test]
        fn a_changed_byte_is_noticed(data in proptest::collection::vec(any::<u8>(), 1..500), at in any::<prop::sample::Index>()) {
            let mut packed = Vec::new();
            encode_blocks(&data, &mut packed);
            // The two sizes decide how many bytes are awaited; everything else must fail at once.
            let index = at.index(packed.len());
            prop_assume!(!(17..25).contains(&index));
            packed[index] ^= 0x40;
            prop_assert!(decode(&packed, usize::MAX).is_err());
        }
    }

    #[test]
    fn uncompressed_method_is_read_and_others_are_refused() {
        let mut block = vec![METHOD_NONE];
        block.extend_from_slice(&12_u32.to_le_bytes());
        block.extend_from_slice(&3_u32.to_le_bytes());
        block.extend_from_slice(b"abc");
        let framed = |block: &[u8]| [&checksum(block).to_le_bytes()[..], block].concat();
        assert_eq!(decode(&framed(&block), 5).unwrap(), b"abc");
        block[0] = 0x90;
        assert_eq!(decode(&framed(&block), 99).unwrap_err().code(), code::UNKNOWN_COMPRESSION_METHOD);
    }

    #[test]
    fn a_huge_block_is_refused_before_it_is_stored() {
        let mut head = vec![0_u8; 16];
        head.push(METHOD_LZ4);
        head.extend_from_slice(&u32::MAX.to_le_bytes());
        head.extend_from_slice(&1_u32.to_le_bytes());
        let mut decoder = BlockDecoder::default();
        decoder.push(&head);
        assert_eq!(decoder.next_block().unwrap_err().code(), code::TOO_LARGE_SIZE_COMPRESSED);
    }
}
