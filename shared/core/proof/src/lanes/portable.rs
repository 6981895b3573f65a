//! One message at a time through the `sha2` crate, on every CPU.

use sha2::block_api::compress256;

use super::constants::{DIGEST_BITS, HEADER_BITS, INITIAL, NODE_BITS};
use super::{Kernel, RootWork};
use crate::digest::Hash256;

/// The kernel; it runs on every CPU.
pub(super) fn kernel() -> Kernel {
    Kernel { name: "portable", lanes: 1, headers, nodes, roots }
}

fn headers(messages: &[[u8; 80]], out: &mut [Hash256]) {
    for (message, out) in messages.iter().zip(out) {
        let (front, back) = message.split_at(64);
        let mut tail = padding(HEADER_BITS);
        tail[..16].copy_from_slice(back);
        tail[16] = 0x80;
        let mut state = INITIAL;
        compress256(&mut state, front.as_chunks::<64>().0);
        compress256(&mut state, &[tail]);
        *out = hash_digest(&state);
    }
}

fn nodes(messages: &[[u8; 64]], out: &mut [Hash256]) {
    let mut tail = padding(NODE_BITS);
    tail[0] = 0x80;
    for (message, out) in messages.iter().zip(out) {
        let mut state = INITIAL;
        compress256(&mut state, &[*message, tail]);
        *out = hash_digest(&state);
    }
}

fn roots(work: &RootWork, blocks: &[[u8; 64]], out: &mut [Hash256]) {
    for (share, out) in out.iter_mut().enumerate() {
        let mut state = work.midstate;
        compress256(&mut state, &blocks[share * work.own_blocks..(share + 1) * work.own_blocks]);
        compress256(&mut state, &work.common_blocks);
        let mut root = [hash_digest(&state)];
        for beside in &work.branch {
            let mut node = [0; 64];
            let (below, above) = node.split_at_mut(32);
            below.copy_from_slice(&root[0]);
            above.copy_from_slice(&bytes_of(beside));
            nodes(&[node], &mut root);
        }
        *out = root[0];
    }
}

/// SHA-256 of the digest that a state is.
fn hash_digest(state: &[u32; 8]) -> Hash256 {
    let mut block = padding(DIGEST_BITS);
    block[..32].copy_from_slice(&bytes_of(state));
    block[32] = 0x80;
    let mut state = INITIAL;
    compress256(&mut state, &[block]);
    bytes_of(&state)
}

/// A last block that holds only the length of the message.
fn padding(bits: u32) -> [u8; 64] {
    let mut block = [0; 64];
    block[60..].copy_from_slice(&bits.to_be_bytes());
    block
}

fn bytes_of(words: &[u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *bytes = word.to_be_bytes();
    }
    bytes
}
