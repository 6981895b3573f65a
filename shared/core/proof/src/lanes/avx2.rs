//! Eight messages side by side in 256-bit vectors (AVX2).
#![allow(
    unsafe_code,
    reason = "vector loads and stores by address, and calls of functions that need the CPU feature"
)]

use std::arch::x86_64::*;

use super::constants::{
    DIGEST_BITS, END, HEADER_BITS, INITIAL, K, NODE_PADDING, scheduled, small_sigma0 as sigma0_of,
    small_sigma1 as sigma1_of,
};
use super::wide::{round, sixteen_rounds, wide_kernel};
use super::{Kernel, RootWork};
use crate::digest::Hash256;

const LANES: usize = 8;

/// The kernel, if this CPU has what it needs.
pub(super) fn kernel() -> Option<Kernel> {
    is_x86_feature_detected!("avx2").then_some(Kernel { name: "avx2", lanes: LANES, headers, nodes, roots })
}

fn headers(messages: &[[u8; 80]], out: &mut [Hash256]) {
    // SAFETY: this function is private and leaves the module only through `kernel`, which has found the feature.
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

#[inline]
#[target_feature(enable = "avx2")]
fn splat(word: u32) -> __m256i {
    _mm256_set1_epi32(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx2")]
fn add(x: __m256i, y: __m256i) -> __m256i {
    _mm256_add_epi32(x, y)
}

#[inline]
#[target_feature(enable = "avx2")]
fn choose(e: __m256i, f: __m256i, g: __m256i) -> __m256i {
    _mm256_xor_si256(g, _mm256_and_si256(e, _mm256_xor_si256(f, g)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn majority(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_xor_si256(b, _mm256_and_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(b, c)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor3(x: __m256i, y: __m256i, z: __m256i) -> __m256i {
    _mm256_xor_si256(_mm256_xor_si256(x, y), z)
}

/// A rotation by two shifts, `LEFT` = 32 - `RIGHT`: this width has no rotation of its own.
#[inline]
#[target_feature(enable = "avx2")]
fn rotate<const RIGHT: i32, const LEFT: i32>(x: __m256i) -> __m256i {
    const { assert!(RIGHT + LEFT == 32) };
    _mm256_xor_si256(_mm256_srli_epi32::<RIGHT>(x), _mm256_slli_epi32::<LEFT>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn big_sigma0(x: __m256i) -> __m256i {
    xor3(rotate::<2, 30>(x), rotate::<13, 19>(x), rotate::<22, 10>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn big_sigma1(x: __m256i) -> __m256i {
    xor3(rotate::<6, 26>(x), rotate::<11, 21>(x), rotate::<25, 7>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn small_sigma0(x: __m256i) -> __m256i {
    xor3(rotate::<7, 25>(x), rotate::<18, 14>(x), _mm256_srli_epi32::<3>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn small_sigma1(x: __m256i) -> __m256i {
    xor3(rotate::<17, 15>(x), rotate::<19, 13>(x), _mm256_srli_epi32::<10>(x))
}

/// Swaps the bytes of each word.
#[inline]
#[target_feature(enable = "avx2")]
fn swap_bytes(x: __m256i) -> __m256i {
    let half = _mm_set_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
    _mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(half))
}

/// Transposes 8 x 8 words.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose(r: &[__m256i; 8]) -> [__m256i; 8] {
    let mut q = [[r[0]; 4]; 2];
    for (rows, q) in r.as_chunks::<4>().0.iter().zip(&mut q) {
        let [r0, r1, r2, r3] = *rows;
        let (low01, high01) = (_mm256_unpacklo_epi32(r0, r1), _mm256_unpackhi_epi32(r0, r1));
        let (low23, high23) = (_mm256_unpacklo_epi32(r2, r3), _mm256_unpackhi_epi32(r2, r3));
        *q = [
            _mm256_unpacklo_epi64(low01, low23),
            _mm256_unpackhi_epi64(low01, low23),
            _mm256_unpacklo_epi64(high01, high23),
            _mm256_unpackhi_epi64(high01, high23),
        ];
    }
    let mut words = *r;
    for j in 0..4 {
        words[j] = _mm256_permute2x128_si256::<0x20>(q[0][j], q[1][j]);
        words[4 + j] = _mm256_permute2x128_si256::<0x31>(q[0][j], q[1][j]);
    }
    words
}

/// Words `AT / 4` to `AT / 4 + 15` of eight messages: the first is number `first`, the next stands `stride` further.
///
/// A slice that is too short makes this panic; nothing outside it is read.
#[inline]
#[target_feature(enable = "avx2")]
fn load<const BYTES: usize, const AT: usize>(
    messages: &[[u8; BYTES]],
    first: usize,
    stride: usize,
) -> [__m256i; 16] {
    const { assert!(AT + 64 <= BYTES) };
    let mut halves = [[splat(0); LANES]; 2];
    for lane in 0..LANES {
        let message: &[u8; BYTES] = &messages[first + lane * stride];
        // SAFETY: the 64 bytes from AT lie within the message, by the assertion above; no alignment is asked for.
        let (front, back) = unsafe {
            let at = message.as_ptr().add(AT);
            (_mm256_loadu_si256(at.cast()), _mm256_loadu_si256(at.add(32).cast()))
        };
        halves[0][lane] = swap_bytes(front);
        halves[1][lane] = swap_bytes(back);
    }
    let mut words = [splat(0); 16];
    let (fronts, backs) = words.split_at_mut(8);
    fronts.copy_from_slice(&transpose(&halves[0]));
    backs.copy_from_slice(&transpose(&halves[1]));
    words
}

/// Writes the digest of each lane.
#[inline]
#[target_feature(enable = "avx2")]
fn store(state: &State, out: &mut [Hash256; LANES]) {
    for (digest, out) in transpose(state).into_iter().zip(out) {
        // SAFETY: a hash has the 32 bytes that are written; no alignment is asked for.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), swap_bytes(digest)) };
    }
}

wide_kernel!("avx2", __m256i, 8);
