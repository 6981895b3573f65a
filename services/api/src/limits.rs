//! Checks that refuse a query before the schema processes it.

mod shape;
mod text;

pub(crate) use shape::ShapeLimits;
pub(crate) use text::check as check_text;
