//! End-to-end tests live beside this file, one file a promise; this crate has no code of its own.
