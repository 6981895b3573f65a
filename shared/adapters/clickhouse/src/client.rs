//! The connection, with every setting that a result relies on.

use clickhouse::Client;
use wb_auth::TenantScope;

use crate::error::{StoreError, query_failed};
use crate::read::{Cut, Read};

/// Threads of one query.
const MAX_THREADS: u32 = 2;

/// Seconds after which the server aborts a query.
const MAX_EXECUTION_TIME_S: u32 = 30;

/// Memory of one query, in bytes: 1 GiB.
const MAX_MEMORY_USAGE_BYTES: u64 = 1 << 30;

/// Rows of one answer. More rows are an error; an answer is never cut silently.
const MAX_RESULT_ROWS: u32 = 200_000;

/// How to reach ClickHouse, and the limits of a query.
#[derive(Clone)]
pub struct StoreConfig {
    /// The URL of the HTTP interface, such as `http://127.0.0.1:8123`.
    pub url: String,
    /// The database: `[a-z][a-z0-9_]*`, at most 63 characters.
    pub database: String,
    /// The user, if the server requires one.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<String>,
    /// Threads of one query.
    pub max_threads: u32,
    /// Seconds after which the server aborts a query.
    pub max_execution_time_s: u32,
    /// Bytes of memory of one query.
    pub max_memory_usage_bytes: u64,
}

impl StoreConfig {
    /// The default limits for a URL and database, without a user.
    #[must_use]
    pub fn new(url: impl Into<String>, database: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            database: database.into(),
            user: None,
            password: None,
            max_threads: MAX_THREADS,
            max_execution_time_s: MAX_EXECUTION_TIME_S,
            max_memory_usage_bytes: MAX_MEMORY_USAGE_BYTES,
        }
    }
}

/// A ClickHouse database. Cheap to clone; holds a pool of connections.
#[derive(Clone)]
pub struct Store {
    /// Without a database, for creating it.
    server: Client,
    client: Client,
    database: String,
}

impl Store {
    /// Connects with the default limits and checks that the server answers. The database need not
    /// exist yet; see [`Store::migrate`].
    ///
    /// # Errors
    /// [`StoreError::DatabaseName`], or [`StoreError::Query`] where no server answers.
    pub async fn connect(
        url: &str,
        database: &str,
        user: Option<&str>,
        password: Option<&str>,
    ) -> Result<Self, StoreError> {
        let mut config = StoreConfig::new(url, database);
        config.user = user.map(str::to_owned);
        config.password = password.map(str::to_owned);
        let store = Self::new(config)?;
        store.ping().await?;
        Ok(store)
    }

    /// Creates a store without connecting.
    ///
    /// # Errors
    /// [`StoreError::DatabaseName`] for a name that would need quoting in SQL.
    pub fn new(config: StoreConfig) -> Result<Self, StoreError> {
        if !is_database_name(&config.database) {
            return Err(StoreError::DatabaseName { name: config.database });
        }
        let mut server = Client::default().with_url(&config.url);
        if let Some(user) = &config.user {
            server = server.with_user(user);
        }
        if let Some(password) = &config.password {
            server = server.with_password(password);
        }
        // Set explicitly: server defaults differ between versions, and some lose or merge rows silently.
        for (name, value) in [
            ("async_insert", "0".to_owned()),
            ("insert_deduplicate", "0".to_owned()),
            ("fsync_metadata", "1".to_owned()),
            ("max_insert_threads", "1".to_owned()),
            ("input_format_parallel_parsing", "0".to_owned()),
            ("join_use_nulls", "0".to_owned()),
            ("transform_null_in", "0".to_owned()),
            ("use_query_cache", "0".to_owned()),
            ("session_timezone", "UTC".to_owned()),
            ("max_threads", config.max_threads.to_string()),
            ("max_execution_time", config.max_execution_time_s.to_string()),
            ("max_memory_usage", config.max_memory_usage_bytes.to_string()),
            ("max_result_rows", MAX_RESULT_ROWS.to_string()),
            ("result_overflow_mode", "throw".to_owned()),
        ] {
            server = server.with_setting(name, value);
        }
        let client = server.clone().with_database(&config.database);
        Ok(Self { server, client, database: config.database })
    }

    /// Checks that the server answers.
    ///
    /// # Errors
    /// [`StoreError::Query`] if it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let one: u8 = self.server.query("SELECT 1").fetch_one().await.map_err(query_failed("answer"))?;
        if one == 1 {
            Ok(())
        } else {
            Err(StoreError::Row { table: "system.one", problem: format!("1 was read as {one}") })
        }
    }

    /// The `clickhouse` client for this database with all settings, for writers.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The client without a database.
    pub(crate) fn server(&self) -> &Client {
        &self.server
    }

    /// The database's name.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The newest cut: it holds all projected commits and seals.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn cut(&self) -> Result<Cut, StoreError> {
        let sql = "SELECT max(next) FROM (\
               SELECT if(count() = 0, toUInt64(0), max(commit_offset) + 1) AS next FROM manifest UNION ALL \
               SELECT if(count() = 0, toUInt64(0), max(commit_offset) + 1) AS next FROM seals)";
        self.client.query(sql).fetch_one().await.map(Cut).map_err(query_failed("find the newest cut"))
    }

    /// Creates a reader for one tenant at one cut. Rows can be read in no other way.
    #[must_use]
    pub fn read(&self, scope: TenantScope, cut: Cut) -> Read {
        Read::new(self.client.clone(), scope, cut)
    }
}

fn is_database_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=63).contains(&name.len())
        && name.bytes().all(allowed)
        && name.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_name_needs_no_quotes() {
        for good in ["weighbridge", "w1_test"] {
            assert!(Store::new(StoreConfig::new("http://127.0.0.1:1", good)).is_ok());
        }
        for wrong in ["", "1a", "a-b", "A", "a`b", "a b", &"a".repeat(64)] {
            let refusal = Store::new(StoreConfig::new("http://127.0.0.1:1", wrong)).err().unwrap();
            assert_eq!(refusal.code(), "WB-3201", "{wrong:?}");
        }
    }
}
