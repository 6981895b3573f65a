//! Runs the ClickHouse engine as a separate process, behind HTTP.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use wb_clickhouse_embedded::{Credentials, EngineConfig, bind};

/// Serve a data directory with the embedded ClickHouse engine.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The path of libchdb.so.
    #[arg(long, env = "WEIGHBRIDGE_CHDB_LIB")]
    lib: PathBuf,
    /// The data directory.
    #[arg(long)]
    data_dir: PathBuf,
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The database of clients that state none.
    #[arg(long, default_value = "weighbridge")]
    database: String,
    /// The user of clients.
    #[arg(long, default_value = "default")]
    user: String,
    /// The password of clients. Without one, only loopback is served.
    #[arg(long, env = "WEIGHBRIDGE_CLICKHOUSE_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// How many queries run at once.
    #[arg(long, default_value_t = 8)]
    max_concurrent_queries: usize,
    /// How long a query waits until it can run, in milliseconds.
    #[arg(long, default_value_t = 10_000)]
    max_queue_wait_ms: u64,
    /// The default max_execution_time, in seconds.
    #[arg(long, default_value_t = 300)]
    max_execution_time_s: u64,
    /// The default max_memory_usage of a query, in bytes.
    #[arg(long, default_value_t = 4 << 30)]
    max_memory_usage_bytes: u64,
    /// The largest request body, in bytes.
    #[arg(long, default_value_t = 4 << 30)]
    max_body_bytes: u64,
    /// How long running queries may take to end at shutdown, in milliseconds.
    #[arg(long, default_value_t = 10_000)]
    shutdown_grace_ms: u64,
    /// Exit when standard input ends, as it does when the parent process ends.
    #[arg(long)]
    exit_with_stdin: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; the exit code is set anyway.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let mut config = EngineConfig::new(arguments.lib, arguments.data_dir);
    config.listen = arguments.listen;
    config.database = arguments.database;
    config.credentials = arguments.password.map(|password| Credentials { user: arguments.user, password });
    config.max_concurrent_queries = arguments.max_concurrent_queries;
    config.max_queue_wait = Duration::from_millis(arguments.max_queue_wait_ms);
    config.max_execution_time_s = arguments.max_execution_time_s;
    config.max_memory_usage_bytes = arguments.max_memory_usage_bytes;
    config.max_body_bytes = arguments.max_body_bytes;
    config.shutdown_grace = Duration::from_millis(arguments.shutdown_grace_ms);

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (ended, stdin_ended) = tokio::sync::oneshot::channel();
    if arguments.exit_with_stdin {
        // A separate thread, because a blocking read would delay the exit of the runtime.
        std::thread::spawn(move || {
            let mut sink = [0; 256];
            while std::io::stdin().read(&mut sink).is_ok_and(|n| n > 0) {}
            let _ = ended.send(());
        });
    } else {
        std::mem::drop(ended);
    }
    let watch_stdin = arguments.exit_with_stdin;

    let bound = bind(config).await?;
    writeln!(std::io::stdout(), "listening on {}", bound.local_addr())?;
    std::io::stdout().flush()?;
    bound
        .run(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = stdin_ended, if watch_stdin => {}
            }
        })
        .await?;
    Ok(())
}
