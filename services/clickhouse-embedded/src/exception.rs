//! Errors in ClickHouse's form: code, text, and the HTTP status of the code.

use axum::http::StatusCode;

/// Codes of ClickHouse's `ErrorCodes` that this crate raises itself.
pub(crate) mod code {
    pub(crate) const CHECKSUM_DOESNT_MATCH: u32 = 40;
    pub(crate) const NOT_IMPLEMENTED: u32 = 48;
    pub(crate) const SYNTAX_ERROR: u32 = 62;
    pub(crate) const UNKNOWN_COMPRESSION_METHOD: u32 = 89;
    pub(crate) const CANNOT_READ_ALL_DATA: u32 = 33;
    pub(crate) const TOO_LARGE_SIZE_COMPRESSED: u32 = 120;
    pub(crate) const TIMEOUT_EXCEEDED: u32 = 159;
    pub(crate) const READONLY: u32 = 164;
    pub(crate) const TOO_MANY_SIMULTANEOUS_QUERIES: u32 = 202;
    pub(crate) const QUERY_IS_TOO_LARGE: u32 = 223;
    pub(crate) const ABORTED: u32 = 236;
    pub(crate) const CANNOT_DECOMPRESS: u32 = 271;
    pub(crate) const BAD_ARGUMENTS: u32 = 36;
    pub(crate) const ACCESS_DENIED: u32 = 497;
    pub(crate) const AUTHENTICATION_FAILED: u32 = 516;
}

/// An error in the form that ClickHouse clients expect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChException {
    code: u32,
    text: String,
}

impl ChException {
    /// An error of this crate; `name` is ClickHouse's name of `code`.
    pub(crate) fn new(code: u32, name: &str, message: impl AsRef<str>) -> Self {
        let text = format!("Code: {code}. DB::Exception: {}. ({name})", message.as_ref());
        Self { code, text }
    }

    /// An error of the engine; its text starts with `Code: N.`
    pub(crate) fn from_engine(message: &str) -> Self {
        match leading_code(message) {
            Some(code) => Self { code, text: message.to_owned() },
            // 1002 is ClickHouse's UNKNOWN_EXCEPTION.
            None => Self {
                code: 1002,
                text: format!("Code: 1002. DB::Exception: {message}. (UNKNOWN_EXCEPTION)"),
            },
        }
    }

    pub(crate) fn denied(message: impl AsRef<str>) -> Self {
        Self::new(code::ACCESS_DENIED, "ACCESS_DENIED", message)
    }

    pub(crate) fn not_implemented(message: impl AsRef<str>) -> Self {
        Self::new(code::NOT_IMPLEMENTED, "NOT_IMPLEMENTED", message)
    }

    pub(crate) fn syntax(message: impl AsRef<str>) -> Self {
        Self::new(code::SYNTAX_ERROR, "SYNTAX_ERROR", message)
    }

    pub(crate) fn bad_arguments(message: impl AsRef<str>) -> Self {
        Self::new(code::BAD_ARGUMENTS, "BAD_ARGUMENTS", message)
    }

    pub(crate) fn aborted(message: impl AsRef<str>) -> Self {
        Self::new(code::ABORTED, "ABORTED", message)
    }

    pub(crate) fn code(&self) -> u32 {
        self.code
    }

    /// The text for the client, ended by a line feed.
    pub(crate) fn text_line(&self) -> String {
        let mut line = self.text.trim_end().to_owned();
        line.push('\n');
        line
    }

    /// The HTTP status of this code, as in ClickHouse's `exceptionCodeToHTTPStatus`; 500 for codes that are not
    /// listed.
    pub(crate) fn status(&self) -> StatusCode {
        match self.code {
            194 => StatusCode::UNAUTHORIZED,
            164 | 192 | 193 | 497 | 512 | 516 => StatusCode::FORBIDDEN,
            6 | 7 | 10 | 15 | 19 | 20 | 25 | 26 | 27 | 32 | 33 | 36 | 38 | 40 | 41 | 42 | 43 | 53 | 62
            | 69 | 70 | 72 | 89 | 117 | 130 | 131 | 271 | 427 | 456 | 457 => StatusCode::BAD_REQUEST,
            16 | 46 | 47 | 50 | 52 | 60 | 63 | 73 | 81 | 115 => StatusCode::NOT_FOUND,
            120 | 223 => StatusCode::PAYLOAD_TOO_LARGE,
            159 => StatusCode::REQUEST_TIMEOUT,
            48 => StatusCode::NOT_IMPLEMENTED,
            202 => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

fn leading_code(message: &str) -> Option<u32> {
    let rest = message.trim_start().strip_prefix("Code: ")?;
    rest.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_text_gives_its_code_and_status() {
        let table = [
            ("Code: 60. DB::Exception: Table x does not exist. (UNKNOWN_TABLE)", 60, 404),
            ("Code: 62. DB::Exception: Syntax error", 62, 400),
            ("Code: 395. DB::Exception: thrown", 395, 500),
            ("something else", 1002, 500),
        ];
        for (text, code, status) in table {
            let exception = ChException::from_engine(text);
            assert_eq!((exception.code(), exception.status().as_u16()), (code, status), "{text}");
            assert!(exception.text_line().starts_with(&format!("Code: {code}. ")), "{text}");
        }
    }
}
