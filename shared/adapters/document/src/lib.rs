//! Invoices and notes as people read them.
//!
//! - [`Sheet`]: what a document says, all of it text in one [`Language`] already: names, dates,
//!   quantities and amounts as that language writes them.
//! - [`html()`]: a sheet as one HTML file that loads nothing and runs nothing.
//! - [`pdf()`]: a sheet as PDF, set by typst.
//!
//! The same invoice, parties and language give the same bytes, on every machine: no clock is read, the
//! fonts are compiled in, and the identifier of a PDF follows from the document's own id.
//!
//! No amount is computed here. What is printed are the digits of the invoice, with separators.

mod html;
mod language;
mod number;
mod party;
mod pdf;
mod sheet;

pub use html::html;
pub use language::{Language, LanguageError};
pub use party::{Parties, Party};
pub use pdf::{PdfError, pdf};
pub use sheet::{Amount, Detail, Fact, Row, Sheet};
