//! Prepaid credit that pays for lines.
//!
//! ```text
//! owed   = max(0, sum of billed amounts of the named components)
//! draws  = from each usable grant in order, as much as it has and as is still owed
//! amount = -(sum of draws)
//! ```
//!
//! A grant is usable in a stretch that it overlaps: it began before the stretch ends and lapses after the stretch
//! starts. Order: lower priority number first, then the earlier lapse (never last), then the id. Draws are whole
//! minor units, so nothing is rounded. What a grant has left is in the inputs; the caller passes it on as the balance
//! of the next stretch.

use wb_units::Micros;

use crate::context::PrepaidGrant;
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Fields, Head};
use crate::line::input;
use crate::scope::{Draft, Rated, Scope};

/// Terms of the use of prepaid credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// The components that may be paid with it.
    pub of: Vec<String>,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        Ok(Self { of: fields.components("of", head.currency)?, head })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let currency = self.head.currency;
        let wide = || scope.overflow("credit");
        let context = scope.context()?;
        let stretch = context.stretch();
        let mut owed = u128::try_from(scope.billed(&self.of, currency)?).unwrap_or(0);
        let usable = |grant: &&PrepaidGrant| {
            grant.currency == currency.code()
                && grant.valid_from_us < stretch.end_us
                && grant.expires_us.is_none_or(|expires_us| expires_us > stretch.start_us)
        };
        let mut grants: Vec<&PrepaidGrant> = context.grants.iter().filter(usable).collect();
        grants
            .sort_by_key(|grant| (grant.priority, grant.expires_us.unwrap_or(Micros::MAX), &grant.grant_id));
        let mut drawn_minor = 0_i128;
        let mut inputs = Vec::with_capacity(grants.len());
        for grant in grants {
            let draw = owed.min(grant.balance_minor);
            owed -= draw;
            drawn_minor =
                i128::try_from(draw).ok().and_then(|draw| drawn_minor.checked_add(draw)).ok_or_else(wide)?;
            inputs.push(input([
                ("grant_id", grant.grant_id.clone()),
                ("priority", grant.priority.to_string()),
                ("drawn_minor", draw.to_string()),
                ("left_minor", (grant.balance_minor - draw).to_string()),
            ]));
        }
        let drawn = Exact::scaled(drawn_minor, currency.scale()).ok_or_else(wide)?;
        let draft = Draft {
            description: "Paid with prepaid credit".to_owned(),
            quantity: drawn,
            unit: currency.code().to_owned(),
            unit_price: "1".to_owned(),
            formula: format!(
                "-(as much of {} as grants have, by priority, lapse and id)",
                self.of.join(" + ")
            ),
            amount: drawn.negated(),
            inputs,
        };
        Ok(vec![scope.finish(&self.head, "prepaid_credit", draft)?])
    }
}

#[cfg(test)]
mod tests {
    use crate::components::testing::{contract, november};
    use crate::{Context, PrepaidGrant, Usage, rate_in};
    use serde_json::json;

    #[test]
    fn grants_are_drawn_by_priority_lapse_and_id_while_they_last() {
        let (start_us, end_us) = (november().start_us, november().end_us);
        let grant = |id: &str, balance_minor, priority, valid_from_us, expires_us| PrepaidGrant {
            grant_id: id.to_owned(),
            currency: if id == "euro" { "EUR" } else { "USD" }.to_owned(),
            balance_minor,
            valid_from_us,
            expires_us,
            priority,
        };
        let mut context = Context::whole(november()).unwrap();
        context.grants = vec![
            grant("later", 10_000, 1, 0, None),
            grant("b", 30, 0, 0, None),
            grant("a", 20, 0, 0, None),
            grant("soon", 40, 0, 0, Some(start_us + 1)),
            grant("lapsed", 1_000, 0, 0, Some(start_us)),
            grant("not-yet", 1_000, 0, end_us, None),
            grant("euro", 1_000, 0, 0, None),
        ];
        let contract = contract(&[
            json!({"id": "fee", "kind": "fixed_fee", "currency": "USD", "amount": "1.00"}),
            json!({"id": "credit", "kind": "prepaid_credit", "currency": "USD", "of": ["fee"]}),
        ]);
        let line = rate_in(&contract, &context, &Usage::default()).unwrap().remove(1);
        assert_eq!(line.amount.minor, -100);
        let drawn: Vec<_> = line
            .inputs
            .iter()
            .map(|input| (input["grant_id"].as_str(), input["drawn_minor"].as_str()))
            .collect();
        assert_eq!(drawn, [("soon", "40"), ("a", "20"), ("b", "30"), ("later", "10")]);
        context.grants.reverse();
        assert_eq!(rate_in(&contract, &context, &Usage::default()).unwrap().remove(1), line);
    }
}
