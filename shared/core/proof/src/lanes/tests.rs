use sha2::{Digest, Sha256};

use super::*;

/// Marsaglia's xorshift64: a stream that is the same in every run.
struct Stream(u64);

impl Stream {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn fill<const BYTES: usize>(&mut self, messages: &mut [[u8; BYTES]]) {
        for bytes in messages.as_flattened_mut().as_chunks_mut::<8>().0 {
            *bytes = self.next().to_le_bytes();
        }
    }
}

const SEED: u64 = 0x57_6569_6768_6272;

fn plain<const BYTES: usize>(messages: &[[u8; BYTES]]) -> Vec<Hash256> {
    messages.iter().map(|message| Sha256::digest(Sha256::digest(message)).into()).collect()
}

#[test]
fn each_path_hashes_a_million_headers_like_sha2() {
    // Not a multiple of any number of lanes, so that each chunk has a rest.
    const CHUNK: usize = 4_099;
    let mut stream = Stream(SEED);
    let mut headers = vec![[0; 80]; CHUNK];
    let mut out = vec![[0; 32]; CHUNK];
    let mut chains = Chain::each();
    chains.push(Chain::best().clone());
    let mut done = 0;
    while done < 1_000_000 {
        stream.fill(&mut headers);
        let expected = plain(&headers);
        for chain in &chains {
            out.fill([0; 32]);
            chain.headers(&headers, &mut out);
            assert!(out == expected, "{} differs after {done} headers of seed {SEED:#x}", chain.name());
        }
        done += CHUNK;
    }
    let names: Vec<&str> = chains.iter().map(Chain::name).collect();
    println!("{done} random headers of seed {SEED:#x} by {names:?}");
}

#[test]
fn each_path_hashes_nodes_like_sha2() {
    const CHUNK: usize = 4_099;
    let mut stream = Stream(SEED);
    let mut nodes = vec![[0; 64]; CHUNK];
    let mut out = vec![[0; 32]; CHUNK];
    for _ in 0..50 {
        stream.fill(&mut nodes);
        let expected = plain(&nodes);
        for chain in Chain::each().iter().chain([Chain::best()]) {
            out.fill([0; 32]);
            chain.nodes(&nodes, &mut out);
            assert!(out == expected, "{}, seed {SEED:#x}", chain.name());
        }
    }
}

/// All chains that a CPU with some of this one's kernels would use.
fn chains() -> Vec<Chain> {
    let all = kernels();
    let (last, others) = all.split_last().unwrap();
    let with = |set: usize| {
        let chosen =
            others.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1).map(|(_, kernel)| *kernel);
        Chain::of(&chosen.chain([*last]).collect::<Vec<_>>())
    };
    (0..1_usize << others.len()).map(with).chain(Chain::each()).collect()
}

#[test]
fn a_batch_of_any_size_is_hashed_whole_and_nothing_beyond_it() {
    let mut headers = vec![[0; 80]; 70];
    Stream(SEED).fill(&mut headers);
    let nodes: Vec<[u8; 64]> = headers.iter().map(|header| *header.first_chunk().unwrap()).collect();
    let (of_headers, of_nodes) = (plain(&headers), plain(&nodes));
    for chain in chains() {
        for size in 0..=headers.len() {
            let mut out = vec![[9; 32]; size + 1];
            chain.headers(&headers[..size], &mut out[..size]);
            assert_eq!(out[..size], of_headers[..size], "{}, {size} headers", chain.name());
            chain.nodes(&nodes[..size], &mut out[..size]);
            assert_eq!(out[..size], of_nodes[..size], "{}, {size} nodes", chain.name());
            assert_eq!(out[size], [9; 32]);
        }
    }
}

#[test]
fn portions_cover_a_batch_once_and_in_order() {
    for chain in chains() {
        for count in 0..200 {
            let mut next = 0;
            for (kernel, range) in chain.portions(count) {
                assert_eq!(range.start, next, "{}, {count}", chain.name());
                assert!(range.len().is_multiple_of(kernel.lanes) || range.len() < kernel.lanes);
                next = range.end;
            }
            assert_eq!(next, count, "{}", chain.name());
        }
    }
}

#[test]
fn words_at_their_limits_carry_like_sha2() {
    for byte in [0x00, 0x01, 0x7f, 0x80, 0xff] {
        let headers = [[byte; 80]; 33];
        let expected = plain(&headers);
        for chain in Chain::each() {
            let mut out = [[0; 32]; 33];
            chain.headers(&headers, &mut out);
            assert_eq!(out.as_slice(), expected, "{}, bytes {byte:02x}", chain.name());
        }
    }
}

#[test]
fn each_bit_of_a_header_reaches_its_lane_alone() {
    let mut out = [[0; 32]; 16];
    for chain in Chain::each() {
        let headers = [[0x5a; 80]; 16];
        let unchanged = plain(&headers[..1])[0];
        for bit in 0..640 {
            let lane = bit % 16;
            let mut changed = headers;
            changed[lane][bit / 8] ^= 1 << (bit % 8);
            chain.headers(&changed, &mut out);
            for (at, hash) in out.iter().enumerate() {
                let expected = if at == lane { plain(&changed[lane..=lane])[0] } else { unchanged };
                assert_eq!(*hash, expected, "{}, bit {bit}, lane {at}", chain.name());
            }
        }
    }
}

#[test]
fn the_best_path_is_the_fastest_there_is_and_the_same_each_time() {
    let best = Chain::best();
    assert_eq!(best.name(), Chain::each()[0].name());
    assert!(std::ptr::eq(best, Chain::best()));
    assert_eq!(Chain::each().last().unwrap().name(), "portable");
}
