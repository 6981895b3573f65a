//! Reads the fields of one table of a contract document, strictly.
//!
//! Every field that is read is recorded; [`Fields::finish`] refuses all others. An error gives the place of the wrong
//! value, the value, and what would be right.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use wb_units::{Currency, Micros};

use crate::document::{Node, Value};
use crate::error::ContractError;
use crate::exact::Exact;

/// The longest identifier in a contract, in characters.
pub const ID_TEXT_MAX: usize = 128;

/// The longest free text in a contract, in characters: a line of an invoice.
const WORDS_MAX: usize = 200;

/// The most entries of a list in a contract: tiers, holidays, parties.
const LIST_MAX: usize = 512;

/// A number as the contract writes it, and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    /// The text of the contract.
    pub text: String,
    /// Its value.
    pub value: Exact,
}

/// The fields that all components have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The component's id within the contract.
    pub id: String,
    /// The currency of its lines.
    pub currency: Currency,
    /// The contract's own text for the line, if it has any.
    pub description: Option<String>,
}

/// A component that was read before, for others to refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Earlier {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) currency: Currency,
}

/// The fields of one table.
pub(crate) struct Fields<'a> {
    node: &'a Node,
    table: &'a [(String, Node)],
    asked: Vec<&'static str>,
    earlier: &'a [Earlier],
}

impl<'a> Fields<'a> {
    /// The fields of a table; `earlier` are the components it may refer to.
    pub(crate) fn of(node: &'a Node, earlier: &'a [Earlier]) -> Result<Self, ContractError> {
        let Value::Table(table) = &node.value else {
            let detail = format!("it is {}; write a table of fields", node.value.describe());
            return Err(ContractError::Form { place: node.place.clone(), detail });
        };
        Ok(Self { node, table, asked: Vec::new(), earlier })
    }

    /// The place of the table itself.
    pub(crate) fn place(&self) -> String {
        self.node.place.clone()
    }

    /// A field that may be left out.
    pub(crate) fn optional(&mut self, name: &'static str) -> Option<&'a Node> {
        if !self.asked.contains(&name) {
            self.asked.push(name);
        }
        self.table.iter().find(|(key, _)| key == name).map(|(_, node)| node)
    }

    /// A field that must be there.
    pub(crate) fn required(&mut self, name: &'static str) -> Result<&'a Node, ContractError> {
        self.optional(name).ok_or_else(|| {
            let given: Vec<_> = self.table.iter().map(|(key, _)| key.as_str()).collect();
            let detail = format!("it lacks the field {name}; it has {}", given.join(", "));
            ContractError::Form { place: self.place(), detail }
        })
    }

    /// Refuses the fields that were not read.
    pub(crate) fn finish(self) -> Result<(), ContractError> {
        match self.table.iter().find(|(key, _)| !self.asked.contains(&key.as_str())) {
            None => Ok(()),
            Some((key, node)) => {
                let place =
                    if self.node.place == crate::document::ROOT { self.place() } else { node.place.clone() };
                let known = self.asked.join(", ");
                Err(ContractError::Form {
                    place,
                    detail: format!("unknown field {key:?}; known here are {known}"),
                })
            }
        }
    }

    /// An identifier.
    pub(crate) fn id(&mut self, name: &'static str) -> Result<String, ContractError> {
        id_of(self.required(name)?)
    }

    /// A text for people, with a bound on its length.
    pub(crate) fn words(&mut self, name: &'static str) -> Result<Option<String>, ContractError> {
        let Some(node) = self.optional(name) else { return Ok(None) };
        let text = text_of(node)?;
        if text.is_empty() || text.chars().count() > WORDS_MAX || text.chars().any(char::is_control) {
            return Err(choice(node, format!("write 1 to {WORDS_MAX} characters on one line")));
        }
        Ok(Some(text.to_owned()))
    }

    /// The fields of every component: `id`, `kind`, `currency` and a `description` where the contract has one.
    pub(crate) fn head(&mut self) -> Result<Head, ContractError> {
        self.required("kind")?;
        Ok(Head {
            id: self.id("id")?,
            currency: self.currency("currency")?,
            description: self.words("description")?,
        })
    }

    /// A currency.
    pub(crate) fn currency(&mut self, name: &'static str) -> Result<Currency, ContractError> {
        let node = self.required(name)?;
        let code = text_of(node)?;
        Currency::from_code(code).map_err(|error| ContractError::Currency {
            field: node.place.clone(),
            value: shorten(code),
            right: "write the code of a currency, such as \"USD\"".to_owned(),
            source: Some(error),
        })
    }

    /// A unit of those that fit; messages recommend the first.
    pub(crate) fn unit(&mut self, name: &'static str, fitting: &[String]) -> Result<String, ContractError> {
        let node = self.required(name)?;
        let unit = text_of(node)?;
        if fitting.iter().any(|fit| fit == unit) {
            return Ok(unit.to_owned());
        }
        let right = fitting.iter().map(|fit| format!("{fit:?}")).collect::<Vec<_>>().join(" or ");
        Err(ContractError::Unit { field: node.place.clone(), value: shorten(unit), right })
    }

    /// Any decimal number, written as a string.
    pub(crate) fn decimal(&mut self, name: &'static str) -> Result<Decimal, ContractError> {
        decimal_of(self.required(name)?, "a number with at most 12 decimal places, such as \"31.50\"")
    }

    /// Any decimal number that may be left out.
    pub(crate) fn decimal_or_none(&mut self, name: &'static str) -> Result<Option<Decimal>, ContractError> {
        let words = "a number with at most 12 decimal places, such as \"31.50\"";
        self.optional(name).map(|node| decimal_of(node, words)).transpose()
    }

    /// A price or amount of zero or more.
    pub(crate) fn price(&mut self, name: &'static str) -> Result<Decimal, ContractError> {
        price_of(self.required(name)?)
    }

    /// A price or amount of zero or more that may be left out.
    pub(crate) fn price_or_none(&mut self, name: &'static str) -> Result<Option<Decimal>, ContractError> {
        self.optional(name).map(price_of).transpose()
    }

    /// A size above zero.
    pub(crate) fn size(&mut self, name: &'static str) -> Result<Decimal, ContractError> {
        let node = self.required(name)?;
        let right = "a number above zero with at most 12 decimal places, such as \"1000\"";
        let size = decimal_of(node, right)?;
        if size.value.is_negative() || size.value.is_zero() {
            Err(number(node, &size.text, right))
        } else {
            Ok(size)
        }
    }

    /// A percentage from 0 to 100.
    pub(crate) fn percent(&mut self, name: &'static str) -> Result<Decimal, ContractError> {
        let node = self.required(name)?;
        let right = "a percentage from 0 to 100, such as \"2.5\"";
        let percent = decimal_of(node, right)?;
        let over = Exact::from(100_u32).minus(percent.value).is_none_or(Exact::is_negative);
        if over || percent.text.starts_with('-') {
            Err(number(node, &percent.text, right))
        } else {
            Ok(percent)
        }
    }

    /// A whole number within bounds, as a number or a string of digits.
    pub(crate) fn whole(
        &mut self,
        name: &'static str,
        bounds: RangeInclusive<u64>,
    ) -> Result<u64, ContractError> {
        whole_of(self.required(name)?, bounds)
    }

    /// A whole number within bounds that may be left out.
    pub(crate) fn whole_or_none(
        &mut self,
        name: &'static str,
        bounds: RangeInclusive<u64>,
    ) -> Result<Option<u64>, ContractError> {
        self.optional(name).map(|node| whole_of(node, bounds)).transpose()
    }

    /// A whole number from 0 to `max`, where it is given.
    pub(crate) fn small_or_none(
        &mut self,
        name: &'static str,
        max: u32,
    ) -> Result<Option<u32>, ContractError> {
        let whole = self.whole_or_none(name, 0..=u64::from(max))?;
        Ok(whole.and_then(|whole| u32::try_from(whole).ok()))
    }

    /// Yes or no, `false` where it is left out.
    pub(crate) fn truth(&mut self, name: &'static str) -> Result<bool, ContractError> {
        match self.optional(name) {
            None => Ok(false),
            Some(Node { value: Value::Truth(truth), .. }) => Ok(*truth),
            Some(node) => Err(choice(node, "write true or false".to_owned())),
        }
    }

    /// One of a few words.
    pub(crate) fn word(
        &mut self,
        name: &'static str,
        allowed: &[&'static str],
    ) -> Result<&'static str, ContractError> {
        let node = self.required(name)?;
        let given = text_of(node)?;
        allowed.iter().find(|word| **word == given).copied().ok_or_else(|| {
            let words = allowed.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
            choice(node, format!("write one of {words}"))
        })
    }

    /// Exactly one of several fields: the name of the one that is given.
    pub(crate) fn exactly_one(&mut self, names: &[&'static str]) -> Result<&'static str, ContractError> {
        let given: Vec<_> = names.iter().copied().filter(|name| self.optional(name).is_some()).collect();
        match given.as_slice() {
            [one] => Ok(one),
            none_or_several => Err(ContractError::Choice {
                field: self.place(),
                value: format!("given with {} of {}", none_or_several.len(), names.join(", ")),
                right: "write exactly one of these fields".to_owned(),
            }),
        }
    }

    /// An instant with its offset.
    pub(crate) fn instant(&mut self, name: &'static str) -> Result<Micros, ContractError> {
        instant_of(self.required(name)?)
    }

    /// An instant that may be left out.
    pub(crate) fn instant_or_none(&mut self, name: &'static str) -> Result<Option<Micros>, ContractError> {
        self.optional(name).map(instant_of).transpose()
    }

    /// The entries of a list, with a bound on their number; none where it is left out.
    pub(crate) fn list(&mut self, name: &'static str) -> Result<&'a [Node], ContractError> {
        let Some(node) = self.optional(name) else { return Ok(&[]) };
        match &node.value {
            Value::List(nodes) if nodes.len() <= LIST_MAX => Ok(nodes),
            other => {
                let detail =
                    format!("it is {}; write a list of at most {LIST_MAX} entries", other.describe());
                Err(ContractError::Form { place: node.place.clone(), detail })
            }
        }
    }

    /// The tables of a list that has at least one.
    pub(crate) fn tables(&mut self, name: &'static str) -> Result<Vec<Fields<'a>>, ContractError> {
        self.required(name)?;
        let nodes = self.list(name)?;
        if nodes.is_empty() {
            let field = self.required(name)?.place.clone();
            return Err(ContractError::Steps {
                field,
                detail: "the list is empty; write at least one entry",
            });
        }
        nodes.iter().map(|node| Fields::of(node, self.earlier)).collect()
    }

    /// One earlier component of a currency and, where kinds are given, of one of these kinds.
    pub(crate) fn component(
        &mut self,
        name: &'static str,
        currency: Currency,
        kinds: &[&str],
    ) -> Result<String, ContractError> {
        let node = self.required(name)?;
        self.refer(node, currency, kinds)
    }

    /// Earlier components of a currency, at least one, each once.
    pub(crate) fn components(
        &mut self,
        name: &'static str,
        currency: Currency,
    ) -> Result<Vec<String>, ContractError> {
        let whole = self.required(name)?;
        let nodes = self.list(name)?;
        let mut ids = Vec::with_capacity(nodes.len());
        for node in nodes {
            let id = self.refer(node, currency, &[])?;
            if ids.contains(&id) {
                let right = "each component is named once".to_owned();
                return Err(ContractError::Reference { field: node.place.clone(), value: id, right });
            }
            ids.push(id);
        }
        if ids.is_empty() {
            let detail = "the list is empty; name at least one earlier component";
            return Err(ContractError::Steps { field: whole.place.clone(), detail });
        }
        Ok(ids)
    }

    /// `covered_by`: earlier reservations of a currency, each once; an empty list says that none covers.
    pub(crate) fn covered_by(&mut self, currency: Currency) -> Result<Option<Vec<String>>, ContractError> {
        if self.optional("covered_by").is_none() {
            return Ok(None);
        }
        let mut ids = Vec::new();
        for node in self.list("covered_by")? {
            let id = self.refer(node, currency, &["gpu_reserved"])?;
            if ids.contains(&id) {
                let right = "each reservation is named once".to_owned();
                return Err(ContractError::Reference { field: node.place.clone(), value: id, right });
            }
            ids.push(id);
        }
        Ok(Some(ids))
    }

    /// Identifiers of a list that may be left out, each once.
    pub(crate) fn ids_or_none(&mut self, name: &'static str) -> Result<Vec<String>, ContractError> {
        let mut ids = Vec::new();
        for node in self.list(name)? {
            let id = id_of(node)?;
            if ids.contains(&id) {
                return Err(choice(node, "name each once".to_owned()));
            }
            ids.push(id);
        }
        Ok(ids)
    }

    fn refer(&self, node: &Node, currency: Currency, kinds: &[&str]) -> Result<String, ContractError> {
        let id = text_of(node)?;
        let wrong =
            |right: String| ContractError::Reference { field: node.place.clone(), value: shorten(id), right };
        let Some(found) = self.earlier.iter().find(|earlier| earlier.id == id) else {
            let known: Vec<_> = self.earlier.iter().map(|earlier| earlier.id.as_str()).collect();
            return Err(wrong(format!(
                "name a component that stands before this one: [{}]",
                known.join(", ")
            )));
        };
        if !kinds.is_empty() && !kinds.contains(&found.kind) {
            return Err(wrong(format!("it is of kind {}; right would be {}", found.kind, kinds.join(", "))));
        }
        if found.currency != currency {
            let (theirs, ours) = (found.currency.code(), currency.code());
            return Err(wrong(format!(
                "it is in {theirs}, but this component is in {ours}; both must be the same"
            )));
        }
        Ok(id.to_owned())
    }
}

/// The text of a node.
pub(crate) fn text_of(node: &Node) -> Result<&str, ContractError> {
    match &node.value {
        Value::Text(text) => Ok(text),
        other => {
            let detail = format!("it is {}; write a string", other.describe());
            Err(ContractError::Form { place: node.place.clone(), detail })
        }
    }
}

/// The identifier in a node.
pub(crate) fn id_of(node: &Node) -> Result<String, ContractError> {
    let value = text_of(node)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
    if value.is_empty() || value.len() > ID_TEXT_MAX || !value.bytes().all(allowed) {
        return Err(ContractError::Identifier { field: node.place.clone(), value: shorten(value) });
    }
    Ok(value.to_owned())
}

/// An error about a choice.
pub(crate) fn choice(node: &Node, right: String) -> ContractError {
    ContractError::Choice { field: node.place.clone(), value: node.value.describe(), right }
}

/// An error about a number.
pub(crate) fn number(node: &Node, text: &str, right: &str) -> ContractError {
    let right = format!("write {right}");
    ContractError::Number { field: node.place.clone(), value: shorten(text), right, source: None }
}

/// At most as much of a text as a message can show.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().take(ID_TEXT_MAX).collect()
}

fn decimal_of(node: &Node, right: &str) -> Result<Decimal, ContractError> {
    let text = text_of(node)?;
    match Exact::decimal(text) {
        Ok(value) => Ok(Decimal { text: text.to_owned(), value }),
        Err(error) => Err(ContractError::Number {
            field: node.place.clone(),
            value: shorten(text),
            right: format!("write {right}"),
            source: Some(error),
        }),
    }
}

/// A price or amount of zero or more.
pub(crate) fn price_of(node: &Node) -> Result<Decimal, ContractError> {
    let right = "a price of zero or more with at most 12 decimal places, such as \"0.0725\"";
    let price = decimal_of(node, right)?;
    if price.text.starts_with('-') { Err(number(node, &price.text, right)) } else { Ok(price) }
}

fn whole_of(node: &Node, bounds: RangeInclusive<u64>) -> Result<u64, ContractError> {
    let (Value::Whole(digits) | Value::Text(digits)) = &node.value else {
        let right = format!("write a whole number from {} to {}", bounds.start(), bounds.end());
        return Err(choice(node, right));
    };
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|value| plain && bounds.contains(value)).ok_or_else(|| {
        number(node, digits, &format!("a whole number from {} to {}", bounds.start(), bounds.end()))
    })
}

fn instant_of(node: &Node) -> Result<Micros, ContractError> {
    let text = text_of(node)?;
    let read: Option<Timestamp> = text.parse().ok();
    read.map(Timestamp::as_microsecond).ok_or_else(|| ContractError::Moment {
        field: node.place.clone(),
        value: shorten(text),
        right: "write an instant with its offset, such as 2026-10-01T00:00:00Z or 2026-10-01T00:00:00-05:00",
    })
}
