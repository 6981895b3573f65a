//! Sixteen messages side by side in 512-bit vectors (AVX-512 F and BW).
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

const LANES: usize = 16;

/// The kernel, if this CPU has what it needs.
pub(super) fn kernel() -> Option<Kernel> {
    (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")).then_some(Kernel {
        name: "avx512",
        lanes: LANES,
        headers,
        nodes,
        roots,
    })
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

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn splat(word: u32) -> __m512i {
    _mm512_set1_epi32(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn add(x: __m512i, y: __m512i) -> __m512i {
    _mm512_add_epi32(x, y)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn choose(e: __m512i, f: __m512i, g: __m512i) -> __m512i {
    // e ? f : g
    _mm512_ternarylogic_epi32::<0xca>(e, f, g)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn majority(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0xe8>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn xor3(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0x96>(x, y, z)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn big_sigma0(x: __m512i) -> __m512i {
    xor3(_mm512_ror_epi32::<2>(x), _mm512_ror_epi32::<13>(x), _mm512_ror_epi32::<22>(x))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn big_sigma1(x: __m512i) -> __m512i {
    xor3(_mm512_ror_epi32::<6>(x), _mm512_ror_epi32::<11>(x), _mm512_ror_epi32::<25>(x))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn small_sigma0(x: __m512i) -> __m512i {
    xor3(_mm512_ror_epi32::<7>(x), _mm512_ror_epi32::<18>(x), _mm512_srli_epi32::<3>(x))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn small_sigma1(x: __m512i) -> __m512i {
    xor3(_mm512_ror_epi32::<17>(x), _mm512_ror_epi32::<19>(x), _mm512_srli_epi32::<10>(x))
}

/// Swaps the bytes of each word.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn swap_bytes(x: __m512i) -> __m512i {
    let order = _mm512_set4_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
    _mm512_shuffle_epi8(x, order)
}

/// Transposes each 4 x 4 square of words: of four vectors of one message each, vector `j` of the result holds in its
/// quarter `c` word `4 c + j` of all four.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn squares(r0: __m512i, r1: __m512i, r2: __m512i, r3: __m512i) -> [__m512i; 4] {
    let (low01, high01) = (_mm512_unpacklo_epi32(r0, r1), _mm512_unpackhi_epi32(r0, r1));
    let (low23, high23) = (_mm512_unpacklo_epi32(r2, r3), _mm512_unpackhi_epi32(r2, r3));
    [
        _mm512_unpacklo_epi64(low01, low23),
        _mm512_unpackhi_epi64(low01, low23),
        _mm512_unpacklo_epi64(high01, high23),
        _mm512_unpackhi_epi64(high01, high23),
    ]
}

/// Words `AT / 4` to `AT / 4 + 15` of sixteen messages: the first is number `first`, the next stands `stride` further.
///
/// A slice that is too short makes this panic; nothing outside it is read.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load<const BYTES: usize, const AT: usize>(
    messages: &[[u8; BYTES]],
    first: usize,
    stride: usize,
) -> [__m512i; 16] {
    const { assert!(AT + 64 <= BYTES) };
    let mut rows = [splat(0); LANES];
    for (lane, row) in rows.iter_mut().enumerate() {
        let message: &[u8; BYTES] = &messages[first + lane * stride];
        // SAFETY: the 64 bytes from AT lie within the message, by the assertion above; no alignment is asked for.
        *row = swap_bytes(unsafe { _mm512_loadu_si512(message.as_ptr().add(AT).cast()) });
    }
    let q = [
        squares(rows[0], rows[1], rows[2], rows[3]),
        squares(rows[4], rows[5], rows[6], rows[7]),
        squares(rows[8], rows[9], rows[10], rows[11]),
        squares(rows[12], rows[13], rows[14], rows[15]),
    ];
    let mut words = [splat(0); 16];
    for j in 0..4 {
        // A transposition again, of quarters.
        let even01 = _mm512_shuffle_i32x4::<0x88>(q[0][j], q[1][j]);
        let odd01 = _mm512_shuffle_i32x4::<0xdd>(q[0][j], q[1][j]);
        let even23 = _mm512_shuffle_i32x4::<0x88>(q[2][j], q[3][j]);
        let odd23 = _mm512_shuffle_i32x4::<0xdd>(q[2][j], q[3][j]);
        words[j] = _mm512_shuffle_i32x4::<0x88>(even01, even23);
        words[4 + j] = _mm512_shuffle_i32x4::<0x88>(odd01, odd23);
        words[8 + j] = _mm512_shuffle_i32x4::<0xdd>(even01, even23);
        words[12 + j] = _mm512_shuffle_i32x4::<0xdd>(odd01, odd23);
    }
    words
}

/// Writes the digest of each lane.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn store(state: &State, out: &mut [Hash256; LANES]) {
    let fronts = squares(state[0], state[1], state[2], state[3]);
    let backs = squares(state[4], state[5], state[6], state[7]);
    let near = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
    let far = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
    for j in 0..4 {
        // Quarter c of both belongs to lane 4 c + j: front half and back half of its digest.
        let front = swap_bytes(fronts[j]);
        let back = swap_bytes(backs[j]);
        let lanes01 = _mm512_permutex2var_epi64(front, near, back);
        let lanes23 = _mm512_permutex2var_epi64(front, far, back);
        for (lane, digest) in [
            (j, _mm512_castsi512_si256(lanes01)),
            (4 + j, _mm512_extracti64x4_epi64::<1>(lanes01)),
            (8 + j, _mm512_castsi512_si256(lanes23)),
            (12 + j, _mm512_extracti64x4_epi64::<1>(lanes23)),
        ] {
            // SAFETY: a hash has the 32 bytes that are written; no alignment is asked for.
            unsafe { _mm256_storeu_si256(out[lane].as_mut_ptr().cast(), digest) };
        }
    }
}

wide_kernel!("avx512f,avx512bw", __m512i, 16);
