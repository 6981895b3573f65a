//! A Bitcoin Core node's chain becomes tips and network difficulties.
//!
//! The node is asked every few seconds for its best block. Each new one becomes a `tip`, valid from the moment it was seen,
//! with all blocks between it and the last one seen, so that work on any of them can be called old. The target of the
//! running 2016 blocks becomes a `network_difficulty`, and so does that of the next block where the node tells it ahead.
//! Jobs are the pool's own and are not asked for here: a node's template has no coinbase, and what was given to miners is
//! known only to who gave it.

mod chain;
mod rpc;

use std::time::Duration;

use crate::{ConnectError, Ingest, Refused, Stop, now_us};
use chain::Chain;
use rpc::{Node, RpcError};

/// The longest pause after failures.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Which node to ask, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its RPC, such as `http://user:password@127.0.0.1:8332`.
    pub url: String,
    /// The name of its chain in facts; without one, what the node calls it (`test` is `testnet3`).
    pub chain: Option<String>,
    /// The pause between two looks.
    pub poll: Duration,
    /// Look once, then end.
    pub once: bool,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Facts that ingest took.
    pub facts: u64,
    /// Facts it refused.
    pub refused: u64,
}

/// Follows a node until it is told to stop, or looks once where `once` is set.
///
/// # Errors
/// [`ConnectError`] where node or ingest refuse this connector. A node that is away or starting is asked again.
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
                tracing::warn!(%error, "the node does not tell its chain");
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
