//! Several messages at a time through the SHA instructions of x86-64.
//!
//! One message leaves these units idle most of the time, because each instruction waits for the one before it. A
//! second, independent message fills the gaps.
#![allow(
    unsafe_code,
    reason = "vector loads and stores by address, and calls of functions that need the CPU feature"
)]

use std::arch::x86_64::*;

use super::constants::{DIGEST_BITS, END, HEADER_BITS, INITIAL, K, NODE_PADDING};
use super::{Kernel, RootWork, SHA_NI};
use crate::digest::Hash256;

/// Messages at a time.
const WAYS: usize = 2;

/// The state of each message in the order of the instructions: words (f, e, b, a) and (h, g, d, c), lowest first.
type States = [[__m128i; 2]; WAYS];

/// The 16 words of a block of each message, in order.
type Blocks = [[__m128i; 4]; WAYS];

/// The kernel, if this CPU has what it needs.
pub(super) fn kernel() -> Option<Kernel> {
    let found = is_x86_feature_detected!("sha")
        && is_x86_feature_detected!("sse4.1")
        && is_x86_feature_detected!("ssse3");
    found.then_some(Kernel { name: SHA_NI, lanes: WAYS, headers, nodes, roots })
}

fn headers(messages: &[[u8; 80]], out: &mut [Hash256]) {
    // SAFETY: this function is private and leaves the module only through `kernel`, which has found the features.
    unsafe { headers_inner(messages, out) }
}

fn nodes(messages: &[[u8; 64]], out: &mut [Hash256]) {
    // SAFETY: as for `headers`.
    unsafe { nodes_inner(messages, out) }
}

fn roots(work: &RootWork, blocks: &[[u8; 64]], out: &mut [Hash256]) {
    // SAFETY: as for `headers`.
    unsafe { roots_inner(work, blocks, out) }
}

/// Four words, the first one lowest.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn four(words: [u32; 4]) -> __m128i {
    let [w0, w1, w2, w3] = words.map(u32::cast_signed);
    _mm_set_epi32(w3, w2, w1, w0)
}

/// The state in the order of the instructions.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn state_of(words: &[u32; 8]) -> [__m128i; 2] {
    let [a, b, c, d, e, f, g, h] = *words;
    [four([f, e, b, a]), four([h, g, d, c])]
}

/// The words of a state in order: the message of the second hash.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn words_of(state: &[__m128i; 2]) -> [__m128i; 2] {
    let [feba, hgdc] = *state;
    [
        _mm_shuffle_epi32::<0xb1>(_mm_unpackhi_epi64(feba, hgdc)),
        _mm_shuffle_epi32::<0xb1>(_mm_unpacklo_epi64(feba, hgdc)),
    ]
}

/// Swaps the bytes of each word.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn swap_bytes(x: __m128i) -> __m128i {
    _mm_shuffle_epi8(x, _mm_set_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203))
}

/// Four rounds of each message; `$sum` gives the words and round constants that they add, for message `$way`.
macro_rules! four_rounds {
    ($states:ident, $way:ident => $sum:expr) => {
        for $way in 0..WAYS {
            let sum = $sum;
            let [feba, hgdc] = $states[$way];
            let next = _mm_sha256rnds2_epu32(hgdc, feba, sum);
            $states[$way] = [_mm_sha256rnds2_epu32(feba, next, _mm_shuffle_epi32::<0x0e>(sum)), next];
        }
    };
}

/// The round constants of rounds `4 * group` to `4 * group + 3`.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn constants(group: usize) -> __m128i {
    four([K[4 * group], K[4 * group + 1], K[4 * group + 2], K[4 * group + 3]])
}

/// The next four words of a schedule, from the sixteen before them.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn expand(w0: __m128i, w1: __m128i, w2: __m128i, w3: __m128i) -> __m128i {
    let early = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8::<4>(w3, w2));
    _mm_sha256msg2_epu32(early, w3)
}

#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn add_states(states: &mut States, before: &States) {
    for (state, before) in states.iter_mut().zip(before) {
        for (new, old) in state.iter_mut().zip(before) {
            *new = _mm_add_epi32(*new, *old);
        }
    }
}

/// One block of each message.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn compress(states: &mut States, mut w: Blocks) {
    let before = *states;
    macro_rules! given {
        ($($group:literal)*) => { $(
            four_rounds!(states, way => _mm_add_epi32(w[way][$group], constants($group)));
        )* };
    }
    macro_rules! expanded {
        ($($group:literal)*) => { $(
            four_rounds!(states, way => {
                let [w0, w1, w2, w3] =
                    [w[way][$group % 4], w[way][($group + 1) % 4], w[way][($group + 2) % 4], w[way][($group + 3) % 4]];
                w[way][$group % 4] = expand(w0, w1, w2, w3);
                _mm_add_epi32(w[way][$group % 4], constants($group))
            });
        )* };
    }
    given!(0 1 2 3);
    expanded!(4 5 6 7 8 9 10 11 12 13 14 15);
    add_states(states, &before);
}

/// One block that is the same in all messages.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn compress_known(states: &mut States, sums: &[u32; 64]) {
    let before = *states;
    for sums in sums.as_chunks::<4>().0 {
        let sum = four(*sums);
        four_rounds!(states, _way => sum);
    }
    add_states(states, &before);
}

/// SHA-256 of each digest.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn hash_digests(digests: &States) -> States {
    let mut blocks = [[four([0; 4]); 4]; WAYS];
    for (block, digest) in blocks.iter_mut().zip(digests) {
        let [front, back] = words_of(digest);
        *block = [front, back, four([END, 0, 0, 0]), four([0, 0, 0, DIGEST_BITS])];
    }
    let mut states = [state_of(&INITIAL); WAYS];
    compress(&mut states, blocks);
    states
}

/// Words `AT / 4` to `AT / 4 + 15` of each message: the first is number `first`, the next stands `stride` further.
///
/// A slice that is too short makes this panic; nothing outside it is read.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn load<const BYTES: usize, const AT: usize>(
    messages: &[[u8; BYTES]],
    first: usize,
    stride: usize,
) -> Blocks {
    const { assert!(AT + 64 <= BYTES) };
    let mut blocks = [[four([0; 4]); 4]; WAYS];
    for (way, block) in blocks.iter_mut().enumerate() {
        let message: &[u8; BYTES] = &messages[first + way * stride];
        for (group, words) in block.iter_mut().enumerate() {
            // SAFETY: the 64 bytes from AT lie within the message, by the assertion above; no alignment is asked for.
            *words = swap_bytes(unsafe { _mm_loadu_si128(message.as_ptr().add(AT + 16 * group).cast()) });
        }
    }
    blocks
}

/// Writes the digest of each message.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn store(states: &States, out: &mut [Hash256; WAYS]) {
    for (state, out) in states.iter().zip(out) {
        let [front, back] = words_of(state);
        // SAFETY: a hash has the 32 bytes that are written; no alignment is asked for.
        unsafe {
            let to = out.as_mut_ptr();
            _mm_storeu_si128(to.cast(), swap_bytes(front));
            _mm_storeu_si128(to.add(16).cast(), swap_bytes(back));
        }
    }
}

#[target_feature(enable = "sha,sse4.1,ssse3")]
fn headers_inner(messages: &[[u8; 80]], out: &mut [Hash256]) {
    for (messages, out) in messages.as_chunks::<WAYS>().0.iter().zip(out.as_chunks_mut::<WAYS>().0) {
        let mut states = [state_of(&INITIAL); WAYS];
        compress(&mut states, load::<80, 0>(messages, 0, 1));
        let mut tails = load::<80, 16>(messages, 0, 1);
        for tail in &mut tails {
            *tail = [tail[3], four([END, 0, 0, 0]), four([0; 4]), four([0, 0, 0, HEADER_BITS])];
        }
        compress(&mut states, tails);
        store(&hash_digests(&states), out);
    }
}

/// SHA-256d of messages of 64 bytes.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn hash_nodes(blocks: Blocks) -> States {
    let mut states = [state_of(&INITIAL); WAYS];
    compress(&mut states, blocks);
    compress_known(&mut states, &NODE_PADDING);
    hash_digests(&states)
}

#[target_feature(enable = "sha,sse4.1,ssse3")]
fn nodes_inner(messages: &[[u8; 64]], out: &mut [Hash256]) {
    for (messages, out) in messages.as_chunks::<WAYS>().0.iter().zip(out.as_chunks_mut::<WAYS>().0) {
        store(&hash_nodes(load::<64, 0>(messages, 0, 1)), out);
    }
}

#[target_feature(enable = "sha,sse4.1,ssse3")]
fn roots_inner(work: &RootWork, blocks: &[[u8; 64]], out: &mut [Hash256]) {
    for (group, out) in out.as_chunks_mut::<WAYS>().0.iter_mut().enumerate() {
        let stride = work.own_blocks;
        let own = &blocks[group * WAYS * stride..(group + 1) * WAYS * stride];
        let mut states = [state_of(&work.midstate); WAYS];
        for block in 0..stride {
            compress(&mut states, load::<64, 0>(own, block, stride));
        }
        for sums in &work.common_sums {
            compress_known(&mut states, sums);
        }
        let mut roots = hash_digests(&states);
        for beside in &work.branch {
            let [b0, b1, b2, b3, b4, b5, b6, b7] = *beside;
            let mut nodes = [[four([0; 4]); 4]; WAYS];
            for (node, root) in nodes.iter_mut().zip(&roots) {
                let [front, back] = words_of(root);
                *node = [front, back, four([b0, b1, b2, b3]), four([b4, b5, b6, b7])];
            }
            roots = hash_nodes(nodes);
        }
        store(&roots, out);
    }
}
