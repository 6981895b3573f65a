//! The declared forms are those that the parsers take: each field, and no other.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use wb_events::facts::FACT_KINDS;
use wb_events::forms::{EVENT_FORMS, End, Entity, EventForm, Example, Field, Form, Shape, fact_forms};
use wb_events::input::{InputError, parse_json};

/// A parser of bodies.
type Reads<'a> = dyn Fn(&Map<String, Value>) -> Result<(), InputError> + 'a;

fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn read(kind: &str, body: &Value) -> Result<(), InputError> {
    let event = json!({"kind": kind, "key": "k", "sequence": 0, "event_time_us": 1_790_812_800_000_000_i64, "body": body});
    parse_json("s", &event.to_string()).map(drop)
}

fn read_fact(form: &Form, example: &Example, body: &Map<String, Value>) -> Result<(), InputError> {
    let mut fact =
        json!({"fact": form.kind, "entity": example.entity, "valid_from_us": example.from_us, "body": body});
    if let Some(to_us) = example.to_us {
        fact["valid_to_us"] = to_us.into();
    }
    read("fact", &fact)
}

fn value_of(shape: Shape) -> Value {
    match shape {
        Shape::Text | Shape::Hex => json!("00000000"),
        Shape::Decimal(_) | Shape::Digits(_) => json!("1"),
        Shape::Lines => json!(["a"]),
        Shape::Whole(_) => json!(1),
        Shape::Instant => json!(1_790_812_800_000_000_i64),
        Shape::Truth => json!(true),
        Shape::Object => json!({}),
        Shape::List => json!([]),
    }
}

/// The fields that tell one form of a kind from the others. Without it, a body is one of another form.
const TELLING: [(&str, &str); 4] = [
    ("job Stratum V2", "protocol"),
    ("share Stratum V1", "extranonce2"),
    ("share Stratum V2", "version"),
    ("share bare header", "header"),
];

/// What is wrong with a declaration, by a parser that takes a body.
fn differences(what: &str, fields: &[Field], whole: &Map<String, Value>, read: &Reads<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Err(error) = read(whole) {
        wrong.push(format!("{what}: the example is refused: {error}"));
    }
    for field in fields {
        let mut with = whole.clone();
        with.insert(field.name.to_owned(), value_of(field.shape));
        if let Err(error) = read(&with)
            && ["unknown field", "invalid type"].iter().any(|words| error.reason.contains(words))
        {
            wrong.push(format!("{what}: {} is not taken: {error}", field.name));
        }
        if TELLING.contains(&(what, field.name)) {
            continue;
        }
        let mut without = whole.clone();
        without.remove(field.name);
        let refused = read(&without).err().map(|error| format!("{} {}", error.field, error.reason));
        match refused {
            None if field.required && whole.contains_key(field.name) => {
                wrong.push(format!("{what}: {} can be left out", field.name));
            }
            Some(told) if field.required && !told.contains(field.name) => {
                wrong.push(format!("{what}: without {} it says {told}", field.name));
            }
            Some(told) if !field.required && told.contains(&format!("{} is missing", field.name)) => {
                wrong.push(format!("{what}: {} cannot be left out", field.name));
            }
            _ => {}
        }
    }
    wrong
}

/// The fields that a parser knows, from its own message on a foreign one.
fn known(read: &Reads<'_>) -> BTreeSet<String> {
    let foreign = object(r#"{"no_such_field": 1}"#);
    let told = read(&foreign).err().map(|error| error.reason).unwrap_or_default();
    let expected = told.split("expected").nth(1).unwrap_or_default();
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn declared(fields: &[Field]) -> BTreeSet<String> {
    fields.iter().flat_map(|field| [Some(field.name), field.alias]).flatten().map(str::to_owned).collect()
}

#[test]
fn every_fact_is_declared_as_it_is_read() {
    let mut wrong = Vec::new();
    for form in fact_forms() {
        let what = format!("{} {}", form.kind, form.variant);
        for example in form.examples {
            let mut body = object(example.body);
            for field in form.fields {
                if let Some(value) = field.alias.and_then(|alias| body.remove(alias)) {
                    body.insert(field.name.to_owned(), value);
                }
            }
            let read = |body: &Map<String, Value>| read_fact(form, example, body);
            // A contract's document is read by the rating engine, which has a schema of its own.
            if form.kind == "contract" {
                read(&body).unwrap();
                continue;
            }
            wrong.extend(differences(&what, form.fields, &body, &read));
            let known = known(&|body: &Map<String, Value>| {
                let mut body = body.clone();
                if form.variant == "Stratum V2" {
                    body.insert("protocol".to_owned(), json!("stratum_v2_standard"));
                }
                read(&body)
            });
            if known != declared(form.fields) {
                wrong.push(format!("{what}: declared {:?}, known {known:?}", declared(form.fields)));
            }
            if form.end == End::Must {
                let endless = Example { to_us: None, ..*example };
                let refused = read_fact(form, &endless, &body).unwrap_err();
                assert_eq!(refused.field, "body.valid_to_us", "{what}");
            }
            if let Entity::From(pattern) = form.entity {
                let entity = form.entity_of(&body).unwrap_or_else(|| panic!("{what}: {pattern}"));
                assert_eq!(entity, example.entity, "{what}");
            }
        }
        assert!(!form.examples.is_empty(), "{what} has no example");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let kinds: BTreeSet<&str> = FACT_KINDS.split(", ").map(str::trim).collect();
    assert_eq!(fact_forms().map(|form| form.kind).collect::<BTreeSet<_>>(), kinds);
}

#[test]
fn every_event_is_declared_as_it_is_read() {
    let mut wrong = Vec::new();
    let mut shares = BTreeSet::new();
    for form in EVENT_FORMS {
        let EventForm { kind, variant, .. } = form;
        let what = format!("{kind} {variant}");
        let read = |body: &Map<String, Value>| read(kind, &body.clone().into());
        wrong.extend(differences(&what, form.fields, &object(form.body), &read));
        let known = known(&read);
        if *kind == "share" {
            shares.extend(declared(form.fields));
            assert!(known.is_superset(&declared(form.fields)), "{what}");
        } else if known != declared(form.fields) {
            wrong.push(format!("{what}: declared {:?}, known {known:?}", declared(form.fields)));
        }
        if *kind == "share" && *variant == "bare header" {
            assert_eq!(known, shares, "{what}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
