//! The engine's C interface (chdb.h of libchdb 26.7), and the only unsafe code here.
//!
//! `abi` loads the library and copies its function pointers; `connection` and
//! `streams` wrap them so that the rest of the crate sees owned values only.
//! The library is never unloaded: its threads outlive every handle.

#![allow(unsafe_code)]

mod abi;
mod connection;
mod streams;

pub(crate) use abi::Api;
pub(crate) use connection::{Analysis, Answer, Connection, QueryClass};
