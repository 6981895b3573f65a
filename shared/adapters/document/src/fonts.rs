//! The fonts that a document is set in: the compiled-in ones, and those of a folder for other scripts.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use typst::foundations::Bytes;
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt};

use crate::sheet::Sheet;

/// The extensions of files that may hold fonts.
const EXTENSIONS: [&str; 4] = ["otf", "ttf", "otc", "ttc"];

/// The deepest folder within the folder of fonts that is searched.
const DEPTH_MAX: usize = 8;

/// The folder of fonts cannot be read.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
#[code("WB-5755")]
#[error("{path} cannot be read, and document {id} needs a font from it: {source}")]
pub struct FontsError {
    /// The document.
    pub id: String,
    /// The folder or the file.
    pub path: String,
    /// The cause.
    pub source: std::io::Error,
}

/// The fonts of one document.
#[derive(Debug, Clone)]
pub struct Fonts {
    shelf: Arc<Shelf>,
    /// The folder that was searched, if the compiled-in fonts were not enough.
    pub(crate) searched: Option<PathBuf>,
}

/// Fonts in the form that typst wants.
#[derive(Debug)]
struct Shelf {
    book: LazyHash<FontBook>,
    fonts: Vec<Font>,
    /// The families from the folder, in the order in which a character is looked for.
    families: Vec<String>,
}

/// The library of typst, the same for all documents.
pub(crate) static LIBRARY: LazyLock<LazyHash<Library>> = LazyLock::new(|| LazyHash::new(Library::default()));

static COMPILED_IN: LazyLock<Arc<Shelf>> = LazyLock::new(|| {
    let fonts = typst_assets::fonts().flat_map(|data| Font::iter(Bytes::new(data)));
    Arc::new(Shelf::new(fonts.collect(), Vec::new()))
});

impl Shelf {
    fn new(fonts: Vec<Font>, families: Vec<String>) -> Self {
        Self { book: LazyHash::new(FontBook::from_fonts(&fonts)), fonts, families }
    }
}

impl Fonts {
    /// The compiled-in fonts, which have the Latin, Greek and Cyrillic scripts.
    #[must_use]
    pub fn compiled_in() -> Self {
        Self { shelf: Arc::clone(&COMPILED_IN), searched: None }
    }

    /// The compiled-in fonts and, for the characters of the sheet that they lack, the fonts of a folder and the folders
    /// in it that have one of them. A document that needs no such font is therefore the same whatever the folder has.
    /// A folder that does not exist has no fonts, and neither has a file that is none.
    ///
    /// # Errors
    /// [`FontsError`] if the folder is needed and cannot be read.
    pub fn of(sheet: &Sheet, folder: &Path) -> Result<Self, FontsError> {
        let compiled_in = Self::compiled_in();
        let missing = compiled_in.missing(sheet);
        if missing.is_empty() {
            return Ok(compiled_in);
        }
        let failed = |path: &Path, source| FontsError {
            id: sheet.id.clone(),
            path: path.display().to_string(),
            source,
        };
        let mut files = Vec::new();
        list(folder, DEPTH_MAX, &mut files).map_err(|(path, source)| failed(&path, source))?;
        files.sort();
        let mut fonts = COMPILED_IN.fonts.clone();
        let mut families: Vec<String> = Vec::new();
        for file in files {
            let bytes = std::fs::read(&file).map_err(|source| failed(&file, source))?;
            let has_one = |font: &Font| missing.iter().any(|character| has(font, *character));
            for font in Font::iter(Bytes::new(bytes)).filter(has_one) {
                let family = &font.info().family;
                if !families.contains(family) {
                    families.push(family.clone());
                }
                fonts.push(font);
            }
        }
        let shelf = Arc::new(Shelf::new(fonts, families));
        Ok(Self { shelf, searched: Some(folder.to_owned()) })
    }

    /// The characters of a sheet that none of the fonts has.
    pub(crate) fn missing(&self, sheet: &Sheet) -> BTreeSet<char> {
        let mut characters: BTreeSet<char> = sheet.texts().flat_map(str::chars).collect();
        characters.retain(|character| {
            !character.is_whitespace() && !self.shelf.fonts.iter().any(|font| has(font, *character))
        });
        characters
    }

    pub(crate) fn book(&self) -> &LazyHash<FontBook> {
        &self.shelf.book
    }

    pub(crate) fn font(&self, index: usize) -> Option<Font> {
        self.shelf.fonts.get(index).cloned()
    }

    pub(crate) fn families(&self) -> &[String] {
        &self.shelf.families
    }
}

fn has(font: &Font, character: char) -> bool {
    font.info().coverage.contains(u32::from(character))
}

/// Lists the files of fonts in a folder and in the folders within. A link to a folder is not followed, so that the
/// search ends.
fn list(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), (PathBuf, std::io::Error)> {
    let failed = |error| (folder.to_owned(), error);
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        if entry.file_type().map_err(failed)?.is_dir() {
            if depth > 0 {
                list(&path, depth - 1, files)?;
            }
        } else if is_font(&path) && path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

fn is_font(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension))
}
