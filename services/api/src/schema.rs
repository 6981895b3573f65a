//! The GraphQL schema.

mod averages;
mod context;
mod invoices;
mod luck;
mod pages;
mod query;
mod report;
mod series;
mod statistics;
mod time;
mod types;

use async_graphql::{EmptyMutation, EmptySubscription, Schema};

use crate::config::Limits;
use crate::limits::ShapeLimits;

pub(crate) use context::RequestReader;
pub(crate) use query::Query;

/// The schema's type. Nothing is written through it.
pub(crate) type ApiSchema = Schema<Query, EmptyMutation, EmptySubscription>;

/// Builds the schema with its limits.
#[must_use]
pub(crate) fn schema(limits: &Limits) -> ApiSchema {
    Schema::build(Query, EmptyMutation, EmptySubscription)
        .extension(ShapeLimits::new(limits))
        .limit_depth(limits.depth)
        .limit_complexity(limits.complexity)
        .limit_recursive_depth(limits.query_nesting)
        .limit_directives(limits.directives)
        .finish()
}

/// The schema in GraphQL's definition language, as published in `schemas/graphql`.
#[must_use]
pub fn sdl() -> String {
    let options =
        async_graphql::SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items();
    schema(&Limits::default()).sdl_with_options(options)
}
