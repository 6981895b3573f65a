//! The forms of facts and events, declared field by field: what the book's page of fields is written from, and what
//! an import turns the cells of a table into values by.
//!
//! A declaration stands beside the parser and does not replace it: a test sends each form's example, leaves out each
//! field and adds a foreign one, so the two cannot differ.

mod events;
mod metering;
mod mining;
mod money;
mod parties;

pub use events::EVENT_FORMS;

/// What the value of a field is in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A text.
    Text,
    /// A list of texts, line by line.
    Lines,
    /// A whole number, in a unit.
    Whole(&'static str),
    /// A text of decimal digits with at most one point.
    Decimal(&'static str),
    /// A text of digits, for numbers that may be larger than other programs keep exact.
    Digits(&'static str),
    /// A text of lower-case hex digits.
    Hex,
    /// `true` or `false`.
    Truth,
    /// An object.
    Object,
    /// A list of objects.
    List,
    /// An instant as microseconds of UTC since 1970.
    Instant,
}

impl Shape {
    /// The shape in words, with its unit.
    #[must_use]
    pub fn words(self) -> String {
        let with = |what: &str, unit: &str| match unit {
            "" => what.to_owned(),
            unit => format!("{what}, {unit}"),
        };
        match self {
            Self::Text => "text".to_owned(),
            Self::Lines => "list of texts".to_owned(),
            Self::Whole(unit) => with("whole number", unit),
            Self::Decimal(unit) => with("decimal text", unit),
            Self::Digits(unit) => with("digits as text", unit),
            Self::Hex => "hex text".to_owned(),
            Self::Truth => "true or false".to_owned(),
            Self::Object => "object".to_owned(),
            Self::List => "list of objects".to_owned(),
            Self::Instant => "microseconds since 1970, UTC".to_owned(),
        }
    }
}

/// A field of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Another name that it may have.
    pub alias: Option<&'static str>,
    /// What its value is.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// What it means.
    pub meaning: &'static str,
}

const fn must(name: &'static str, shape: Shape, meaning: &'static str) -> Field {
    Field { name, alias: None, shape, required: true, meaning }
}

const fn may(name: &'static str, shape: Shape, meaning: &'static str) -> Field {
    Field { name, alias: None, shape, required: false, meaning }
}

impl Field {
    const fn or(self, alias: &'static str) -> Self {
        Self { alias: Some(alias), ..self }
    }

    /// Whether this is one of its names.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name == name || self.alias == Some(name)
    }
}

/// Whether a fact has an end, its `valid_to_us`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It holds until the next fact of its entity.
    UntilNext,
    /// It speaks of its one instant.
    Instant,
    /// It may have an end.
    May,
    /// It must have an end.
    Must,
}

/// What identifies the thing that a fact is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entity {
    /// An id that the sender chooses; in words, of what.
    Chosen(&'static str),
    /// It follows from fields of the body, in braces.
    From(&'static str),
}

/// The form of a kind of fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// The kind.
    pub kind: &'static str,
    /// Which of two forms of one kind this is; empty where there is one.
    pub variant: &'static str,
    /// What it says.
    pub about: &'static str,
    /// Its `entity`.
    pub entity: Entity,
    /// Its end.
    pub end: End,
    /// The fields of its body. Other fields are refused, but in a contract, whose document has a schema of its own.
    pub fields: &'static [Field],
    /// Examples.
    pub examples: &'static [Example],
}

/// An example of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// The entity.
    pub entity: &'static str,
    /// When it begins to hold.
    pub from_us: i64,
    /// When it ceases to hold.
    pub to_us: Option<i64>,
    /// Its body, JSON.
    pub body: &'static str,
}

/// 2026-10-01T00:00:00Z.
const OCTOBER_US: i64 = 1_790_812_800_000_000;
/// 2016-02-13T22:58:39Z: a minute before a real block of testnet3, which the examples of shares prove.
const FEBRUARY_2016_US: i64 = 1_455_404_319_000_000;
/// 2026-11-01T00:00:00Z.
const NOVEMBER_US: i64 = 1_793_491_200_000_000;

const fn example(entity: &'static str, body: &'static str) -> Example {
    Example { entity, from_us: OCTOBER_US, to_us: None, body }
}

impl Example {
    const fn until(self, to_us: i64) -> Self {
        Self { to_us: Some(to_us), ..self }
    }

    const fn from(self, from_us: i64) -> Self {
        Self { from_us, ..self }
    }
}

/// The form of a kind of event other than a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventForm {
    /// The kind.
    pub kind: &'static str,
    /// Which of several forms of one kind this is; empty where there is one.
    pub variant: &'static str,
    /// What it says.
    pub about: &'static str,
    /// The role that its source needs.
    pub role: &'static str,
    /// The fields of its body. Other fields are refused.
    pub fields: &'static [Field],
    /// An example's key.
    pub key: &'static str,
    /// An example's time.
    pub at_us: i64,
    /// An example's body, JSON.
    pub body: &'static str,
}

/// The forms of all kinds of facts, those that others refer to first.
pub fn fact_forms() -> impl Iterator<Item = &'static Form> {
    parties::FORMS.iter().chain(metering::FORMS).chain(money::FORMS).chain(mining::FORMS)
}

impl Form {
    /// A field by its name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.is(name))
    }

    /// The entity as it follows from a body; `None` where the sender chooses it, or a field that it needs is no text.
    #[must_use]
    pub fn entity_of(&self, body: &serde_json::Map<String, serde_json::Value>) -> Option<String> {
        let Entity::From(pattern) = self.entity else { return None };
        let mut entity = String::new();
        for (place, part) in pattern.split(['{', '}']).enumerate() {
            // Every second part stands in braces.
            match place % 2 {
                0 => entity.push_str(part),
                _ => entity.push_str(body.get(part)?.as_str()?),
            }
        }
        Some(entity)
    }
}
