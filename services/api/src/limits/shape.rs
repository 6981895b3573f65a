//! Checks a query's shape: walks it with every fragment spread, and counts every step against limits.
//!
//! async-graphql limits depth and complexity, but not aliases, and its own walk follows fragments that double at each
//! level. This extension runs before its validation.

use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextParseQuery};
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{ErrorExtensionValues, ServerError, ServerResult, Variables};

use crate::config::Limits;
use crate::error::ApiError;

/// The deepest selection with fragments spread. Depth has its own limit; this one ends the walk of circular
/// fragments.
const WALK_DEPTH_MAX: usize = 64;

/// Introspection fields that return lists.
const INTROSPECTION_LISTS: [&str; 8] =
    ["types", "fields", "inputFields", "interfaces", "possibleTypes", "enumValues", "args", "directives"];

/// The factory of the extension.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShapeLimits {
    aliases: usize,
    selections: usize,
    introspection_lists: usize,
}

impl ShapeLimits {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            aliases: limits.aliases,
            selections: limits.selections,
            introspection_lists: limits.introspection_lists,
        }
    }
}

impl ExtensionFactory for ShapeLimits {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(*self)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for ShapeLimits {
    async fn parse_query(
        &self,
        context: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let document = next.run(context, query, variables).await?;
        check(&document, *self).map_err(|refusal| {
            let mut error = ServerError::new(refusal.to_string(), None);
            let mut extensions = ErrorExtensionValues::default();
            extensions.set("code", refusal.code());
            error.extensions = Some(extensions);
            error
        })?;
        Ok(document)
    }
}

/// Walks all operations of a document.
fn check(document: &ExecutableDocument, limits: ShapeLimits) -> Result<(), ApiError> {
    let mut walk = Walk { document, limits, aliases: 0, selections: 0 };
    for (_, operation) in document.operations.iter() {
        walk.set(&operation.node.selection_set.node, Place { depth: 0, introspection: false, lists: 0 })?;
    }
    Ok(())
}

struct Walk<'a> {
    document: &'a ExecutableDocument,
    limits: ShapeLimits,
    aliases: usize,
    selections: usize,
}

/// The state of the walk.
#[derive(Clone, Copy)]
struct Place {
    depth: usize,
    introspection: bool,
    lists: usize,
}

impl Walk<'_> {
    fn set(&mut self, set: &SelectionSet, place: Place) -> Result<(), ApiError> {
        let refuse = |what, limit| Err(ApiError::QueryShape { what, limit });
        if place.depth > WALK_DEPTH_MAX {
            return refuse("selections inside each other (do fragments run in a circle?)", WALK_DEPTH_MAX);
        }
        for selection in &set.items {
            self.selections += 1;
            if self.selections > self.limits.selections {
                return refuse("selections once all fragments are spread out", self.limits.selections);
            }
            let inside = Place { depth: place.depth + 1, ..place };
            match &selection.node {
                Selection::Field(field) => {
                    self.aliases += usize::from(field.node.alias.is_some());
                    if self.aliases > self.limits.aliases {
                        return refuse("aliases", self.limits.aliases);
                    }
                    let name = field.node.name.node.as_str();
                    let introspection = place.introspection || name == "__schema" || name == "__type";
                    let list = introspection && INTROSPECTION_LISTS.contains(&name);
                    let lists = place.lists + usize::from(list);
                    if lists > self.limits.introspection_lists {
                        return refuse(
                            "lists of the introspection inside each other",
                            self.limits.introspection_lists,
                        );
                    }
                    self.set(&field.node.selection_set.node, Place { introspection, lists, ..inside })?;
                }
                Selection::InlineFragment(fragment) => {
                    self.set(&fragment.node.selection_set.node, inside)?;
                }
                Selection::FragmentSpread(spread) => {
                    // Validation reports an unknown fragment.
                    let document = self.document;
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                        self.set(&fragment.node.selection_set.node, inside)?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(query: &str) -> Result<(), &'static str> {
        let document = async_graphql::parser::parse_query(query).unwrap();
        check(&document, ShapeLimits::new(&Limits::default())).map_err(|refusal| refusal.code())
    }

    #[test]
    fn aliases_are_counted_through_fragments() {
        let many: String = (0..15).map(|index| format!("a{index}:cut ")).collect();
        assert_eq!(outcome(&format!("{{ {many} }}")), Ok(()));
        assert_eq!(outcome(&format!("{{ {many} one:cut }}")), Err("WB-3304"));
        assert_eq!(outcome(&format!("{{ ...f ...f }} fragment f on Query {{ {many} }}")), Err("WB-3304"));
    }

    #[test]
    fn fragments_that_double_or_run_in_a_circle_are_refused() {
        let doubling: String = (0..20)
            .map(|level| format!("fragment f{level} on Query {{ ...f{0} ...f{0} }} ", level + 1))
            .collect();
        assert_eq!(
            outcome(&format!("{{ ...f0 }} {doubling} fragment f20 on Query {{ cut }}")),
            Err("WB-3304")
        );
        assert_eq!(
            outcome("{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }"),
            Err("WB-3304")
        );
        assert_eq!(outcome("{ ...a ...unknown } fragment a on Query { cut }"), Ok(()));
    }

    #[test]
    fn introspection_is_answered_but_not_in_circles() {
        let usual = "{ __schema { types { fields { args { type { ofType { ofType { name } } } } } } } }";
        assert_eq!(outcome(usual), Ok(()));
        let circle = "{ __type(name: \"Query\") { fields { type { fields { type { fields { type { fields \
                      { type { fields { name } } } } } } } } } } }";
        assert_eq!(outcome(circle), Err("WB-3304"));
    }
}
