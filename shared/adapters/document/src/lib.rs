//! Invoices and notes as documents.
//!
//! - [`Sheet`]: the content of a document as text in one [`Language`], with names, dates, quantities and amounts
//!   formatted.
//! - [`html()`]: a sheet as one HTML file without external resources or scripts.
//! - [`pdf()`]: a sheet as PDF, typeset by typst.
//!
//! The same invoice, parties and language give the same bytes on every machine: no clock is read, the fonts are
//! compiled in, and the identifier of a PDF follows from the document's id.
//!
//! No amount is computed here. The digits are those of the invoice, with separators.

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
