//! The Weighbridge program.

mod cli;
mod commands;
mod console;
mod table;
mod wiring;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = cli::Arguments::of_process();
    if let Err(error) = wb_observe::init(arguments.log_format(), arguments.default_log_filter()) {
        console::tell_failure(&anyhow::Error::new(error));
        return ExitCode::FAILURE;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(cli::dispatch(arguments)),
        Err(error) => Err(anyhow::Error::new(error).context("the asynchronous runtime did not start")),
    };
    match ended {
        Ok(code) => code,
        Err(error) => {
            console::tell_failure(&error);
            ExitCode::FAILURE
        }
    }
}
