//! What is refused before the schema looks at a query.

mod shape;
mod text;

pub(crate) use shape::ShapeLimits;
pub(crate) use text::check as check_text;
