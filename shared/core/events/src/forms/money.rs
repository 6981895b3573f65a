//! Money: prices, counts, and balances that are carried over.

use super::Shape::{Decimal, Text, Whole};
use super::{End, Entity, Form, NOVEMBER_US, example, may, must};

const CURRENCY: &str = "its currency, such as `USD`";
const WHOLE_CURRENCY: &str = "in whole currency";
const CONTRACT: &str = "the contract";

pub(super) const FORMS: &[Form] = &[
    Form {
        kind: "price",
        variant: "",
        about: "A dated price of a series. It holds until the next one of its series, or until its end.",
        entity: Entity::From("{series}"),
        end: End::May,
        fields: &[
            must("series", Text, "the series, such as `ercot-hb-north`"),
            must("unit", Text, "a currency per something, such as `USD/MWh`"),
            must("value", Decimal(""), "the price, with at most 12 places"),
            may("source", Text, "who published it; the event's own source where absent"),
        ],
        examples: &[example(
            "ercot-hb-north",
            r#"{"series": "ercot-hb-north", "unit": "USD/MWh", "value": "41.37", "source": "ERCOT"}"#,
        )],
    },
    Form {
        kind: "count",
        variant: "",
        about: "A count that a contract bills, at the instant from which the fact holds.",
        entity: Entity::Chosen("the count"),
        end: End::Instant,
        fields: &[
            must("contract_id", Text, CONTRACT),
            must("meter", Text, "what is counted, by the name that the contract gives it"),
            must("value", Decimal(""), "how much, zero or more, with at most 6 places"),
        ],
        examples: &[example(
            "acme-hosting/hands/2026-10-01",
            r#"{"contract_id": "acme-hosting", "meter": "hands", "value": "1.5"}"#,
        )],
    },
    Form {
        kind: "prepaid_grant",
        variant: "",
        about: "Credit that a customer paid in advance, usable until its end.",
        entity: Entity::Chosen("the grant"),
        end: End::May,
        fields: &[
            must("contract_id", Text, "the contract whose lines it pays"),
            must("currency", Text, CURRENCY),
            must("amount", Decimal(WHOLE_CURRENCY), "how much"),
            may("priority", Whole(""), "lower is used first; 0 where absent"),
        ],
        examples: &[example(
            "grant-1",
            r#"{"contract_id": "acme-hosting", "currency": "USD", "amount": "500.00", "priority": 1}"#,
        )
        .until(NOVEMBER_US)],
    },
    Form {
        kind: "deposit_held",
        variant: "",
        about: "A deposit that is held for a component of a contract when the fact begins.",
        entity: Entity::Chosen("the deposit"),
        end: End::Instant,
        fields: &[
            must("contract_id", Text, CONTRACT),
            must("component", Text, "the deposit's component in the contract"),
            must("currency", Text, CURRENCY),
            must("amount", Decimal(WHOLE_CURRENCY), "how much"),
        ],
        examples: &[example(
            "deposit-1",
            r#"{"contract_id": "acme-hosting", "component": "deposit", "currency": "USD", "amount": "1000.00"}"#,
        )],
    },
    Form {
        kind: "past_invoice",
        variant: "",
        about: "An invoice that was issued elsewhere before, at the instant of its issue.",
        entity: Entity::Chosen("the invoice"),
        end: End::Instant,
        fields: &[
            must("contract_id", Text, CONTRACT),
            must("customer_id", Text, "its customer"),
            must("number", Text, "its number at its issuer"),
            must("period", Text, "the month it was for, such as `2026-09`"),
            must("currency", Text, CURRENCY),
            must("amount", Decimal(WHOLE_CURRENCY), "its total"),
            must("open_amount", Decimal(WHOLE_CURRENCY), "what of it is not paid yet"),
        ],
        examples: &[example(
            "old/7",
            r#"{"contract_id": "acme-hosting", "customer_id": "acme", "number": "7", "period": "2026-09",
   "currency": "USD", "amount": "310.00", "open_amount": "110.00"}"#,
        )],
    },
];
