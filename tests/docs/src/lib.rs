//! The book and the other pages of the repository are tested in this crate's tests, and nothing else is in it.
