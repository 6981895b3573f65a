//! Writes a sheet as PDF, typeset by typst.

use typst::diag::{FileError, FileResult, SourceDiagnostic};
use typst::foundations::{Bytes, Datetime, Duration, Smart};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, World};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards, Timestamp};

use crate::fonts::{Fonts, LIBRARY};
use crate::glyphs::missing_glyphs;
use crate::sheet::Sheet;

/// The layout of the document.
const TEMPLATE: &str = include_str!("../templates/document.typ");

/// Why a PDF could not be written.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PdfError {
    /// The sheet could not be passed to typst.
    #[code("WB-5752")]
    #[error("document {id} cannot be set: {detail}")]
    Sheet {
        /// The document.
        id: String,
        /// The cause.
        detail: String,
    },
    /// Typst refused it.
    #[code("WB-5753")]
    #[error("document {id} cannot be set as PDF: {detail}; its HTML is still available")]
    Set {
        /// The document.
        id: String,
        /// Typst's error.
        detail: String,
    },
}

/// The PDF of a sheet: PDF/A-2a, for archives, and PDF/UA-1, for readers by ear. A document with characters that none of
/// the fonts has cannot be either and is a plain PDF; see [`missing_glyphs`]. The same fonts give the same bytes each
/// time, because the only date in them is that of the document and they contain no random identifier.
///
/// # Errors
/// [`PdfError`] if typst cannot typeset it, which no document of the ledger causes.
pub fn pdf(sheet: &Sheet, fonts: &Fonts) -> Result<Vec<u8>, PdfError> {
    let desk = Desk::new(sheet, fonts)?;
    let set = |errors: &[SourceDiagnostic]| PdfError::Set {
        id: sheet.id.clone(),
        detail: errors.iter().map(|error| error.message.to_string()).collect::<Vec<_>>().join("; "),
    };
    let standards = if missing_glyphs(sheet, fonts).is_none() {
        PdfStandards::new(&[PdfStandard::A_2a, PdfStandard::Ua_1])
            .map_err(|error| PdfError::Set { id: sheet.id.clone(), detail: error.message().to_string() })?
    } else {
        PdfStandards::default()
    };
    let document: PagedDocument = typst::compile(&desk).output.map_err(|errors| set(&errors))?;
    let options = PdfOptions {
        ident: Smart::Custom(format!("{}/{}", sheet.id, sheet.language)),
        creator: Smart::Custom(Some("Weighbridge".to_owned())),
        timestamp: dated(sheet),
        standards,
        ..PdfOptions::default()
    };
    typst_pdf::pdf(&document, &options).map_err(|errors| set(&errors))
}

/// The document's own date, which PDF/A requires.
fn dated(sheet: &Sheet) -> Option<Timestamp> {
    let at = jiff::Timestamp::from_microsecond(sheet.dated_us).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    let part = |number: i8| u8::try_from(number).ok();
    let datetime = Datetime::from_ymd_hms(
        i32::from(at.year()),
        part(at.month())?,
        part(at.day())?,
        part(at.hour())?,
        part(at.minute())?,
        part(at.second())?,
    )?;
    Some(Timestamp::new_utc(datetime))
}

/// The files that typst sees: the template, and as JSON the sheet and the families of fonts.
struct Desk {
    fonts: Fonts,
    template: Source,
    files: [(FileId, Bytes); 2],
}

impl Desk {
    fn new(sheet: &Sheet, fonts: &Fonts) -> Result<Self, PdfError> {
        let refused = |detail: String| PdfError::Sheet { id: sheet.id.clone(), detail };
        let file = |name: &str| {
            VirtualPath::new(name)
                .map(|path| FileId::new(RootedPath::new(VirtualRoot::Project, path)))
                .map_err(|error| refused(format!("{error:?}")))
        };
        let unwritten = |error: serde_json::Error| refused(error.to_string());
        let families = serde_json::to_vec(fonts.families()).map_err(unwritten)?;
        let json = serde_json::to_vec(sheet).map_err(unwritten)?;
        Ok(Self {
            fonts: fonts.clone(),
            template: Source::new(file("document.typ")?, TEMPLATE.to_owned()),
            files: [(file("sheet.json")?, Bytes::new(json)), (file("families.json")?, Bytes::new(families))],
        })
    }
}

impl World for Desk {
    fn library(&self) -> &LazyHash<Library> {
        &LIBRARY
    }

    fn book(&self) -> &LazyHash<FontBook> {
        self.fonts.book()
    }

    fn main(&self) -> FileId {
        self.template.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.template.id() { Ok(self.template.clone()) } else { Err(FileError::AccessDenied) }
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        let known = self.files.iter().find(|(known, _)| *known == id);
        known.map(|(_, bytes)| bytes.clone()).ok_or(FileError::AccessDenied)
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.fonts.font(index)
    }

    // No date: with the date of printing a document would differ each time.
    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        None
    }
}
