//! Characters that no font has.

use std::path::Path;

use crate::fonts::Fonts;
use crate::sheet::Sheet;

/// The most characters that a warning names.
const NAMED_MAX: usize = 20;

/// A document has characters without a glyph. They are empty boxes in its PDF, which then does not claim to conform to
/// PDF/A and PDF/UA.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[code("WB-5754")]
#[error(
    "document {id} has characters that no font of this program{searched} has: {characters}; its PDF shows empty boxes \
     and is not PDF/A; its HTML shows them with the reader's fonts"
)]
pub struct MissingGlyphs {
    /// The document.
    pub id: String,
    /// The folder of fonts that was searched, as words.
    pub searched: String,
    /// The first of them, in order.
    pub characters: String,
}

/// The characters of a document that its PDF cannot show, if there are any.
#[must_use]
pub fn missing_glyphs(sheet: &Sheet, fonts: &Fonts) -> Option<MissingGlyphs> {
    let missing = fonts.missing(sheet);
    if missing.is_empty() {
        return None;
    }
    let named: Vec<String> = missing.iter().take(NAMED_MAX).map(char::to_string).collect();
    let more = if missing.len() > NAMED_MAX { " …" } else { "" };
    Some(MissingGlyphs {
        id: sheet.id.clone(),
        searched: fonts.searched.as_deref().map(in_words).unwrap_or_default(),
        characters: format!("{}{more}", named.join(" ")),
    })
}

fn in_words(folder: &Path) -> String {
    if folder.is_dir() {
        format!(" or in {}", folder.display())
    } else {
        format!(" ({} does not exist)", folder.display())
    }
}
