//! The cut of an instant. The log knows it, because the broker dates each commit.

use std::error::Error;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use wb_units::Micros;

/// An offset in `commits`.
type Offset = Result<u64, Box<dyn Error + Send + Sync>>;

/// Finds the first offset in `commits` that was appended at or after an instant, or the end if there is none.
pub type CommitsAt = Arc<dyn Fn(Micros) -> BoxFuture<'static, Offset> + Send + Sync>;
