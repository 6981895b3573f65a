//! `weighbridge contract list`, `show` and `history`: what is recorded of contracts.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::json;
use wb_billing::{RecordedDocument, Standing};
use wb_ledger::canonical;
use wb_units::did_you_mean;
use wb_units::time::rfc3339;

use super::WHO;
use crate::commands::{Run, RunningStack};
use crate::console::print;

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Print one JSON object per contract.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// A contract as ID@VERSION, or ID for its latest version.
    name: String,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArguments {
    /// The contract's id.
    contract: String,
    /// Print one JSON object per document.
    #[arg(long)]
    json: bool,
}

fn number(document: &RecordedDocument) -> String {
    document.version.map_or_else(|| "unreadable".to_owned(), |version| version.to_string())
}

fn hash(document: &RecordedDocument) -> String {
    canonical::digest_of_text(&document.body).map_or_else(|_| "-".to_owned(), |digest| digest.to_string())
}

/// The documents that stand, with the one of the latest instant last.
fn standing(documents: &[RecordedDocument]) -> Vec<&RecordedDocument> {
    let mut standing: Vec<_> =
        documents.iter().filter(|document| document.standing == Standing::Stands).collect();
    standing.sort_by_key(|document| document.from_us);
    standing
}

impl Run for ListArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        let biller = stack.connect().await?.biller(WHO).await?;
        for (contract_id, documents) in biller.recorded_contracts().await? {
            let Some(latest) = standing(&documents).last().copied() else { continue };
            let customer = text_of(latest, "customer_id");
            let from = rfc3339(latest.from_us);
            if self.json {
                let line = json!({"contract_id": contract_id, "customer_id": customer, "version": latest.version,
                    "from": from, "digest": hash(latest)});
                print(&line.to_string())?;
            } else {
                let (version, digest) = (number(latest), hash(latest));
                print(&format!("{contract_id} {customer} version {version} from {from} {digest}"))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn text_of(document: &RecordedDocument, field: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(&document.body).unwrap_or_default();
    value.get(field).and_then(serde_json::Value::as_str).unwrap_or("-").to_owned()
}

impl Run for ShowArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        let (contract_id, version) = match self.name.rsplit_once('@') {
            Some((contract_id, version)) => (contract_id, version),
            None => (self.name.as_str(), "latest"),
        };
        let documents = documents_of(&stack, contract_id).await?;
        let standing = standing(&documents);
        let found = standing.iter().rev().find(|document| version == "latest" || number(document) == version);
        let Some(document) = found else {
            let known: Vec<String> = standing.iter().map(|document| number(document)).collect();
            bail!("contract {contract_id} has no recorded version {version}; it has {}", known.join(", "));
        };
        let value: serde_json::Value = serde_json::from_str(&document.body)?;
        print(&format!("{value:#}"))?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn documents_of(stack: &RunningStack, contract_id: &str) -> Result<Vec<RecordedDocument>> {
    let biller = stack.connect().await?.biller(WHO).await?;
    let recorded = biller.recorded_contracts().await?;
    let known = recorded.keys().map(String::as_str);
    let like = did_you_mean(contract_id, known);
    recorded
        .get(contract_id)
        .cloned()
        .with_context(|| format!("nothing is recorded of contract {contract_id}{like}"))
}

impl Run for HistoryArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        for document in documents_of(&stack, &self.contract).await? {
            print(&if self.json { as_json(&document) } else { as_line(&document) })?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn as_line(document: &RecordedDocument) -> String {
    let outcome = match &document.standing {
        Standing::Stands => "stands".to_owned(),
        Standing::Withdrawn { who, why } => format!("withdrawn by {who}: {why}"),
        Standing::Refused(refused) => format!("refused {}: {refused}", refused.code()),
    };
    let from = rfc3339(document.from_us);
    format!("version {} from {from} {} {outcome}", number(document), hash(document))
}

fn as_json(document: &RecordedDocument) -> String {
    let (standing, detail) = match &document.standing {
        Standing::Stands => ("stands", None),
        Standing::Withdrawn { who, why } => ("withdrawn", Some(format!("{who}: {why}"))),
        Standing::Refused(refused) => ("refused", Some(format!("{}: {refused}", refused.code()))),
    };
    json!({"version": document.version, "from": rfc3339(document.from_us), "digest": hash(document),
        "standing": standing, "detail": detail})
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_says_what_stands_and_why_the_rest_does_not() {
        let document = |version: u64, from_us: i64, standing: Standing| RecordedDocument {
            version: Some(version),
            from_us,
            body: format!(r#"{{"customer_id":"k","version":{version}}}"#),
            standing,
        };
        let withdrawn = Standing::Withdrawn { who: "ana".to_owned(), why: "not signed".to_owned() };
        let documents = [
            document(2, 300_000_000, Standing::Stands),
            document(1, 0, Standing::Stands),
            document(3, 600_000_000, withdrawn),
        ];
        assert_eq!(standing(&documents).last().map(|document| document.version), Some(Some(2)));
        assert_eq!(text_of(&documents[0], "customer_id"), "k");
        assert!(as_line(&documents[0]).ends_with(" stands"));
        assert!(as_line(&documents[2]).ends_with(" withdrawn by ana: not signed"));
        assert!(as_json(&documents[2]).contains(r#""standing":"withdrawn""#));
    }
}
