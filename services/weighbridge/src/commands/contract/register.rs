//! `weighbridge contract register` and `contract withdraw`: facts about versions of contracts.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use wb_events::facts::CONTRACT_WITHDRAWAL;
use wb_rating::{Contract, Format, document_json, position_of};
use wb_units::time::rfc3339;

use super::read;
use crate::commands::fact::{OneFact, send_fact};
use crate::commands::report::{instant_us, now_us};
use crate::commands::{Run, RunningIngest};
use crate::console::print;

#[derive(Debug, Args)]
pub(crate) struct RegisterArguments {
    /// A contract document in TOML or JSON.
    file: PathBuf,
    /// The instant from which it holds, such as 2026-10-01T00:00:00Z. By default the document's effective_from.
    #[arg(long)]
    from: Option<String>,
    /// The address of ingest.
    #[arg(long, env = "WEIGHBRIDGE_INGEST_URL", default_value = "http://127.0.0.1:8801")]
    ingest: String,
    /// The API key of a source with the role `operator`.
    #[arg(long, env = "WEIGHBRIDGE_SOURCE_KEY", hide_env_values = true, default_value = "")]
    source_key: String,
}

#[derive(Debug, Args)]
pub(crate) struct WithdrawArguments {
    /// The contract's id.
    contract: String,
    /// The number of the version.
    #[arg(long)]
    version: u64,
    /// Your name, for the record.
    #[arg(long, env = "USER")]
    who: String,
    /// The reason, for the record.
    #[arg(long)]
    why: String,
    /// The address of ingest.
    #[arg(long, env = "WEIGHBRIDGE_INGEST_URL", default_value = "http://127.0.0.1:8801")]
    ingest: String,
    /// The API key of a source with the role `operator`.
    #[arg(long, env = "WEIGHBRIDGE_SOURCE_KEY", hide_env_values = true, default_value = "")]
    source_key: String,
}

impl Run for RegisterArguments {
    type Needs = RunningIngest;

    async fn run(self, _: RunningIngest) -> Result<ExitCode> {
        let (text, format) = read(&self.file)?;
        let (contract, from_us, body) = checked(&self.file, (&text, format), self.from.as_deref())?;
        let (entity, version) = (contract.contract_id, contract.version);
        let registered = format!("contract {entity} version {version} holds from {}", rfc3339(from_us));
        let fact = OneFact { kind: "contract", entity, from_us, to_us: None, body };
        send_fact(&self.ingest, self.source_key, fact).await?;
        print(&registered)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Checks a document; returns it, from when it holds, and its text as a fact has it.
fn checked(
    path: &Path,
    (text, format): (&str, Format),
    from: Option<&str>,
) -> Result<(Contract, i64, Value)> {
    let contract = Contract::check(text, format).map_err(|errors| {
        let named: Vec<String> = errors
            .iter()
            .map(|error| {
                let at = position_of(text, format, error);
                format!("{}:{}:{}: {error}", path.display(), at.line, at.column)
            })
            .collect();
        anyhow::anyhow!("{}", named.join("\n"))
    })?;
    let given_us = from.map(instant_us).transpose().context("--from")?;
    let from_us = match (contract.effective_from_us, given_us) {
        (Some(stated_us), Some(given_us)) if stated_us != given_us => bail!(
            "{}: the document holds from {}, but --from is {}; both name one instant",
            path.display(),
            rfc3339(stated_us),
            rfc3339(given_us)
        ),
        (Some(from_us), _) | (None, Some(from_us)) => from_us,
        (None, None) => bail!(
            "{}: the document does not say from when it holds; write effective_from in it, or give --from",
            path.display()
        ),
    };
    Ok((contract, from_us, document_json(text, format)?))
}

impl Run for WithdrawArguments {
    type Needs = RunningIngest;

    async fn run(self, _: RunningIngest) -> Result<ExitCode> {
        let body = json!({
            "contract_id": self.contract, "version": self.version, "who": self.who, "why": self.why,
        });
        let withdrawn = format!("version {} of contract {} is withdrawn", self.version, self.contract);
        let fact = OneFact {
            kind: CONTRACT_WITHDRAWAL,
            entity: self.contract,
            from_us: now_us()?,
            to_us: None,
            body,
        };
        send_fact(&self.ingest, self.source_key, fact).await?;
        print(&withdrawn)?;
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"contract_id = "c"
customer_id = "k"
legal_entity = "e"
time_zone = "UTC"
version = 2
[[components]]
id = "fee"
kind = "fixed_fee"
currency = "USD"
amount = "10"
"#;

    #[test]
    fn a_document_is_registered_for_one_instant() {
        let dated = format!("effective_from = \"2026-10-01T00:00:00Z\"\n{DOCUMENT}");
        let file = Path::new("c.toml");
        let of = |text: &str, from| checked(file, (text, Format::Toml), from);
        let (contract, from_us, body) = of(&dated, None).unwrap();
        assert_eq!((contract.version, rfc3339(from_us).as_str()), (2, "2026-10-01T00:00:00Z"));
        assert_eq!(of(&dated, Some("2026-10-01T00:00:00Z")).unwrap().1, from_us);
        assert_eq!(of(DOCUMENT, Some("2026-10-01T00:00:00Z")).unwrap().1, from_us);
        wb_events::facts::FactBody::parse("contract", "c", &body.to_string()).unwrap();
        for (text, from, words) in [
            (dated.as_str(), Some("2026-11-01T00:00:00Z"), "both name one instant"),
            (DOCUMENT, None, "--from"),
            ("contract_id = 1", None, "c.toml:"),
        ] {
            let error = of(text, from).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
