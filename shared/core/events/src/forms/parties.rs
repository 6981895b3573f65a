//! Who and what: sites, machines, customers, legal entities, contracts, assignments.

use super::Shape::{Digits, Lines, List, Text, Whole};
use super::{End, Entity, Form, example, may, must};

const NAME: &str = "its name for people, as documents print it; at most 120 characters";
const ADDRESS: &str = "its address, at most 8 lines of 120 characters";
const TAX_ID: &str = "its tax identifier, as documents print it";

pub(super) const FORMS: &[Form] = &[
    Form {
        kind: "legal_entity",
        variant: "",
        about: "A company of the operator, which issues invoices.",
        entity: Entity::Chosen("the legal entity"),
        end: End::UntilNext,
        fields: &[
            must("name", Text, NAME),
            may("address", Lines, ADDRESS),
            may("tax_id", Text, TAX_ID),
            may("payment", Lines, "how to pay it, at most 8 lines of 120 characters"),
        ],
        examples: &[example(
            "yard",
            r#"{"name": "Yard Hosting Ltd", "address": ["1 Mill Road", "Odessa, Texas"], "tax_id": "US-12-3456789",
   "payment": ["IBAN DE02 1203 0000 0000 2020 51"]}"#,
        )],
    },
    Form {
        kind: "customer",
        variant: "",
        about: "A hosting customer.",
        entity: Entity::Chosen("the customer"),
        end: End::UntilNext,
        fields: &[
            must("name", Text, NAME),
            may("address", Lines, ADDRESS),
            may("tax_id", Text, TAX_ID),
            may("language", Text, "the language of its documents, such as `es`; English where absent"),
        ],
        examples: &[example(
            "acme",
            r#"{"name": "Acme Mining Inc", "address": ["2 High Street", "Austin, Texas"], "language": "en"}"#,
        )],
    },
    Form {
        kind: "site",
        variant: "",
        about: "A place where machines stand.",
        entity: Entity::Chosen("the site"),
        end: End::UntilNext,
        fields: &[
            must("name", Text, "its name for people"),
            must("time_zone", Text, "its IANA time zone, such as `America/Chicago`"),
            may("power_price_series", Text, "for reports: the series of its power's price, per kWh or MWh"),
            may("btc_price_series", Text, "for reports: the series of a bitcoin's price"),
            may("gpu_price_series", Text, "for reports: the series of a GPU-hour's price"),
        ],
        examples: &[example("odessa", r#"{"name": "Odessa", "time_zone": "America/Chicago"}"#)],
    },
    Form {
        kind: "machine",
        variant: "",
        about: "A miner, or a node with GPUs.",
        entity: Entity::Chosen("the machine"),
        end: End::UntilNext,
        fields: &[
            must("site_id", Text, "where it stands"),
            must("model", Text, "what it is"),
            must("rated_power_mw", Whole("milliwatts"), "its nameplate power"),
            may("rated_hashrate_hs", Digits("hashes per second"), "a miner's nameplate hashrate, above 0"),
            may("gpus", Whole(""), "how many GPUs a node has"),
        ],
        examples: &[
            example(
                "m-1",
                r#"{"site_id": "odessa", "model": "Antminer S21", "rated_power_mw": 3500000,
   "rated_hashrate_hs": "200000000000000"}"#,
            ),
            example(
                "node-1",
                r#"{"site_id": "odessa", "model": "HGX H100", "rated_power_mw": 10200000, "gpus": 8}"#,
            ),
            example(
                "tx1-m0001",
                r#"{"site_id": "odessa", "model": "Antminer S9", "rated_power_mw": 1320000}"#,
            )
            .from(super::FEBRUARY_2016_US),
        ],
    },
    Form {
        kind: "contract",
        variant: "",
        about: "A version of a contract: its whole document as JSON, in the form of the page on contract documents. A \
            recorded version never changes.",
        entity: Entity::From("{contract_id}"),
        end: End::May,
        fields: &[
            must("contract_id", Text, "the contract"),
            must("customer_id", Text, "its customer"),
            must("legal_entity", Text, "which company issues its invoices"),
            must("time_zone", Text, "the IANA time zone whose months are billed"),
            must("components", List, "1 to 64 components"),
            may("version", Whole(""), "1 and up; 1 where absent"),
            may("purchase_order", Text, "the customer's purchase order, shown on invoices"),
            may("effective_from", Text, "from when it holds: the fact's own `valid_from_us`, as text"),
        ],
        examples: &[
            example(
                "acme-hosting",
                r#"{"contract_id": "acme-hosting", "version": 1, "effective_from": "2026-10-01T00:00:00Z",
   "customer_id": "acme", "legal_entity": "yard", "time_zone": "UTC",
   "components": [{"id": "power", "kind": "metered_energy", "currency": "USD", "unit": "USD/kWh",
     "unit_price": "0.0725"}]}"#,
            ),
            example(
                "acme-hosting",
                r#"{"contract_id": "acme-hosting", "version": 2, "effective_from": "2026-11-01T00:00:00Z",
   "customer_id": "acme", "legal_entity": "yard", "time_zone": "UTC",
   "components": [{"id": "power", "kind": "metered_energy", "currency": "USD", "unit": "USD/kWh",
     "unit_price": "0.0690"}]}"#,
            )
            .from(super::NOVEMBER_US),
        ],
    },
    Form {
        kind: "assignment",
        variant: "",
        about: "Puts a machine under a contract, from the first settlement boundary at or after its instant.",
        entity: Entity::From("{machine_id}"),
        end: End::May,
        fields: &[
            must("machine_id", Text, "the machine"),
            must("customer_id", Text, "the contract's customer"),
            must("contract_id", Text, "the contract"),
        ],
        examples: &[example(
            "m-1",
            r#"{"machine_id": "m-1", "customer_id": "acme", "contract_id": "acme-hosting"}"#,
        )],
    },
    Form {
        kind: "account",
        variant: "",
        about: "Says whose an account of a scheduler is: its GPU time is billed to the contract, to the microsecond, and to \
            whoever has the node where no account is mapped.",
        entity: Entity::Chosen(
            "the account as allocations give it: `slurm:CLUSTER/ACCOUNT`, `kubernetes:CLUSTER/NAMESPACE`, or what another \
            sender writes",
        ),
        end: End::May,
        fields: &[
            must("customer_id", Text, "the contract's customer"),
            must("contract_id", Text, "the contract that its allocations are billed to"),
        ],
        examples: &[example("slurm:east/acme", r#"{"customer_id": "acme", "contract_id": "acme-hosting"}"#)],
    },
    Form {
        kind: "contract_withdrawal",
        variant: "",
        about: "Says that a recorded version of a contract, which does not hold yet, never will. It is valid from the \
            instant of the withdrawal.",
        entity: Entity::From("{contract_id}"),
        end: End::Instant,
        fields: &[
            must("contract_id", Text, "the contract"),
            must("version", Whole(""), "the number of the version"),
            must("who", Text, "who withdraws it"),
            must("why", Text, "why"),
        ],
        examples: &[example(
            "acme-hosting",
            r#"{"contract_id": "acme-hosting", "version": 2, "who": "ana", "why": "not signed"}"#,
        )],
    },
];
