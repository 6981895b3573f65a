//! Contract documents among the files.

use wb_rating::{Contract, ContractError, document_json, position_of};

use super::rows::Document;
use super::{Facts, File, Mistake, Stated, at, of_field, refused, stated};

/// Checks a document as `weighbridge contract check` does, and as ingest would.
pub(super) fn read(file: &File, document: &Document, facts: &mut Facts) -> Result<Stated, Vec<Mistake>> {
    let Document { line, text, format } = document;
    let wrong = |error: &ContractError| {
        let at_line = line + position_of(text, *format, error).line - 1;
        let told = error.to_string();
        let reason = told.strip_prefix(&format!("[{}] ", error.code())).unwrap_or(&told);
        at(file, at_line, error.code(), "", reason.to_owned())
    };
    let contract = Contract::check(text, *format).map_err(|errors| {
        let id = document_json(text, *format).ok().and_then(|body| body.get("contract_id").cloned());
        let id = id.as_ref().and_then(serde_json::Value::as_str);
        facts.meant.extend(id.map(|id| ("contract".to_owned(), id.to_owned())));
        errors.iter().map(wrong).collect::<Vec<_>>()
    })?;
    facts.meant.push(("contract".to_owned(), contract.contract_id.clone()));
    for finding in contract.findings() {
        facts.warnings.push(format!("{}:{line}: {finding}", file.name));
    }
    let Some(from_us) = contract.effective_from_us else {
        let reason =
            "is missing: write from when this version holds, such as 2026-10-01T00:00:00Z".to_owned();
        return Err(vec![of_field(file, *line, "effective_from", reason)]);
    };
    let body = document_json(text, *format).map_err(|error| vec![wrong(&error)])?;
    stated(file, *line, "contract", contract.contract_id, (from_us, None), body)
        .map_err(|error| vec![refused(file, *line, &error)])
}
