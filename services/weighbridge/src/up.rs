//! `weighbridge up` and `weighbridge serve`.

use std::ffi::OsString;
use std::io::Read as _;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use wb_auth::SourceKeys;
use wb_config::Config;

use crate::backends::Backends;
use crate::cli::{configured_sources, tell};
use crate::services::{Connected, Running, Service, connect};

/// The services of one machine; the engine is a process of its own.
const ALL: [Service; 4] = [Service::Ingest, Service::Aggregator, Service::Billing, Service::Api];

/// Completes at SIGTERM, SIGINT or, where wanted, the end of standard input.
pub(crate) fn end_signal(with_stdin: bool) -> Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let (ended, stdin_ended) = tokio::sync::oneshot::channel();
    if with_stdin {
        // A thread of its own: a blocking read must not hold the runtime at exit.
        std::thread::spawn(move || {
            let mut sink = [0; 256];
            while std::io::stdin().read(&mut sink).is_ok_and(|count| count > 0) {}
            let _ = ended.send(());
        });
    } else {
        drop(ended);
    }
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = stdin_ended, if with_stdin => {}
        }
    })
}

/// Serves this process's figures, where an address is configured.
fn serve_figures(config: &Config) -> Result<()> {
    match config.metrics_listen {
        Some(address) => wb_observe::serve_figures(address).context("observe.metrics_listen"),
        None => Ok(()),
    }
}

/// Everything on this machine.
pub(crate) struct Stack {
    backends: Backends,
    pub(crate) connected: Connected,
    pub(crate) running: Running,
}

impl Stack {
    /// Starts backends, then services.
    pub(crate) async fn start(
        config: &Config,
        child_arguments: &[OsString],
        sources: SourceKeys,
    ) -> Result<Self> {
        std::fs::create_dir_all(&config.data_dir)
            .with_context(|| format!("cannot make the data folder {}", config.data_dir.display()))?;
        let backends = Backends::start(config, child_arguments).await?;
        let connected = connect(config).await?;
        let running = Running::start(config, &connected, sources, &ALL).await?;
        Ok(Self { backends, connected, running })
    }

    /// Stops services, then backends.
    pub(crate) async fn stop(self) {
        self.running.stop().await;
        self.backends.stop().await;
    }
}

/// `weighbridge up`.
pub(crate) async fn run(config: &Config, child_arguments: &[OsString]) -> Result<()> {
    let end = end_signal(false)?;
    serve_figures(config)?;
    tell("starting Kafka, ClickHouse and the services");
    let mut stack = Stack::start(config, child_arguments, configured_sources(config)?).await?;
    tell(&format!("ingest   http://{}/v1/events", config.ingest.listen));
    tell(&format!("graphql  http://{}/graphql", config.api.listen));
    tell("ready; Ctrl-C ends");
    let ended = tokio::select! {
        () = end => Ok(()),
        ended = stack.running.any_ended() => ended,
    };
    tell("stopping");
    stack.stop().await;
    ended
}

/// `weighbridge serve`, with the backends that others run.
pub(crate) async fn serve(config: &Config, service: Service, exit_with_stdin: bool) -> Result<()> {
    let end = end_signal(exit_with_stdin)?;
    serve_figures(config)?;
    let connected = connect(config).await?;
    let mut running = Running::start(config, &connected, configured_sources(config)?, &[service]).await?;
    tell("ready");
    let ended = tokio::select! {
        () = end => Ok(()),
        ended = running.any_ended() => ended,
    };
    running.stop().await;
    ended
}
