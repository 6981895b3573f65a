//! Parses a request's URL, headers and form.

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_TYPE};

use crate::codec::Encoder;
use crate::exception::{ChException, code};

/// Parameters of ClickHouse's HTTP interface that are not settings and have no effect here.
const IGNORED: &[&str] = &[
    "add_http_cors_header",
    "buffer_size",
    "enable_http_compression",
    "http_zlib_compression_level",
    "quota_key",
    "send_progress_in_http_headers",
    "stacktrace",
    "wait_end_of_query",
];
/// The most fields of a form.
const MAX_FORM_FIELDS: usize = 1000;

/// The parameters of a request.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub(super) text: Option<String>,
    pub(super) database: Option<String>,
    pub(super) format: Option<String>,
    pub(super) query_id: String,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) compress: bool,
    pub(super) decompress: bool,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) settings: Vec<(String, String)>,
    /// The first parameter that is not supported.
    pub(super) refused: Option<ChException>,
    seen: bool,
}

impl Query {
    pub(super) fn parse(url_query: &str, headers: &HeaderMap) -> Self {
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let mut query = Self {
            database: header("X-ClickHouse-Database"),
            format: header("X-ClickHouse-Format"),
            ..Self::default()
        };
        for (name, value) in form_urlencoded::parse(url_query.as_bytes()) {
            query.seen = true;
            query.take(&name, value.into_owned());
        }
        if query.query_id.is_empty() {
            query.query_id = random_id();
        }
        query
    }

    /// Whether the URL had no parameters.
    pub(super) fn is_empty(&self) -> bool {
        !self.seen
    }

    fn take(&mut self, name: &str, value: String) {
        let filled = |v: String| (!v.is_empty()).then_some(v);
        match name {
            "query" => self.text = Some(value),
            "database" => self.database = filled(value).or_else(|| self.database.take()),
            "default_format" => self.format = filled(value).or_else(|| self.format.take()),
            "query_id" => self.query_id = header_safe(&value),
            "user" => self.user = Some(value),
            "password" => self.password = Some(value),
            "compress" => self.compress = is_true(&value),
            "decompress" => self.decompress = is_true(&value),
            "client_protocol_version" if value == "0" => {}
            "client_protocol_version" | "session_id" | "role" => {
                self.refuse(ChException::not_implemented(format!(
                    "The parameter `{name}` is not supported by the embedded engine: it has no sessions, roles or protocol revisions"
                )));
            }
            _ if name.starts_with("session_") || IGNORED.contains(&name) => {}
            _ => match name.strip_prefix("param_") {
                Some(parameter) => self.parameters.push((parameter.to_owned(), value)),
                None if is_setting_name(name) => self.settings.push((name.to_owned(), value)),
                None => self.refuse(ChException::new(
                    115,
                    "UNKNOWN_SETTING",
                    format!("Unknown setting '{}'", header_safe(name)),
                )),
            },
        }
    }

    fn refuse(&mut self, exception: ChException) {
        self.refused.get_or_insert(exception);
    }

    /// Reads the query and its parameters from a multipart form.
    pub(super) async fn read_form(
        &mut self,
        body: Body,
        boundary: &str,
        max_bytes: usize,
    ) -> Result<(), ChException> {
        let broken =
            |e: multer::Error| ChException::bad_arguments(format!("The multipart form cannot be read: {e}"));
        let limits = multer::SizeLimit::new()
            .whole_stream(u64::try_from(max_bytes.saturating_mul(4)).unwrap_or(u64::MAX));
        let constraints = multer::Constraints::new().size_limit(limits);
        let mut form = multer::Multipart::with_constraints(body.into_data_stream(), boundary, constraints);
        let mut fields = 0;
        while let Some(field) = form.next_field().await.map_err(broken)? {
            fields += 1;
            if fields > MAX_FORM_FIELDS {
                return Err(ChException::bad_arguments(format!(
                    "The form has more than {MAX_FORM_FIELDS} fields"
                )));
            }
            let name = field.name().unwrap_or_default().to_owned();
            if field.file_name().is_some() {
                return Err(ChException::not_implemented("External tables in the form are not served"));
            }
            let value = field.text().await.map_err(broken)?;
            if name == "query" && value.len() > max_bytes {
                return Err(ChException::new(
                    code::QUERY_IS_TOO_LARGE,
                    "QUERY_IS_TOO_LARGE",
                    format!("The query text is longer than {max_bytes} bytes"),
                ));
            }
            self.take(&name, value);
        }
        Ok(())
    }

    /// The encoding of the answer.
    pub(super) fn encoder(&self, headers: &HeaderMap) -> Encoder {
        if self.compress {
            return Encoder::Blocks;
        }
        let accepted = headers.get(ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let lz4 = accepted
            .split(',')
            .filter_map(|one| one.split(';').next())
            .any(|one| one.trim().eq_ignore_ascii_case("lz4"));
        if lz4 { Encoder::lz4_frame() } else { Encoder::Plain }
    }
}

/// The boundary of a `multipart/form-data` request.
pub(super) fn multipart_boundary(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    multer::parse_boundary(value).ok()
}

fn is_true(value: &str) -> bool {
    matches!(value, "1" | "true" | "True" | "TRUE")
}

fn is_setting_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn header_safe(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(200).collect()
}

/// 64 random bits from the standard library's hasher keys.
pub(super) fn random_u64() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// A random (version 4) UUID.
fn random_id() -> String {
    let (high, low) = (random_u64(), random_u64());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        ((low >> 48) & 0x3fff) | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_is_sorted_into_query_parameters_and_settings() {
        let url = "query=SELECT+1&database=d&param_x=a%09b&max_threads=2&compress=1&wait_end_of_query=1&query_id=q%0D%0A1";
        let query = Query::parse(url, &HeaderMap::new());
        assert_eq!(query.text.as_deref(), Some("SELECT 1"));
        assert_eq!(query.database.as_deref(), Some("d"));
        assert_eq!(query.parameters, [("x".to_owned(), "a\tb".to_owned())]);
        assert_eq!(query.settings, [("max_threads".to_owned(), "2".to_owned())]);
        assert_eq!((query.compress, query.decompress, query.query_id.as_str()), (true, false, "q1"));
        assert!(query.refused.is_none());
    }

    #[test]
    fn what_is_no_setting_name_never_reaches_sql() {
        let query = Query::parse("a%3D1%2Cb=2", &HeaderMap::new());
        assert_eq!(query.refused.map(|e| e.code()), Some(115));
        assert!(query.settings.is_empty());
    }

    #[test]
    fn ids_look_like_uuids_and_differ() {
        let (a, b) = (random_id(), random_id());
        assert_eq!((a.len(), a.as_bytes()[14]), (36, b'4'));
        assert_ne!(a, b);
    }
}
