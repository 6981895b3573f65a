//! The processes a one-machine Weighbridge needs beside itself, started and watched: the Kafka broker ([`Kafka`]) and any
//! other child ([`Process`]), such as the ClickHouse engine.
//!
//! What holds for every child:
//!
//! - **One owner.** A lock beside the pid file keeps two supervisors from sharing one data directory; it goes with the
//!   supervisor's process, however that ends.
//! - **No orphan.** A child dies with its supervisor (`setpriv --pdeathsig`, or the end of a pipe held as its standard
//!   input). Should one outlive it all the same, the next start finds it by its pid file, makes sure that it is the very
//!   process, and ends it first.
//! - **No wait without an end.** Starting, stopping and terminating are bounded; what does not end in time is killed.
//! - **Errors show the log.** A child that fails to start is reported with its log file's name and last lines.
//!
//! Architecture invariant: nothing here knows what Weighbridge stores in Kafka or ClickHouse; there is no Kafka client in
//! this crate (readiness is asked with one hand-written request).
//!
//! Linux only (`/proc`, pidfd, parent-death signal), as is the embedded engine.

mod error;
pub mod java;
mod kafka;
mod net;
mod process;
mod slot;
mod spawner;
mod text;

pub use error::StackError;
pub use kafka::{Kafka, KafkaConfig};
pub use net::{answers, free_port, free_ports, wait_tcp};
pub use process::{Process, ProcessConfig, Stopped};
