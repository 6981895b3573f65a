//! The JSON Schema of facts and events is written from their declared forms.
//!
//! If WEIGHBRIDGE_DOCS_WRITE is set, the file is written instead of compared.

use serde_json::{Map, Value, json};
use wb_events::forms::{EVENT_FORMS, End, Entity, Field, Form, Shape, fact_forms};

use crate::markdown::root;

const FILE: &str = "schemas/events/event.schema.json";

#[test]
fn the_schema_is_what_the_forms_declare() {
    let schema = format!("{:#}\n", schema());
    let path = root().join(FILE);
    if std::env::var_os("WEIGHBRIDGE_DOCS_WRITE").is_some() {
        std::fs::write(&path, schema).unwrap();
        return;
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == schema, "{FILE} differs from the forms: run `make book`");
}

fn schema() -> Value {
    let facts = fact_forms().map(|form| event("fact", form.variant, fact(form)));
    let events = EVENT_FORMS.iter().map(|form| event(form.kind, form.variant, body(form.fields, false)));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Written by `make book` from the declared forms: change shared/core/events/src/forms. A field that has no \
                     value is left out.",
        "title": "An event, as POST /v1/events takes it",
        "oneOf": facts.chain(events).collect::<Vec<_>>(),
    })
}

fn event(kind: &str, variant: &str, body: Value) -> Value {
    let mut event = json!({
        "type": "object",
        "properties": {
            "kind": {"const": kind},
            "key": {"type": "string", "pattern": "^[A-Za-z0-9._:/-]{1,128}$"},
            "sequence": {"type": "integer", "minimum": 0},
            "source_epoch": {"type": "integer", "minimum": 0},
            "event_time_us": {"type": "integer"},
            "body": body,
        },
        "required": ["kind", "key", "sequence", "event_time_us", "body"],
        "additionalProperties": false,
    });
    if !variant.is_empty() {
        event["title"] = json!(format!("{kind} ({variant})"));
    }
    event
}

fn fact(form: &Form) -> Value {
    let mut required = vec!["fact", "entity", "valid_from_us", "body"];
    if form.end == End::Must {
        required.push("valid_to_us");
    }
    let entity = match form.entity {
        Entity::Chosen(what) => what.to_owned(),
        Entity::From(pattern) => pattern.to_owned(),
    };
    json!({
        "type": "object",
        "description": form.about,
        "properties": {
            "fact": {"const": form.kind},
            "entity": {"type": "string", "pattern": "^[A-Za-z0-9._:/-]{1,128}$", "description": entity},
            "valid_from_us": {"type": "integer"},
            "valid_to_us": {"type": "integer"},
            // The rest of a contract's document is described by schemas/contracts/contract.schema.json.
            "body": body(form.fields, form.kind == "contract"),
        },
        "required": required,
        "additionalProperties": false,
    })
}

fn body(fields: &[Field], is_open: bool) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    let mut one_of_two = Vec::new();
    for field in fields {
        let mut property = shape(field.shape);
        property["description"] = field.meaning.into();
        for name in [Some(field.name), field.alias].into_iter().flatten() {
            properties.insert(name.to_owned(), property.clone());
        }
        match field.alias {
            Some(alias) if field.required => {
                one_of_two.push(json!({"oneOf": [{"required": [field.name]}, {"required": [alias]}]}))
            }
            _ if field.required => required.push(field.name),
            _ => {}
        }
    }
    let mut body = json!({"type": "object", "properties": properties, "required": required});
    if !one_of_two.is_empty() {
        body["allOf"] = one_of_two.into();
    }
    if !is_open {
        body["additionalProperties"] = false.into();
    }
    body
}

fn shape(shape: Shape) -> Value {
    match shape {
        Shape::Text => json!({"type": "string"}),
        Shape::Lines => json!({"type": "array", "items": {"type": "string"}}),
        Shape::Whole(_) => json!({"type": "integer", "minimum": 0}),
        Shape::Instant => json!({"type": "integer"}),
        Shape::Decimal(_) => json!({"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$"}),
        Shape::Digits(_) => json!({"type": "string", "pattern": "^[0-9]+$"}),
        Shape::Hex => json!({"type": "string", "pattern": "^[0-9a-fA-F]*$"}),
        Shape::Truth => json!({"type": "boolean"}),
        Shape::Object => json!({"type": "object"}),
        Shape::List => json!({"type": "array", "items": {"type": "object"}}),
    }
}
