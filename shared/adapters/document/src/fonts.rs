//! The fonts of this program and the library of typst, the same for all documents.

use std::sync::LazyLock;

use typst::foundations::Bytes;
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt};

/// Whether a font of this program has the character.
pub(crate) fn has_glyph(character: char) -> bool {
    SHELF.fonts.iter().any(|font| font.info().coverage.contains(u32::from(character)))
}

/// Fonts and library, the same for all documents.
pub(crate) struct Shelf {
    pub(crate) library: LazyHash<Library>,
    pub(crate) book: LazyHash<FontBook>,
    pub(crate) fonts: Vec<Font>,
}

pub(crate) static SHELF: LazyLock<Shelf> = LazyLock::new(|| {
    let fonts: Vec<Font> = typst_assets::fonts().flat_map(|data| Font::iter(Bytes::new(data))).collect();
    Shelf {
        library: LazyHash::new(Library::default()),
        book: LazyHash::new(FontBook::from_fonts(&fonts)),
        fonts,
    }
});
