//! Meters, windows, policies and corrections.

use super::Shape::{Decimal, Object, Text, Whole};
use super::{End, Entity, Form, NOVEMBER_US, OCTOBER_US, example, may, must};

const HOUR_US: i64 = 3_600_000_000;
const SITE: &str = "the site";
const ONE_MACHINE: &str = "the machine; all of the site where absent";
const WHO: &str = "who corrects it";
const WHY: &str = "why";

pub(super) const FORMS: &[Form] = &[
    Form {
        kind: "meter",
        variant: "",
        about: "A meter that measures more than the machine that its readings are recorded for.",
        entity: Entity::Chosen("the meter"),
        end: End::May,
        fields: &[
            must("site_id", Text, SITE),
            must("machine_id", Text, "the machine that its readings are recorded for"),
            must("measures", Text, "`site`: all that the site takes in; several such meters are added up"),
        ],
        examples: &[example(
            "odessa-grid",
            r#"{"site_id": "odessa", "machine_id": "m-1", "measures": "site"}"#,
        )],
    },
    Form {
        kind: "outage",
        variant: "",
        about: "A time in which GPUs of a node could not be used.",
        entity: Entity::Chosen("the outage"),
        end: End::Must,
        fields: &[
            must("machine_id", Text, "the node"),
            may("gpus", Whole(""), "how many of its GPUs; all where absent"),
            must("reason", Text, "what happened"),
        ],
        examples: &[example("outage-1", r#"{"machine_id": "node-1", "gpus": 8, "reason": "XID 79"}"#)
            .until(OCTOBER_US + 10 * HOUR_US)],
    },
    Form {
        kind: "curtailment",
        variant: "",
        about: "A time in which a site or a machine was told to draw less.",
        entity: Entity::Chosen("the window"),
        end: End::May,
        fields: &[
            must("site_id", Text, SITE),
            may("machine_id", Text, ONE_MACHINE),
            must("program", Text, "why, or under which programme"),
            may(
                "credit",
                Decimal("in the currency of the site's power price"),
                "what it is credited with, spread evenly over the window",
            ),
        ],
        examples: &[example("4cp-1", r#"{"site_id": "odessa", "program": "4CP", "credit": "120.00"}"#)
            .until(OCTOBER_US + 2 * HOUR_US)],
    },
    Form {
        kind: "maintenance",
        variant: "",
        about: "A time in which a site or a machine was worked on.",
        entity: Entity::Chosen("the window"),
        end: End::May,
        fields: &[
            must("site_id", Text, SITE),
            may("machine_id", Text, ONE_MACHINE),
            must("reason", Text, "what was done"),
        ],
        examples: &[example("fans-1", r#"{"site_id": "odessa", "machine_id": "m-1", "reason": "new fans"}"#)
            .until(OCTOBER_US + HOUR_US)],
    },
    Form {
        kind: "energy_mix",
        variant: "",
        about: "Where a site's energy comes from.",
        entity: Entity::Chosen("the site"),
        end: End::May,
        fields: &[
            must(
                "parts_ppm",
                Object,
                "parts per million by `grid`, `solar`, `wind`, `hydro`, `gas`; they sum to one million",
            ),
            must("grid_renewable_ppm", Whole("parts per million"), "what of the grid's energy is renewable"),
        ],
        examples: &[example(
            "odessa",
            r#"{"parts_ppm": {"grid": 600000, "wind": 400000}, "grid_renewable_ppm": 310000}"#,
        )],
    },
    Form {
        kind: "data_policy",
        variant: "",
        about: "How often a site's sources, a machine or a meter must send, and when an event is late. A meter's policy \
            wins over its machine's, that over its site's, that over the default, field by field.",
        entity: Entity::Chosen("`site/ID`, `machine/ID` or `meter/ID`, for the narrowest id that it gives"),
        end: End::May,
        fields: &[
            must("site_id", Text, SITE),
            may("machine_id", Text, ONE_MACHINE),
            may("meter_id", Text, "the meter; all of the machine or site where absent"),
            may("every_us", Whole("microseconds"), "how often it must send; five minutes where absent"),
            may("late_after_us", Whole("microseconds"), "how long after its time an event is shown as late"),
            may(
                "late_max_us",
                Whole("microseconds"),
                "how long after its time an event is taken; a later one is left out, and estimated where a register \
                 went on",
            ),
            may("future_max_us", Whole("microseconds"), "how far ahead of the log an event's time may lie"),
        ],
        examples: &[example(
            "site/odessa",
            r#"{"site_id": "odessa", "every_us": 300000000, "late_after_us": 3600000000}"#,
        )],
    },
    Form {
        kind: "void",
        variant: "",
        about: "Says that an event does not count: a share, a sample, a reading, a span or another correction. Other \
            facts are corrected by recording them again. `weighbridge correct void` sends it.",
        entity: Entity::Chosen("the event's id, 32 hex digits"),
        end: End::Instant,
        fields: &[
            may("event_id", Text, "the event's id, 32 hex digits; for a share that of its proof"),
            may("event", Object, "or the event by `source`, `source_epoch`, `key` and `sequence`"),
            must("who", Text, WHO),
            must("why", Text, WHY),
        ],
        examples: &[example(
            "00112233445566778899aabbccddeeff",
            r#"{"event_id": "00112233445566778899aabbccddeeff", "who": "ana", "why": "a test share"}"#,
        )],
    },
    Form {
        kind: "meter_ratio",
        variant: "",
        about: "Says that a meter's readings were taken with a wrong transformer ratio: its differences in that time are \
            multiplied by the right ratio over the used one. `weighbridge correct ratio` sends it.",
        entity: Entity::From("{meter_id}"),
        end: End::Must,
        fields: &[
            must("meter_id", Text, "the meter"),
            must("used_num", Whole(""), "the ratio that was used: the 200 of 200:5"),
            must("used_den", Whole(""), "and its 5"),
            must("right_num", Whole(""), "the ratio that is right"),
            must("right_den", Whole(""), "and what it is over"),
            must("who", Text, WHO),
            must("why", Text, WHY),
        ],
        examples: &[example(
            "meter-7",
            r#"{"meter_id": "meter-7", "used_num": 200, "used_den": 5, "right_num": 400, "right_den": 5,
   "who": "ana", "why": "wrong plate"}"#,
        )
        .until(NOVEMBER_US)],
    },
];
