//! Facts about the parties of a contract: what its documents show of them, and whose a scheduler's account is.

use serde::{Deserialize, Serialize};

use crate::refusal::InputError;

/// The most lines of an address or of how to pay.
pub(crate) const LINES_MAX: usize = 8;

/// The longest such line, in characters: what fits a column of a page.
pub(crate) const LINE_CHARS_MAX: usize = 120;

/// A hosting customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// Its name as on the invoice.
    pub name: String,
    /// Its address as on the invoice, line by line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub address: Vec<String>,
    /// Its tax identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_id: Option<String>,
    /// The tag of the language its documents are written in, such as `es`; English where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// A company of the operator that issues invoices: what contracts call `legal_entity`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalEntity {
    /// Its name as on the invoice.
    pub name: String,
    /// Its address as on the invoice, line by line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub address: Vec<String>,
    /// Its tax identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_id: Option<String>,
    /// How to pay, line by line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payment: Vec<String>,
}

/// The kind of [`Account`].
pub const ACCOUNT: &str = "account";

/// Whose an account of a scheduler is. Its entity is the account as allocations give it: `slurm:CLUSTER/ACCOUNT`,
/// `kubernetes:CLUSTER/NAMESPACE`, or what another sender writes. It holds to the microsecond, because allocations are
/// billed to the microsecond.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The customer.
    pub customer_id: String,
    /// The contract that its allocations are billed to.
    pub contract_id: String,
}

impl Customer {
    pub(crate) fn check(&self) -> Result<(), InputError> {
        check_lines("name", std::slice::from_ref(&self.name))?;
        check_lines("address", &self.address)?;
        check_lines("tax_id", self.tax_id.as_slice())?;
        check_lines("language", self.language.as_slice())
    }
}

impl LegalEntity {
    pub(crate) fn check(&self) -> Result<(), InputError> {
        check_lines("name", std::slice::from_ref(&self.name))?;
        check_lines("address", &self.address)?;
        check_lines("tax_id", self.tax_id.as_slice())?;
        check_lines("payment", &self.payment)
    }
}

fn check_lines(field: &str, lines: &[String]) -> Result<(), InputError> {
    let refuse = |reason: String| Err(InputError::field(format!("body.body.{field}"), reason));
    if lines.len() > LINES_MAX {
        return refuse(format!("has {} lines, at most {LINES_MAX} are taken", lines.len()));
    }
    for line in lines {
        let chars = line.chars().count();
        if chars > LINE_CHARS_MAX {
            return refuse(format!("has a line of {chars} characters, at most {LINE_CHARS_MAX} are taken"));
        }
        if line.chars().any(char::is_control) {
            return refuse("has a control character: write one line of an address as one text".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::facts::FactBody;

    #[test]
    fn parties_are_checked_and_written_in_one_spelling() {
        for (kind, text, stored) in [
            ("customer", r#"{ "name": "C" }"#, r#"{"name":"C"}"#),
            (
                "customer",
                r#"{"tax_id":"X1","name":"C","language":"es","address":["a","b"]}"#,
                r#"{"address":["a","b"],"language":"es","name":"C","tax_id":"X1"}"#,
            ),
            ("legal_entity", r#"{"name":"E","payment":["IBAN"]}"#, r#"{"name":"E","payment":["IBAN"]}"#),
            (
                "account",
                r#"{"customer_id":"k","contract_id":"c"}"#,
                r#"{"contract_id":"c","customer_id":"k"}"#,
            ),
        ] {
            assert_eq!(FactBody::parse(kind, "any", text).unwrap().to_json(), stored);
        }
        let long = "x".repeat(super::LINE_CHARS_MAX + 1);
        for (kind, text, field) in [
            ("customer", r#"{"name":"C","adress":[]}"#.to_owned(), "body.body.adress"),
            ("account", r#"{"customer_id":"k"}"#.to_owned(), "body.body.contract_id"),
            ("customer", format!(r#"{{"name":"{long}"}}"#), "body.body.name"),
            ("customer", r#"{"name":"C","tax_id":"a\nb"}"#.to_owned(), "body.body.tax_id"),
            (
                "legal_entity",
                r#"{"name":"E","payment":["","","","","","","","",""]}"#.to_owned(),
                "body.body.payment",
            ),
        ] {
            let error = FactBody::parse(kind, "any", &text).unwrap_err();
            assert!(error.to_string().contains(field), "{error}");
        }
    }
}
