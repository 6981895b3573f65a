//! The options of the API and the limits of a request.

use serde::Deserialize;

/// The options of the API.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    /// Whether `GET /graphql` shows the GraphiQL page. It loads its scripts from a public host.
    pub graphiql: bool,
    /// The limits of a request.
    pub limits: Limits,
}

/// The limits of a request. Those of the query's text come first, because parsing itself can be expensive.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a request's body: a query with its variables.
    pub body_bytes: usize,
    /// Bytes of the query's text.
    pub query_bytes: usize,
    /// Tokens in the query's text.
    pub query_tokens: usize,
    /// Nesting of brackets of any kind in the query's text.
    pub query_nesting: usize,
    /// Nesting of fields.
    pub depth: usize,
    /// Cells of the answer: fields times rows, as far as the arguments show.
    pub complexity: usize,
    /// Aliases, with fragments counted each time they are spread: each alias can be a query of its own.
    pub aliases: usize,
    /// Selections, with all fragments spread.
    pub selections: usize,
    /// Nesting of introspection lists: types, fields, arguments.
    pub introspection_lists: usize,
    /// Directives of one field.
    pub directives: usize,
    /// Milliseconds from the request's head to the answer.
    pub time_ms: u64,
    /// Requests in progress at once; more are refused.
    pub concurrent_requests: usize,
    /// Exports in progress at once; more are refused.
    pub concurrent_exports: usize,
    /// Milliseconds from an export's head to its last byte, even if the reader is slow.
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
