//! Characters that no font of this program has.

use std::collections::BTreeSet;

use crate::fonts::has_glyph;
use crate::sheet::Sheet;

/// The most characters that a warning names.
const NAMED_MAX: usize = 20;

/// A document has characters without a glyph. They are empty boxes in its PDF, which then does not claim to conform to
/// PDF/A and PDF/UA.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[code("WB-5754")]
#[error(
    "document {id} has characters that the fonts of this program lack: {characters}; its PDF shows empty boxes and is \
     not PDF/A; its HTML shows them with the reader's fonts"
)]
pub struct MissingGlyphs {
    /// The document.
    pub id: String,
    /// The first of them, in order.
    pub characters: String,
}

/// The characters of a document that its PDF cannot show, if there are any.
#[must_use]
pub fn missing_glyphs(sheet: &Sheet) -> Option<MissingGlyphs> {
    let missing: BTreeSet<char> = sheet
        .texts()
        .flat_map(str::chars)
        .filter(|character| !character.is_whitespace() && !has_glyph(*character))
        .collect();
    if missing.is_empty() {
        return None;
    }
    let named: Vec<String> = missing.iter().take(NAMED_MAX).map(char::to_string).collect();
    let more = if missing.len() > NAMED_MAX { " …" } else { "" };
    Some(MissingGlyphs { id: sheet.id.clone(), characters: format!("{}{more}", named.join(" ")) })
}
