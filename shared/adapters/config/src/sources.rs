//! The parts of the file with free entries: event sources and Kafka properties.

use std::collections::{BTreeMap, BTreeSet};

use toml::Value;
use wb_auth::{AuthError, SourceEntry, SourceKeys};

use crate::form;
use crate::mistake::MistakeKind;
use crate::reader::{Reader, Section, shown};
use crate::secret::Secret;

/// Properties that must not be set, because durability and exact counting depend on them or because they have their
/// own field; with librdkafka's aliases.
const RESERVED_PROPERTIES: [&str; 15] = [
    "acks",
    "allow.auto.create.topics",
    "auto.commit.enable",
    "auto.offset.reset",
    "bootstrap.servers",
    "check.crcs",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "group.id",
    "isolation.level",
    "message.max.bytes",
    "metadata.broker.list",
    "request.required.acks",
    "transactional.id",
];

/// Reads `kafka.properties`.
pub(crate) fn properties(reader: &mut Reader<'_>, kafka: &mut Section) -> BTreeMap<String, Secret> {
    let path = kafka.path_of("properties");
    let mut properties = BTreeMap::new();
    let table = match kafka.take("properties") {
        None => return properties,
        Some(Value::Table(table)) => table,
        Some(_) => {
            reader.report(MistakeKind::WrongType, &path, None, format!("a table [{path}] is needed"));
            return properties;
        }
    };
    for (name, value) in table {
        let field = format!("{path}.{:?}", shown(&name));
        if RESERVED_PROPERTIES.contains(&name.as_str()) {
            let right = "Weighbridge sets this property itself, because no event may be lost or counted twice: remove it";
            reader.report(MistakeKind::KafkaProperty, &field, None, right);
            continue;
        }
        match value {
            // Values are not shown, because some properties are passwords.
            Value::String(text) => match form::plain(&text) {
                Ok(text) => {
                    properties.insert(name, Secret::new(text));
                }
                Err(flaw) => reader.report(flaw.kind, &field, None, flaw.right),
            },
            Value::Table(_) => {
                let right = "put the whole name in quotes, such as \"security.protocol\" = \"SSL\": without them TOML \
                             reads a dot as the start of a table";
                reader.report(MistakeKind::KafkaProperty, &field, None, right);
            }
            _ => reader.report(
                MistakeKind::WrongType,
                &field,
                None,
                "a text in quotes is needed, for numbers too",
            ),
        }
    }
    properties
}

/// Reads `ingest.sources`.
pub(crate) fn read(reader: &mut Reader<'_>, ingest: &mut Section) -> Vec<SourceEntry> {
    let path = ingest.path_of("sources");
    let values = match ingest.take("sources") {
        None => return Vec::new(),
        Some(Value::Array(values)) => values,
        Some(_) => {
            reader.report(MistakeKind::WrongType, &path, None, format!("tables [[{path}]] are needed"));
            return Vec::new();
        }
    };
    let mut entries: Vec<SourceEntry> = Vec::with_capacity(values.len());
    let (mut ids, mut hashes) = (BTreeSet::new(), BTreeSet::new());
    for (index, value) in values.into_iter().enumerate() {
        let field = format!("{path}[{index}]");
        let entry: SourceEntry = match value.try_into() {
            Ok(entry) => entry,
            Err(error) => {
                let right = format!("id, key_sha256_hex and roles are needed: {}", error.message());
                reader.report(MistakeKind::Source, &field, None, right);
                continue;
            }
        };
        let given = Some(shown(&format!("{:?}", entry.id)));
        // Each entry is checked alone first, so that all invalid ones are found.
        if let Err(error) = SourceKeys::from_entries(vec![entry.clone()]) {
            let right = match error {
                AuthError::SourceEntry { problem, .. } => problem.to_owned(),
                other => other.to_string(),
            };
            reader.report(MistakeKind::Source, &field, given, right);
            continue;
        }
        if !ids.insert(entry.id.clone()) {
            let right = "an earlier source has this id: give each sender its own, since the id is part of the identity \
                         of its events";
            reader.report(MistakeKind::Source, &field, given, right);
        } else if !hashes.insert(entry.key_sha256_hex.clone()) {
            let right = "an earlier source has this key: make a key for each source";
            reader.report(MistakeKind::Source, &field, given, right);
        } else {
            entries.push(entry);
        }
    }
    entries
}
