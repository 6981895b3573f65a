//! Log lines on standard error, and metrics.
//!
//! Standard output is for a command's result, so log lines never go there.

mod figures;

use tracing_subscriber::EnvFilter;

pub use figures::{figure, serve_figures};

/// The environment variable with the log filter, such as `info` or `wb_ingest=debug,warn`. An empty one counts as not
/// set.
pub const LOG_VARIABLE: &str = "WEIGHBRIDGE_LOG";

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for reading: time, level, target, message and fields.
    Text,
    /// One JSON object per line.
    Json,
}

/// Why logging or metrics could not be started.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The filter is not valid.
    #[code("WB-6101")]
    #[error(
        "the log filter {filter:?} of {origin} cannot be read; write a level (error, warn, info, debug, trace, off) or `target=level` pairs separated by commas"
    )]
    Filter {
        filter: String,
        /// Its origin: the environment variable or the program's default.
        origin: &'static str,
        /// The cause.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// The metrics cannot be served.
    #[code("WB-6103")]
    #[error("the figures cannot be served on {address}: choose a free address for observe.metrics_listen")]
    Figures {
        address: std::net::SocketAddr,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Logging is already running.
    #[code("WB-6102")]
    #[error("logging is already started in this process; start it once, at the beginning")]
    Started(#[source] tracing_subscriber::util::TryInitError),
}

/// Starts logging to standard error for the whole process, with the filter of [`LOG_VARIABLE`] or else the default given.
///
/// # Errors
/// [`ObserveError::Filter`] for an invalid filter, [`ObserveError::Started`] at a second call.
pub fn init(format: LogFormat, default_filter: &str) -> Result<(), ObserveError> {
    use tracing_subscriber::util::SubscriberInitExt;

    let filter = filter(
        std::env::var_os(LOG_VARIABLE).map(|text| text.to_string_lossy().into_owned()),
        default_filter,
    )?;
    // No colours, because logs are also read by programs.
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    let started = match format {
        LogFormat::Text => builder.finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    };
    started.map_err(ObserveError::Started)
}

fn filter(variable: Option<String>, default_filter: &str) -> Result<EnvFilter, ObserveError> {
    let (filter, origin) = match variable.filter(|text| !text.is_empty()) {
        Some(text) => (text, LOG_VARIABLE),
        None => (default_filter.to_owned(), "the program's default"),
    };
    EnvFilter::builder().parse(&filter).map_err(|source| ObserveError::Filter { filter, origin, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_wins_over_the_default_unless_it_is_empty() {
        let seen = |variable: Option<&str>| filter(variable.map(str::to_owned), "info").unwrap().to_string();
        assert_eq!(seen(None), "info");
        assert_eq!(seen(Some("")), "info");
        assert_eq!(seen(Some("warn")), "warn");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named_with_its_origin() {
        let error = filter(Some("wb=loudly".to_owned()), "info").unwrap_err().to_string();
        assert!(
            error.contains("WB-6101") && error.contains("wb=loudly") && error.contains(LOG_VARIABLE),
            "{error}"
        );
        let error = filter(None, "=====").unwrap_err().to_string();
        assert!(error.contains("the program's default"), "{error}");
    }
}
