//! Sends the chain of a Bitcoin Core node as tips and network difficulties.
//!
//! The node is polled for its best block. Each new block becomes a `tip`, valid from the moment it was seen, as do
//! all blocks between it and the last one seen, so that work on any of them is recognised as stale. The target of the
//! current 2016 blocks becomes a `network_difficulty`, and so does that of the next block if the node knows it. Jobs
//! come from the pool: a node's template has no coinbase.

mod chain;
mod rpc;

use std::time::Duration;

use crate::{ConnectError, Ingest, Refused, Stop, now_us};
use chain::Chain;
use rpc::{Node, RpcError};

/// The longest pause after failures.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// The node, and how to poll it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its RPC, such as `http://user:password@127.0.0.1:8332`.
    pub url: String,
    /// The chain's name in facts. By default the node's name for it (`test` becomes `testnet3`).
    pub chain: Option<String>,
    /// The pause between two polls.
    pub poll: Duration,
    /// Poll once, then end.
    pub once: bool,
}

/// The result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Accepted facts.
    pub facts: u64,
    /// Refused facts.
    pub refused: u64,
}

/// Polls a node until it is stopped, or once with `once`.
///
/// # Errors
/// [`ConnectError`] if node or ingest refuse this connector. A node that is away or starting is polled again.
pub async fn run(options: &Options, ingest: &Ingest, stop: &Stop) -> Result<Summary, ConnectError> {
    let node = Node::new(&options.url)?;
    let mut chain = Chain::new(options.chain.clone(), now_us());
    let mut summary = Summary::default();
    let mut pause = options.poll;
    while !stop.is_told() {
        match chain.look(&node).await {
            Ok(seen) => {
                let facts = chain.facts(&seen, now_us());
                if !facts.is_empty() {
                    let Some(refused) = ingest.post(&facts, stop).await? else { break };
                    refused.iter().for_each(Refused::log);
                    summary.facts += count(facts.len() - refused.len());
                    summary.refused += count(refused.len());
                }
                chain.remember(seen);
                if options.once {
                    break;
                }
                pause = options.poll;
            }
            Err(RpcError::Credentials { status }) => return Err(ConnectError::NodeRefuses { status }),
            Err(error) => {
                tracing::warn!(%error, "the node cannot be polled");
                pause = pause.saturating_mul(2).min(PAUSE_MAX);
            }
        }
        stop.sleep(pause).await;
    }
    Ok(summary)
}

fn count(facts: usize) -> u64 {
    u64::try_from(facts).unwrap_or(u64::MAX)
}
