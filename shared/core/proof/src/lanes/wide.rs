//! SHA-256 over vectors that hold one word of many messages, the same for each width of vector.
//!
//! [`wide_kernel`] uses functions that a module for one width defines: `add`, `splat`, `choose`, `majority`, the four
//! sigmas, `load`, `store`. What it makes may only run on a CPU with the given features.

/// One round (FIPS 180-4, 6.2.2). The variables keep their values and change their places: what is `h` here is `a` in the
/// next round.
macro_rules! round {
    ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $sum:expr) => {
        let first = add(add(add($h, $sum), choose($e, $f, $g)), big_sigma1($e));
        $d = add($d, first);
        $h = add(first, add(majority($a, $b, $c), big_sigma0($a)));
    };
}

/// Sixteen rounds, after which every variable has its place again. `$sum` gives what round `$t` adds.
macro_rules! sixteen_rounds {
    ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $t:ident => $sum:expr) => {
        sixteen_rounds!(@eight 0 1 2 3 4 5 6 7, $a $b $c $d $e $f $g $h, $t => $sum);
        sixteen_rounds!(@eight 8 9 10 11 12 13 14 15, $a $b $c $d $e $f $g $h, $t => $sum);
    };
    (@eight $t0:literal $t1:literal $t2:literal $t3:literal $t4:literal $t5:literal $t6:literal $t7:literal,
     $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $t:ident => $sum:expr) => {
        round!($a $b $c $d $e $f $g $h, { const $t: usize = $t0; $sum });
        round!($h $a $b $c $d $e $f $g, { const $t: usize = $t1; $sum });
        round!($g $h $a $b $c $d $e $f, { const $t: usize = $t2; $sum });
        round!($f $g $h $a $b $c $d $e, { const $t: usize = $t3; $sum });
        round!($e $f $g $h $a $b $c $d, { const $t: usize = $t4; $sum });
        round!($d $e $f $g $h $a $b $c, { const $t: usize = $t5; $sum });
        round!($c $d $e $f $g $h $a $b, { const $t: usize = $t6; $sum });
        round!($b $c $d $e $f $g $h $a, { const $t: usize = $t7; $sum });
    };
}

/// The compressions and hashes of one width of vector.
macro_rules! wide_kernel {
    ($features:literal, $vector:ty, $lanes:literal) => {
        /// The eight words of the state of all lanes.
        type State = [$vector; 8];

        #[inline]
        #[target_feature(enable = $features)]
        fn splat_all<const N: usize>(words: &[u32; N]) -> [$vector; N] {
            let mut vectors = [splat(0); N];
            for (vector, word) in vectors.iter_mut().zip(words) {
                *vector = splat(*word);
            }
            vectors
        }

        /// The rounds from 16 on: `$w` holds the words of rounds `16 * $done` and the fifteen after it.
        #[inline]
        #[target_feature(enable = $features)]
        fn finish<const DONE: usize>(state: &mut State, rounds: State, mut w: [$vector; 16]) {
            let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = rounds;
            for k in &K.as_chunks::<16>().0[DONE..] {
                sixteen_rounds!(a b c d e f g h, T => {
                    let word = add(
                        add(w[T], small_sigma0(w[(T + 1) % 16])),
                        add(w[(T + 9) % 16], small_sigma1(w[(T + 14) % 16])),
                    );
                    w[T] = word;
                    add(word, splat(k[T]))
                });
            }
            for (old, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
                *old = add(*old, new);
            }
        }

        /// One block of any words.
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn compress(state: &mut State, w: &[$vector; 16]) {
            let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
            sixteen_rounds!(a b c d e f g h, T => add(w[T], splat(K[T])));
            finish::<1>(state, [a, b, c, d, e, f, g, h], *w);
        }

        /// One block that is the same in all lanes.
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn compress_known(state: &mut State, sums: &[u32; 64]) {
            let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
            for sums in sums.as_chunks::<16>().0 {
                sixteen_rounds!(a b c d e f g h, T => splat(sums[T]));
            }
            for (old, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
                *old = add(*old, new);
            }
        }

        /// The second block of a header: its last four words, then padding. Of rounds 16 to 31, the terms that come from
        /// the padding are constants or nothing.
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn compress_header_tail(state: &mut State, m: [$vector; 4]) {
            const SUMS: [u32; 64] =
                scheduled(&[0, 0, 0, 0, END, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, HEADER_BITS]);
            let w16 = add(m[0], small_sigma0(m[1]));
            let w17 = add(add(m[1], small_sigma0(m[2])), splat(const { sigma1_of(HEADER_BITS) }));
            let w18 = add(add(m[2], small_sigma0(m[3])), small_sigma1(w16));
            let w19 = add(add(m[3], splat(const { sigma0_of(END) })), small_sigma1(w17));
            let w20 = add(splat(END), small_sigma1(w18));
            let w21 = small_sigma1(w19);
            let w22 = add(splat(HEADER_BITS), small_sigma1(w20));
            let w23 = add(w16, small_sigma1(w21));
            let w24 = add(w17, small_sigma1(w22));
            let w25 = add(w18, small_sigma1(w23));
            let w26 = add(w19, small_sigma1(w24));
            let w27 = add(w20, small_sigma1(w25));
            let w28 = add(w21, small_sigma1(w26));
            let w29 = add(w22, small_sigma1(w27));
            let w30 = add(add(w23, splat(const { sigma0_of(HEADER_BITS) })), small_sigma1(w28));
            let w31 = add(add(w24, splat(HEADER_BITS)), add(small_sigma0(w16), small_sigma1(w29)));
            let w = [w16, w17, w18, w19, w20, w21, w22, w23, w24, w25, w26, w27, w28, w29, w30, w31];

            let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
            sixteen_rounds!(a b c d e f g h, T => {
                if T < 4 { add(m[T % 4], splat(K[T])) } else { splat(const { SUMS[T] }) }
            });
            sixteen_rounds!(a b c d e f g h, T => add(w[T], splat(K[16 + T])));
            finish::<2>(state, [a, b, c, d, e, f, g, h], w);
        }

        /// SHA-256 of a digest: eight words, then padding. As in [`compress_header_tail`], the padding's part of the
        /// schedule is constant.
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn hash_digest(m: &State) -> State {
            const SUMS: [u32; 64] =
                scheduled(&[0, 0, 0, 0, 0, 0, 0, 0, END, 0, 0, 0, 0, 0, 0, DIGEST_BITS]);
            let w16 = add(m[0], small_sigma0(m[1]));
            let w17 = add(add(m[1], small_sigma0(m[2])), splat(const { sigma1_of(DIGEST_BITS) }));
            let w18 = add(add(m[2], small_sigma0(m[3])), small_sigma1(w16));
            let w19 = add(add(m[3], small_sigma0(m[4])), small_sigma1(w17));
            let w20 = add(add(m[4], small_sigma0(m[5])), small_sigma1(w18));
            let w21 = add(add(m[5], small_sigma0(m[6])), small_sigma1(w19));
            let w22 = add(add(m[6], small_sigma0(m[7])), add(splat(DIGEST_BITS), small_sigma1(w20)));
            let w23 = add(add(m[7], splat(const { sigma0_of(END) })), add(w16, small_sigma1(w21)));
            let w24 = add(add(w17, splat(END)), small_sigma1(w22));
            let w25 = add(w18, small_sigma1(w23));
            let w26 = add(w19, small_sigma1(w24));
            let w27 = add(w20, small_sigma1(w25));
            let w28 = add(w21, small_sigma1(w26));
            let w29 = add(w22, small_sigma1(w27));
            let w30 = add(add(w23, splat(const { sigma0_of(DIGEST_BITS) })), small_sigma1(w28));
            let w31 = add(add(w24, splat(DIGEST_BITS)), add(small_sigma0(w16), small_sigma1(w29)));
            let w = [w16, w17, w18, w19, w20, w21, w22, w23, w24, w25, w26, w27, w28, w29, w30, w31];

            let mut state = splat_all(&INITIAL);
            let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
            sixteen_rounds!(a b c d e f g h, T => {
                if T < 8 { add(m[T % 8], splat(K[T])) } else { splat(const { SUMS[T] }) }
            });
            sixteen_rounds!(a b c d e f g h, T => add(w[T], splat(K[16 + T])));
            finish::<2>(&mut state, [a, b, c, d, e, f, g, h], w);
            state
        }

        #[target_feature(enable = $features)]
        fn headers_inner(messages: &[[u8; 80]], out: &mut [Hash256]) {
            let groups = messages.as_chunks::<$lanes>().0.iter().zip(out.as_chunks_mut::<$lanes>().0);
            for (messages, out) in groups {
                let mut state = splat_all(&INITIAL);
                compress(&mut state, &load::<80, 0>(messages, 0, 1));
                let [.., m0, m1, m2, m3] = load::<80, 16>(messages, 0, 1);
                compress_header_tail(&mut state, [m0, m1, m2, m3]);
                store(&hash_digest(&state), out);
            }
        }

        /// SHA-256d of a message of 64 bytes.
        #[inline]
        #[target_feature(enable = $features)]
        fn hash_node(words: &[$vector; 16]) -> State {
            let mut state = splat_all(&INITIAL);
            compress(&mut state, words);
            compress_known(&mut state, &NODE_PADDING);
            hash_digest(&state)
        }

        #[target_feature(enable = $features)]
        fn nodes_inner(messages: &[[u8; 64]], out: &mut [Hash256]) {
            let groups = messages.as_chunks::<$lanes>().0.iter().zip(out.as_chunks_mut::<$lanes>().0);
            for (messages, out) in groups {
                store(&hash_node(&load::<64, 0>(messages, 0, 1)), out);
            }
        }

        #[target_feature(enable = $features)]
        fn roots_inner(work: &RootWork, blocks: &[[u8; 64]], out: &mut [Hash256]) {
            for (group, out) in out.as_chunks_mut::<$lanes>().0.iter_mut().enumerate() {
                let mut state = splat_all(&work.midstate);
                let stride = work.own_blocks;
                let own = &blocks[group * $lanes * stride..(group + 1) * $lanes * stride];
                for block in 0..stride {
                    compress(&mut state, &load::<64, 0>(own, block, stride));
                }
                for sums in &work.common_sums {
                    compress_known(&mut state, sums);
                }
                let mut root = hash_digest(&state);
                for beside in &work.branch {
                    let mut words = [splat(0); 16];
                    let (below, above) = words.split_at_mut(8);
                    below.copy_from_slice(&root);
                    above.copy_from_slice(&splat_all(beside));
                    root = hash_node(&words);
                }
                store(&root, out);
            }
        }
    };
}

pub(super) use {round, sixteen_rounds, wide_kernel};
