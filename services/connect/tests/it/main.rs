//! The connectors against files and HTTP servers that the tests write themselves.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its data should stop")]

mod bitcoind;
mod ckpool;
mod gpu;
mod miners;
mod playback;
mod support;
