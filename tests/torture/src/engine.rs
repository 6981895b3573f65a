//! The ClickHouse engine, asked over its own HTTP interface in plain SQL.

use std::time::Duration;

use anyhow::{Result, bail};

/// How long a question may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The user and database of the engine.
const USER: &str = "weighbridge";

/// A client.
#[derive(Debug, Clone)]
pub struct Engine {
    http: reqwest::Client,
    url: String,
    password: String,
}

impl Engine {
    /// Takes the address; sends nothing yet.
    ///
    /// # Errors
    /// Where no client can be made.
    pub fn new(url: &str, password: &str) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self { http, url: url.to_owned(), password: password.to_owned() })
    }

    async fn post(&self, query: &[(&str, &str)], body: String) -> Result<String> {
        let request = self.http.post(&self.url).query(&[("database", USER)]).query(query);
        let request = request.header("X-ClickHouse-User", USER).header("X-ClickHouse-Key", &self.password);
        let answer = request.body(body).send().await?;
        let failed = !answer.status().is_success();
        let text = answer.text().await?;
        if failed {
            bail!("{}", text.chars().take(400).collect::<String>());
        }
        Ok(text)
    }

    /// Runs a statement and returns its answer as tab-separated text.
    ///
    /// # Errors
    /// Where the engine does not answer or refuses.
    pub async fn run(&self, sql: &str) -> Result<String> {
        self.post(&[], sql.to_owned()).await
    }

    /// The rows of a question, split into columns.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn rows(&self, sql: &str) -> Result<Vec<Vec<String>>> {
        let text = self.run(sql).await?;
        Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
    }

    /// Inserts tab-separated rows, synchronously.
    ///
    /// # Errors
    /// As [`Engine::run`]; the rows may have been inserted.
    pub async fn insert(&self, table: &str, settings: &[(&str, &str)], rows: String) -> Result<()> {
        let sql = format!("INSERT INTO {table} FORMAT TabSeparated");
        let mut query = vec![("query", sql.as_str()), ("async_insert", "0")];
        query.extend_from_slice(settings);
        self.post(&query, rows).await.map(|_| ())
    }
}
