//! As much of ClickHouse's SQL as the HTTP interface must know: where an
//! INSERT's data begins, which output format was asked for, and what may not run.
//!
//! Parsing proper is the engine's work; this is a lexer and three questions
//! asked of its tokens.

mod guard;
mod lexer;
mod statement;

pub(crate) use guard::Guard;
pub(crate) use lexer::{TokenKind, tokens};
pub(crate) use statement::{InsertHead, insert_head, output_format, starts_a_select};
