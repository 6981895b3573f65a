//! The one binary of Weighbridge.

mod adapters;
mod alarm;
mod audit;
mod backends;
mod bill;
mod cli;
mod connect;
mod contract;
mod correct;
mod demo;
mod evidence;
mod export;
mod import;
mod keys;
mod paper;
mod quarantine;
mod report;
mod rules;
mod seal;
mod services;
mod share;
mod up;
mod webhooks;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    if let Err(error) = wb_observe::init(arguments.log_format(), arguments.default_log_filter()) {
        cli::tell(&format!("weighbridge: {}", wb_observe::chain(&error)));
        return ExitCode::FAILURE;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(cli::run(arguments)),
        Err(error) => Err(anyhow::Error::new(error).context("the asynchronous runtime did not start")),
    };
    match ended {
        Ok(code) => code,
        Err(error) => {
            cli::tell(&format!("weighbridge: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
