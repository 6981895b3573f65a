//! The end-to-end tests, one program: each starts a whole stack of its own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_input;
mod close;
mod collect;
mod config;
mod conserve;
mod correct;
mod crash;
mod demo;
mod determinism;
mod explain;
mod exports;
mod first_month;
mod group;
mod own_cluster;
mod publish;
mod quarantine;
mod scrub;
mod share_check;
mod support;
