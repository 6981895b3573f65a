//! What the API offers and what a request may cost.

use serde::Deserialize;

/// What the API offers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    /// Whether `GET /graphql` shows the GraphiQL page. It loads its scripts from a public host.
    pub graphiql: bool,
    /// The bounds of a request.
    pub limits: Limits,
}

/// The bounds of a request. Those of the query's text come first, because the parser itself can
/// be made to work hard.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a request's body: a query with its variables.
    pub body_bytes: usize,
    /// Bytes of the query's text.
    pub query_bytes: usize,
    /// Tokens of the query's text.
    pub query_tokens: usize,
    /// Open brackets of any kind inside each other, in the query's text.
    pub query_nesting: usize,
    /// Fields inside each other.
    pub depth: usize,
    /// Cells of the answer: fields times rows, as far as the arguments tell.
    pub complexity: usize,
    /// Aliases, fragments counted as often as they are spread: each can be a query of its own.
    pub aliases: usize,
    /// Selections after all fragments are spread out.
    pub selections: usize,
    /// Lists of the introspection inside each other: types, fields, arguments.
    pub introspection_lists: usize,
    /// Directives of one field.
    pub directives: usize,
    /// Milliseconds from the request's head to the answer.
    pub time_ms: u64,
    /// Requests at work at once; one more is asked to come back.
    pub concurrent_requests: usize,
    /// Exports at work at once; one more is asked to come back.
    pub concurrent_exports: usize,
    /// Milliseconds from an export's head to its last byte, however slowly it is read.
    pub export_time_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 64 * 1024,
            query_bytes: 16 * 1024,
            query_tokens: 2_000,
            query_nesting: 24,
            depth: 15,
            complexity: 60_000,
            aliases: 15,
            selections: 2_000,
            introspection_lists: 4,
            directives: 4,
            time_ms: 30_000,
            concurrent_requests: 64,
            concurrent_exports: 4,
            export_time_ms: 600_000,
        }
    }
}
