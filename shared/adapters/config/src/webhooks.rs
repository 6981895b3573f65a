//! The webhook endpoints in the file.
//!
//! Only the form is checked here; the biller checks addresses and keys when it starts.

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::form;
use crate::mistake::MistakeKind;
use crate::reader::{Reader, Section, shown};
use crate::secret::Secret;

/// A webhook endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEndpoint {
    /// Its id, 1 to 64 of `a-z`, `0-9`, `-` and `_`; its progress is kept under it.
    pub id: String,
    /// The address for messages: https, or http on this machine.
    pub url: String,
    /// The signing secret: `whsec_` and base64 of 24 to 64 bytes.
    pub secret: Secret,
    /// The message types it receives, such as `invoice.issued` or `payment.*`. Default all.
    pub events: Vec<String>,
    /// If given, it receives only messages about this customer. Default all.
    pub customer: Option<String>,
}

/// The fields of an endpoint.
const FIELDS: [&str; 5] = ["id", "url", "secret", "events", "customer"];

/// The longest id, in characters.
const ID_CHARS_MAX: usize = 64;

/// Reads `webhooks.endpoints`.
pub(crate) fn read(reader: &mut Reader<'_>, webhooks: &mut Section) -> Vec<WebhookEndpoint> {
    let path = webhooks.path_of("endpoints");
    let values = match webhooks.take("endpoints") {
        None => return Vec::new(),
        Some(Value::Array(values)) => values,
        Some(_) => {
            reader.report(MistakeKind::WrongType, &path, None, format!("tables [[{path}]] are needed"));
            return Vec::new();
        }
    };
    let mut endpoints: Vec<WebhookEndpoint> = Vec::with_capacity(values.len());
    let mut ids = BTreeSet::new();
    for (index, value) in values.into_iter().enumerate() {
        let field = format!("{path}[{index}]");
        let read = match value {
            Value::Table(table) => endpoint(table),
            _ => Err("a table with id, url and secret is needed".to_owned()),
        };
        match read {
            Ok(endpoint) if ids.insert(endpoint.id.clone()) => endpoints.push(endpoint),
            Ok(endpoint) => {
                let right = "an earlier endpoint has this id: how far each is, is kept under it";
                reader.report(
                    MistakeKind::Webhook,
                    &field,
                    Some(shown(&format!("{:?}", endpoint.id))),
                    right,
                );
            }
            // Values are not shown, because one is the secret.
            Err(right) => reader.report(MistakeKind::Webhook, &field, None, right),
        }
    }
    endpoints
}

fn endpoint(mut table: Table) -> Result<WebhookEndpoint, String> {
    if let Some(name) = table.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(format!("there is no field {:?}; known here are {}", shown(name), FIELDS.join(", ")));
    }
    let mut text = |name: &str| match table.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => {
            form::plain(&text).map(Some).map_err(|flaw| format!("{name}: {}", flaw.right))
        }
        Some(_) => Err(format!("{name}: a text in quotes is needed")),
    };
    let needed = |name: &str, value: Option<String>| value.ok_or_else(|| format!("{name} is needed"));
    let id = needed("id", text("id")?)?;
    let url = needed("url", text("url")?)?;
    let secret = needed("secret", text("secret")?)?;
    let customer = text("customer")?;
    let plain = |letter: char| matches!(letter, 'a'..='z' | '0'..='9' | '-' | '_');
    if id.len() > ID_CHARS_MAX || !id.chars().all(plain) {
        return Err(format!("id: 1 to {ID_CHARS_MAX} of a-z, 0-9, - and _ are needed"));
    }
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err("url: an address such as https://books.example/hook is needed".to_owned());
    }
    if !secret.starts_with("whsec_") {
        return Err("secret: whsec_ and base64 of 24 to 64 bytes are needed".to_owned());
    }
    let events = match table.remove("events") {
        None => Vec::new(),
        Some(Value::Array(values)) => values.into_iter().map(event).collect::<Result<_, _>>()?,
        Some(_) => return Err("events: a list of types such as [\"invoice.*\"] is needed".to_owned()),
    };
    Ok(WebhookEndpoint { id, url, secret: Secret::new(secret), events, customer })
}

fn event(value: Value) -> Result<String, String> {
    let wrong = || "events: types such as \"invoice.issued\" or \"invoice.*\" are needed".to_owned();
    let Value::String(text) = value else { return Err(wrong()) };
    let is_letter = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    let (subject, what) = text.split_once('.').ok_or_else(wrong)?;
    let is_name = |part: &str| !part.is_empty() && part.chars().all(is_letter);
    if is_name(subject) && (what == "*" || is_name(what)) { Ok(text) } else { Err(wrong()) }
}
