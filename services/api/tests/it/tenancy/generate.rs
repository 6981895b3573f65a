//! Generates queries for every field of the schema.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::types::{BaseType, FieldDefinition, Type, TypeKind, TypeSystemDefinition};
use serde_json::Value;

use super::fixture;

/// A range around everything in the fixture.
pub(crate) const RANGE: &str = "from: \"2026-10-01T00:00:00Z\", to: \"2026-10-02T00:00:00Z\"";

/// A query and the shape of its answer.
pub(crate) struct Generated {
    pub(crate) text: String,
    pub(crate) shape: Shape,
}

/// The fields of a selection's object, each with its type.
#[derive(Clone)]
pub(crate) struct Shape {
    type_name: String,
    fields: BTreeMap<String, Option<Shape>>,
}

/// `Type.field` of every field that had a value.
#[derive(Default)]
pub(crate) struct Covered(pub(crate) BTreeSet<String>);

impl Covered {
    /// Collects the fields of an answer that have a value: not null, not empty.
    pub(crate) fn note(&mut self, shape: &Shape, data: &Value) {
        match data {
            Value::Array(items) => items.iter().for_each(|item| self.note(shape, item)),
            Value::Object(object) => {
                for (name, value) in object {
                    let empty = match value {
                        Value::Null => true,
                        Value::String(text) => text.is_empty(),
                        Value::Array(items) => items.is_empty(),
                        _ => false,
                    };
                    if !empty {
                        self.0.insert(format!("{}.{name}", shape.type_name));
                        if let Some(inner) = &shape.fields[name] {
                            self.note(inner, value);
                        }
                    }
                }
            }
            _ => {}
        }
    }
}

struct Objects(BTreeMap<String, Vec<FieldDefinition>>);

fn objects(sdl: &str) -> Objects {
    let document = async_graphql::parser::parse_schema(sdl).unwrap();
    let mut objects = BTreeMap::new();
    for definition in document.definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let name = definition.node.name.node.to_string();
        match definition.node.kind {
            TypeKind::Object(object) => {
                objects.insert(name, object.fields.into_iter().map(|field| field.node).collect());
            }
            TypeKind::Scalar | TypeKind::Enum(_) => {}
            _ => panic!("{name} is of a kind that this test does not walk yet"),
        }
    }
    Objects(objects)
}

fn named(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(inner) => named(inner),
    }
}

/// Every `Type.field` of the schema.
pub(crate) fn all_fields(sdl: &str) -> BTreeSet<String> {
    let objects = objects(sdl);
    let names = |(name, fields): (&String, &Vec<FieldDefinition>)| {
        fields.iter().map(|field| format!("{name}.{}", field.name.node)).collect::<Vec<_>>()
    };
    objects.0.iter().flat_map(names).collect()
}

/// Selects every field under a type. Types are not recursive.
fn select(objects: &Objects, type_name: &str, depth: usize) -> (String, Shape) {
    assert!(depth < 8, "{type_name} contains itself: bound the walk");
    let mut text = String::from("{ ");
    let mut fields = BTreeMap::new();
    for field in &objects.0[type_name] {
        assert!(
            field.arguments.is_empty(),
            "{type_name}.{}: nested arguments are not generated yet",
            field.name.node
        );
        let name = field.name.node.to_string();
        text.push_str(&name);
        let inner = objects.0.contains_key(named(&field.ty.node)).then(|| {
            let (inner_text, shape) = select(objects, named(&field.ty.node), depth + 1);
            text.push(' ');
            text.push_str(&inner_text);
            shape
        });
        text.push(' ');
        fields.insert(name, inner);
    }
    text.push('}');
    (text, Shape { type_name: type_name.to_owned(), fields })
}

/// For every root field: one query with only its required arguments, and one for every value of every other argument,
/// including the ids of both customers.
pub(crate) fn queries(sdl: &str) -> Vec<Generated> {
    let objects = objects(sdl);
    let mut generated = Vec::new();
    for field in &objects.0["Query"] {
        let name = field.name.node.as_str();
        let (selection, inner) = match objects.0.contains_key(named(&field.ty.node)) {
            true => {
                let (text, shape) = select(&objects, named(&field.ty.node), 0);
                (text, Some(shape))
            }
            false => (String::new(), None),
        };
        let (mut required, mut optional) = (Vec::new(), Vec::new());
        for argument in &field.arguments {
            let argument_name = argument.node.name.node.as_str();
            let values = values(argument_name);
            match argument.node.ty.node.nullable {
                true => optional.push((argument_name, values)),
                false => required.push((argument_name, values)),
            }
        }
        let mut bases = vec![Vec::new()];
        for (argument, values) in &required {
            bases = bases
                .into_iter()
                .flat_map(|base: Vec<String>| {
                    values
                        .iter()
                        .map(move |value| [base.clone(), vec![format!("{argument}: {value}")]].concat())
                })
                .collect();
        }
        for base in bases {
            let mut variants = vec![base.clone()];
            for (argument, values) in &optional {
                variants.extend(
                    values.iter().map(|value| [base.clone(), vec![format!("{argument}: {value}")]].concat()),
                );
            }
            for arguments in variants {
                let arguments =
                    if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) };
                let fields = BTreeMap::from([(name.to_owned(), inner.clone())]);
                generated.push(Generated {
                    text: format!("{{ {name}{arguments} {selection} }}"),
                    shape: Shape { type_name: "Query".to_owned(), fields },
                });
            }
        }
    }
    generated
}

/// The values of an argument, as GraphQL literals.
fn values(argument: &str) -> Vec<String> {
    let quoted = |values: &[&str]| values.iter().map(|value| format!("\"{value}\"")).collect();
    match argument {
        "from" => quoted(&["2026-10-01T00:00:00Z"]),
        // After ten hours x1 has changed hands and both have worked; after a month nearly all averages are zero.
        "at" => quoted(&["2026-10-01T10:05:00Z", "2026-10-31T00:00:00Z"]),
        "to" => quoted(&["2026-10-02T00:00:00Z"]),
        "bucketMinutes" => vec!["60".to_owned(), "1440".to_owned()],
        "first" => vec!["1".to_owned(), "1000".to_owned()],
        "after" => quoted(&["", "0"]),
        "siteId" => quoted(fixture::SITES),
        "machineId" => quoted(fixture::MACHINES),
        "customerId" => quoted(&[fixture::CUSTOMER_A, fixture::CUSTOMER_B]),
        // With the facts alone, and with all.
        "asOf" => quoted(&["2026-10-01T00:00:01Z", "2026-10-01T00:00:02Z"]),
        "zone" => quoted(&["UTC", "America/Chicago"]),
        // Finished periods, because the data of an open one grows between two queries.
        "period" => quoted(&["2026-10", "2026-11-01"]),
        "id" => quoted(&["inv-aaa", "inv-bbb"]),
        "contractId" => quoted(&["contract-aaa", "contract-bbb"]),
        other => panic!("the test knows no values for the argument {other}: add some, of both customers"),
    }
}
