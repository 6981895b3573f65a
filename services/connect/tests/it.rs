//! The connectors against files and HTTP servers that the tests write themselves.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its data should stop")]

#[path = "it/bitcoind.rs"]
mod bitcoind;
#[path = "it/ckpool.rs"]
mod ckpool;
#[path = "it/gpu.rs"]
mod gpu;
#[path = "it/miners.rs"]
mod miners;
#[path = "it/playback.rs"]
mod playback;
#[path = "it/support.rs"]
mod support;
