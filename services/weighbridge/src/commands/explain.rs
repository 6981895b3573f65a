//! `weighbridge explain`: explains error codes.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use wb_error_pages::Page;

use crate::commands::{Nothing, Run};
use crate::console::{print, tell};

/// How many similar codes are suggested for an unknown one.
const NEAREST: usize = 3;

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// Error codes, such as WB-4102 or 4102.
    #[arg(required_unless_present = "list")]
    codes: Vec<String>,
    /// List all codes with their titles.
    #[arg(long, conflicts_with = "codes")]
    list: bool,
}

impl Run for ExplainArguments {
    type Needs = Nothing;

    async fn run(self, _: Nothing) -> Result<ExitCode> {
        if self.list {
            for page in wb_error_pages::pages() {
                print(&line(page))?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        let mut ended = ExitCode::SUCCESS;
        let mut printed = 0_usize;
        for code in &self.codes {
            let Some(page) = wb_error_pages::find(code) else {
                tell(&unknown(code));
                ended = ExitCode::FAILURE;
                continue;
            };
            let apart = if printed == 0 { "" } else { "\n" };
            print(&format!("{apart}{}", page.text.trim_end()))?;
            printed += 1;
        }
        Ok(ended)
    }
}

fn line(page: &Page) -> String {
    format!("{}  {}", page.code, page.title())
}

fn unknown(code: &str) -> String {
    let nearest: Vec<String> = wb_error_pages::nearest(code, NEAREST)
        .into_iter()
        .map(|page| format!("\n  {}", line(page)))
        .collect();
    if nearest.is_empty() {
        return format!("weighbridge: there is no code {code:?}; `weighbridge explain --list` prints all");
    }
    format!("weighbridge: there is no code {code:?}; the most similar codes are{}", nearest.concat())
}
