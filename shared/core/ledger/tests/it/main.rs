//! The integration tests of this crate, one program.

mod books;
mod drawing;
mod histories;
mod stored_forms;
mod support;
