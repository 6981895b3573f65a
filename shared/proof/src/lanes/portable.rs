//! One message at a time through the `sha2` crate, on every CPU.

use sha2::block_api::compress256;

use super::constants::INITIAL;
use super::{Kernel, RootWork};
use crate::hash::{Hash256, sha256d};

/// The kernel; there is no CPU without what it needs.
pub(super) fn kernel() -> Kernel {
    Kernel { name: "portable", lanes: 1, headers, nodes, roots }
}

fn headers(messages: &[[u8; 80]], out: &mut [Hash256]) {
    for (message, out) in messages.iter().zip(out) {
        *out = sha256d(message);
    }
}

fn nodes(messages: &[[u8; 64]], out: &mut [Hash256]) {
    for (message, out) in messages.iter().zip(out) {
        *out = sha256d(message);
    }
}

fn roots(work: &RootWork, blocks: &[[u8; 64]], out: &mut [Hash256]) {
    for (share, out) in out.iter_mut().enumerate() {
        let mut state = work.midstate;
        compress256(&mut state, &blocks[share * work.own_blocks..(share + 1) * work.own_blocks]);
        compress256(&mut state, &work.common_blocks);
        let mut root = hash_digest(&state);
        for beside in &work.branch {
            let mut node = [0; 64];
            let (below, above) = node.split_at_mut(32);
            below.copy_from_slice(&root);
            above.copy_from_slice(&bytes_of(beside));
            root = sha256d(&node);
        }
        *out = root;
    }
}

/// SHA-256 of the digest that a state is.
fn hash_digest(state: &[u32; 8]) -> Hash256 {
    let mut block = [0; 64];
    block[..32].copy_from_slice(&bytes_of(state));
    // The end bit, and the length of 256 bits in the last two bytes.
    block[32] = 0x80;
    block[62] = 1;
    let mut state = INITIAL;
    compress256(&mut state, &[block]);
    bytes_of(&state)
}

fn bytes_of(words: &[u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *bytes = word.to_be_bytes();
    }
    bytes
}
