//! Invoices, notes and statements of account as documents.
//!
//! - [`Sheet`]: the content of a document as text in one [`Language`], with names, dates, quantities and amounts
//!   formatted.
//! - [`html()`]: a sheet as one HTML file without external resources or scripts.
//! - [`pdf()`]: a sheet as PDF, typeset by typst.
//!
//! The same record, parties and language give the same bytes on every machine: no clock is read, the fonts are
//! compiled in, and the identifier of a PDF follows from the document's id. Only a document in a script that these fonts
//! lack takes others, from a folder; then its bytes depend on them too.
//!
//! No amount is computed here: the digits of amounts are those of the ledger, with separators. Quantities are rounded
//! for people; the annex has the exact ones.

mod fonts;
mod formula;
mod glyphs;
mod html;
mod invoice;
mod language;
mod number;
mod party;
mod pdf;
mod sheet;
mod shown;
mod statement;
mod words;

pub use fonts::{Fonts, FontsError};
pub use glyphs::{MissingGlyphs, missing_glyphs};
pub use html::html;
pub use language::{Language, LanguageError};
pub use party::{Parties, Party};
pub use pdf::{PdfError, pdf};
pub use sheet::{Annex, Cell, Column, Detail, Fact, Section, Sheet, Table};
pub use shown::quantity_text;
