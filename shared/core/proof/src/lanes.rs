//! Many messages hashed side by side: the ways of hashing, the choice for this CPU, and how a batch is cut up for it.
//!
//! Headers, Merkle nodes and coinbases of different shares are independent, so a vector can hold one word of many of
//! them. A [`Kernel`] does so for one kind of CPU, always for a whole number of its lanes. [`Chain`] is the order in
//! which kernels are used: the rest of the first goes to the next, or fills some of its lanes.
//!
//! Only the kernels hold unsafe code, and only for two reasons: vector loads and stores, and functions that need a CPU
//! feature. They are compared with the `sha2` crate one by one.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(crate) mod constants;
mod portable;
#[cfg(target_arch = "x86_64")]
mod shani;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod wide;

use std::ops::Range;
use std::sync::OnceLock;

use crate::digest::Hash256;

/// What the Merkle roots of several shares of one job have in common.
#[derive(Debug, Clone)]
pub(crate) struct RootWork {
    /// State after the blocks at the front of the coinbase that all shares have.
    pub(crate) midstate: [u32; 8],
    /// Blocks after them that each share has of its own.
    pub(crate) own_blocks: usize,
    /// Blocks after those that all shares have again, padding included.
    pub(crate) common_blocks: Vec<[u8; 64]>,
    /// What the rounds of each common block add.
    pub(crate) common_sums: Vec<[u32; 64]>,
    /// The Merkle branch, as words.
    pub(crate) branch: Vec<[u32; 8]>,
}

type Hash<const BYTES: usize> = fn(&[[u8; BYTES]], &mut [Hash256]);

/// One way to hash. Each function takes a multiple of `lanes` messages and as many results; more are ignored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kernel {
    name: &'static str,
    lanes: usize,
    headers: Hash<80>,
    nodes: Hash<64>,
    /// The own blocks of a share stand together: `own_blocks` times as many as results.
    roots: fn(&RootWork, &[[u8; 64]], &mut [Hash256]),
}

/// The name of the kernel that uses the SHA instructions.
const SHA_NI: &str = "sha-ni";

/// The most lanes of any kernel.
const MAX_LANES: usize = 16;

/// A kernel, and the least number of messages for which it is used; fewer go to the next kernel.
#[derive(Debug, Clone, Copy)]
struct Step {
    kernel: Kernel,
    fill_from: usize,
}

/// Kernels in the order in which they are used. The last one takes any number of messages.
#[derive(Debug, Clone)]
pub(crate) struct Chain(Vec<Step>);

/// The kernels of this CPU, fastest first. On a CPU with both, two messages through the SHA instructions were measured to
/// be 1.6 times as fast as eight in the vectors of AVX2, which are for CPUs without those instructions.
fn kernels() -> Vec<Kernel> {
    #[cfg(target_arch = "x86_64")]
    let vector = [avx512::kernel(), shani::kernel(), avx2::kernel()];
    #[cfg(not(target_arch = "x86_64"))]
    let vector: [Option<Kernel>; 0] = [];
    vector.into_iter().flatten().chain([portable::kernel()]).collect()
}

impl Chain {
    /// The chain for this CPU, found once.
    pub(crate) fn best() -> &'static Self {
        static BEST: OnceLock<Chain> = OnceLock::new();
        BEST.get_or_init(|| Self::of(&kernels()))
    }

    /// The fastest kernel, and for its rest the SHA instructions or one message at a time: a vector costs the same
    /// however many of its lanes are used.
    fn of(kernels: &[Kernel]) -> Self {
        let few = kernels.iter().find(|kernel| kernel.name == SHA_NI).or(kernels.last());
        let mut steps: Vec<Step> = Vec::new();
        for kernel in kernels.first().into_iter().chain(few) {
            if steps.iter().all(|step| step.kernel.name != kernel.name) {
                steps.push(Step { kernel: *kernel, fill_from: 1 });
            }
        }
        if let [first, second] = steps.as_mut_slice() {
            // Sixteen lanes were measured to take as long as four to five pairs through the SHA instructions. Without
            // those, even two messages one at a time take longer.
            first.fill_from = if second.kernel.name == SHA_NI { first.kernel.lanes / 2 + 1 } else { 2 };
        }
        Self(steps)
    }

    /// Each kernel of this CPU alone.
    pub(crate) fn each() -> Vec<Self> {
        kernels().into_iter().map(|kernel| Self(vec![Step { kernel, fill_from: 1 }])).collect()
    }

    /// The name of the kernel that does most of the work.
    pub(crate) fn name(&self) -> &'static str {
        self.0.first().map_or("none", |step| step.kernel.name)
    }

    /// Cuts a batch of `count` messages into portions, each for one kernel. A portion that is no multiple of the kernel's
    /// lanes is the rest that fills some of them.
    fn portions(&self, count: usize) -> impl Iterator<Item = (Kernel, Range<usize>)> {
        let mut done = 0;
        self.0.iter().flat_map(move |step| {
            let left = count - done;
            let over = left % step.kernel.lanes;
            let whole = done..done + left - over;
            let rest = whole.end..if over >= step.fill_from { count } else { whole.end };
            done = rest.end;
            [(step.kernel, whole), (step.kernel, rest)].into_iter().filter(|(_, range)| !range.is_empty())
        })
    }

    fn run<const BYTES: usize>(
        &self,
        hash: fn(&Kernel) -> Hash<BYTES>,
        messages: &[[u8; BYTES]],
        out: &mut [Hash256],
    ) {
        for (kernel, range) in self.portions(messages.len().min(out.len())) {
            let (messages, out) = (&messages[range.clone()], &mut out[range]);
            if messages.len().is_multiple_of(kernel.lanes) {
                hash(&kernel)(messages, out);
            } else {
                let mut filled = [[0; BYTES]; MAX_LANES];
                let mut results = [[0; 32]; MAX_LANES];
                filled[..messages.len()].copy_from_slice(messages);
                hash(&kernel)(&filled[..kernel.lanes], &mut results[..kernel.lanes]);
                out.copy_from_slice(&results[..messages.len()]);
            }
        }
    }

    /// SHA-256d of each header.
    pub(crate) fn headers(&self, messages: &[[u8; 80]], out: &mut [Hash256]) {
        self.run(|kernel| kernel.headers, messages, out);
    }

    /// SHA-256d of each message of 64 bytes.
    pub(crate) fn nodes(&self, messages: &[[u8; 64]], out: &mut [Hash256]) {
        self.run(|kernel| kernel.nodes, messages, out);
    }

    /// The Merkle root of each share: `blocks` holds the own blocks of the first share, then those of the next.
    pub(crate) fn roots(&self, work: &RootWork, blocks: &[[u8; 64]], out: &mut [Hash256]) {
        for (kernel, range) in self.portions(out.len()) {
            let blocks = &blocks[range.start * work.own_blocks..range.end * work.own_blocks];
            let out = &mut out[range];
            if out.len().is_multiple_of(kernel.lanes) {
                (kernel.roots)(work, blocks, out);
            } else {
                let mut filled = blocks.to_vec();
                filled.resize(kernel.lanes * work.own_blocks, [0; 64]);
                let mut results = [[0; 32]; MAX_LANES];
                (kernel.roots)(work, &filled, &mut results[..kernel.lanes]);
                out.copy_from_slice(&results[..out.len()]);
            }
        }
    }
}
