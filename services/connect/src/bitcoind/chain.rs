//! Finds what is new on a chain, and makes facts of it.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::{Value, json};
use wb_proof::hex;
use wb_units::Micros;

use super::rpc::{Node, RpcError};

/// Blocks between two changes of the target.
const EPOCH_BLOCKS: u32 = 2_016;
/// The most missed blocks that are read one by one: those of a day. No live work is older.
const CATCH_UP_MAX: usize = 144;
/// How many blocks are remembered in order to find where a reorganisation branched off.
const REMEMBERED_MAX: usize = 288;

/// A block, as `getblockheader` returns it; other fields are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Block {
    pub(crate) hash: String,
    pub(crate) height: u32,
    pub(crate) bits: String,
    #[serde(default)]
    pub(crate) previousblockhash: Option<String>,
}

#[derive(Deserialize)]
struct ChainInfo {
    chain: String,
    bestblockhash: String,
    #[serde(default)]
    initialblockdownload: bool,
}

#[derive(Deserialize)]
struct MiningInfo {
    #[serde(default)]
    next: Option<Next>,
}

/// The requirements of the next block (`getmininginfo`, from Bitcoin Core 29 on).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Next {
    height: u32,
    bits: String,
}

/// The result of a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The chain's name in facts.
    chain: String,
    /// New blocks, oldest first.
    blocks: Vec<Block>,
    next: Option<Next>,
}

/// What is known of a chain.
pub(crate) struct Chain {
    name: Option<String>,
    /// Distinguishes the facts of different runs: each fact holds from when it was seen.
    epoch: Micros,
    known: VecDeque<String>,
    /// Heights and targets that were already sent.
    told: VecDeque<(u32, String)>,
}

impl Chain {
    pub(crate) fn new(name: Option<String>, epoch: Micros) -> Self {
        Self { name, epoch, known: VecDeque::new(), told: VecDeque::new() }
    }

    /// Polls a node for new blocks.
    pub(crate) async fn look(&self, node: &Node) -> Result<Seen, RpcError> {
        let info: ChainInfo = node.call("getblockchaininfo", json!([])).await?;
        let chain = self.name.clone().unwrap_or_else(|| name_of(&info.chain).to_owned());
        let mut seen = Seen { chain, blocks: Vec::new(), next: None };
        if info.initialblockdownload {
            // The best block of a node that is still syncing is old; as a tip it would make all live work stale.
            tracing::info!("the node is still downloading the chain");
            return Ok(seen);
        }
        let mut wanted = Some(info.bestblockhash);
        while let Some(hash) = wanted.take() {
            if self.known.contains(&hash) || seen.blocks.len() >= CATCH_UP_MAX {
                break;
            }
            let block: Block = node.call("getblockheader", json!([hash, true])).await?;
            check(&block)?;
            // At the start only the best block matters.
            wanted = block.previousblockhash.clone().filter(|_| !self.known.is_empty());
            seen.blocks.push(block);
        }
        seen.blocks.reverse();
        if !seen.blocks.is_empty() {
            // Older nodes lack it; then the job's own target is used until the first block is there.
            let mining: Result<MiningInfo, RpcError> = node.call("getmininginfo", json!([])).await;
            seen.next = mining.ok().and_then(|mining| mining.next).filter(|next| is_bits(&next.bits));
        }
        Ok(seen)
    }

    /// The facts for new blocks, valid from now on, each block a microsecond after the one before.
    pub(crate) fn facts(&self, seen: &Seen, now_us: Micros) -> Vec<Value> {
        let chain = &seen.chain;
        let mut facts = Vec::new();
        for (height, bits) in self.targets(seen) {
            let body = json!({"chain": chain, "height": height, "nbits": bits});
            facts.push(self.fact("network_difficulty", chain, &format!("{height}/{bits}"), now_us, &body));
        }
        let earlier = i64::try_from(seen.blocks.len()).unwrap_or(0);
        for (block, step) in seen.blocks.iter().zip(1 - earlier..) {
            let body = json!({"chain": chain, "height": block.height, "hash": block.hash});
            facts.push(self.fact("tip", chain, &block.hash, now_us + step, &body));
        }
        facts
    }

    fn fact(&self, kind: &str, chain: &str, name: &str, from_us: Micros, body: &Value) -> Value {
        json!({
            "kind": "fact",
            "key": format!("{kind}/{chain}/{name}"),
            "sequence": 0,
            "source_epoch": self.epoch,
            "event_time_us": from_us,
            "body": {"fact": kind, "entity": chain, "valid_from_us": from_us, "body": body},
        })
    }

    /// Heights and targets that were not sent yet. A chain with one target per 2016 blocks gets one fact for them,
    /// from the first block on; a chain that makes late blocks easier gets one per block.
    fn targets(&self, seen: &Seen) -> Vec<(u32, String)> {
        let first_of_target = |height: u32| {
            let easy_blocks = seen.chain.starts_with("testnet") || seen.chain == "regtest";
            if easy_blocks { height } else { height / EPOCH_BLOCKS * EPOCH_BLOCKS }
        };
        let blocks = seen.blocks.iter().map(|block| (first_of_target(block.height), block.bits.clone()));
        let next = seen.next.iter().map(|next| (first_of_target(next.height), next.bits.clone()));
        let mut targets: Vec<(u32, String)> = Vec::new();
        for target in blocks.chain(next) {
            if !self.told.contains(&target) && !targets.contains(&target) {
                targets.push(target);
            }
        }
        targets
    }

    /// Remembers what was sent.
    pub(crate) fn remember(&mut self, seen: Seen) {
        self.told.extend(self.targets(&seen));
        self.known.extend(seen.blocks.into_iter().map(|block| block.hash));
        while self.known.len() > REMEMBERED_MAX {
            self.known.pop_front();
        }
        while self.told.len() > REMEMBERED_MAX {
            self.told.pop_front();
        }
    }
}

/// A chain's name in facts.
fn name_of(node_name: &str) -> &str {
    if node_name == "test" { "testnet3" } else { node_name }
}

fn is_bits(bits: &str) -> bool {
    hex::decode_u32("bits", bits).is_ok_and(|bits| wb_proof::Target::from_nbits(bits).is_ok())
}

fn check(block: &Block) -> Result<(), RpcError> {
    let wrong = |detail: &str| RpcError::Form { method: "getblockheader", detail: detail.to_owned() };
    if wb_proof::parse_display_hash("hash", &block.hash).is_err() {
        return Err(wrong("hash is not 64 hex digits"));
    }
    if !is_bits(&block.bits) {
        return Err(wrong("bits is not a target of eight hex digits"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(height: u32, bits: &str) -> Block {
        Block { hash: format!("{height:064x}"), height, bits: bits.to_owned(), previousblockhash: None }
    }

    fn seen(chain: &str, heights: &[u32], next: Option<(u32, &str)>) -> Seen {
        let blocks = heights.iter().map(|height| block(*height, "1d00ffff")).collect();
        let next = next.map(|(height, bits)| Next { height, bits: bits.to_owned() });
        Seen { chain: chain.to_owned(), blocks, next }
    }

    fn summary(facts: &[Value]) -> Vec<String> {
        let text = |fact: &Value| {
            let body = &fact["body"];
            let inner = &body["body"];
            format!("{} {} {} {}", body["fact"], inner["height"], inner["nbits"], body["valid_from_us"])
                .replace('"', "")
        };
        facts.iter().map(text).collect()
    }

    #[test]
    fn a_target_is_told_once_and_tips_come_in_order() {
        let mut chain = Chain::new(None, 7);
        let first = seen("main", &[4_030], Some((4_031, "1d00ffff")));
        let told = ["network_difficulty 2016 1d00ffff 100", "tip 4030 null 100"];
        assert_eq!(summary(&chain.facts(&first, 100)), told);
        chain.remember(first);
        let second = seen("main", &[4_031], Some((4_032, "1c654657")));
        let told = ["network_difficulty 4032 1c654657 200", "tip 4031 null 200"];
        assert_eq!(summary(&chain.facts(&second, 200)), told);
        chain.remember(second);
        let third = seen("main", &[4_029, 4_030], None);
        assert_eq!(summary(&chain.facts(&third, 300)), ["tip 4029 null 299", "tip 4030 null 300"]);
    }

    #[test]
    fn where_late_blocks_are_easy_each_has_its_own_target() {
        let chain = Chain::new(None, 7);
        let found = chain.facts(&seen("testnet4", &[5, 6], Some((7, "1d00fffe"))), 100);
        let told = [
            "network_difficulty 5 1d00ffff 100",
            "network_difficulty 6 1d00ffff 100",
            "network_difficulty 7 1d00fffe 100",
            "tip 5 null 99",
            "tip 6 null 100",
        ];
        assert_eq!(summary(&found), told);
    }
}
