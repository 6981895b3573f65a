//! The integration tests of this crate, one program.

mod base;
mod catalogue;
mod documents;
mod oracle;
mod properties;
mod random;
