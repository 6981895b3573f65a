//! The parts of ClickHouse's SQL that the HTTP interface needs: where an INSERT's data begins, which output format is
//! requested, and what is not allowed.
//!
//! The engine does the parsing; this is a lexer, with three checks of its tokens.

mod guard;
mod lexer;
mod statement;

pub(crate) use guard::Guard;
pub(crate) use lexer::{TokenKind, tokens};
pub(crate) use statement::{InsertHead, insert_head, output_format, starts_a_select};
