//! The engine's C interface (chdb.h of libchdb 26.7). Only this module has unsafe code.
//!
//! `abi` loads the library and resolves its functions; `connection` and `streams` wrap them in owned values. The
//! library is never unloaded, because its threads outlive every handle.

#![allow(unsafe_code)]

mod abi;
mod connection;
mod streams;

pub(crate) use abi::Api;
pub(crate) use connection::{Analysis, Answer, Connection, QueryClass};
