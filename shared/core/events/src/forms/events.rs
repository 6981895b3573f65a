//! The kinds of events other than facts.

use super::Shape::{Hex, Instant, Object, Text, Whole};
use super::{EventForm, Field, OCTOBER_US, may, must};

const SESSION: Field = must("session_id", Text, "the session it was sent in");
const NTIME: Field = must("ntime", Hex, "the header's time, eight digits");
const NONCE: Field = must("nonce", Hex, "the nonce, eight digits");
const JOB: Field = must("job_id", Text, "the job in the session's scope");

/// 2016-02-13T22:59:39Z: when the example's block was found.
const SHARE_US: i64 = 1_455_404_379_000_000;

/// The forms of all kinds of events other than facts.
pub const EVENT_FORMS: &[EventForm] = &[
    EventForm {
        kind: "energy_reading",
        variant: "",
        about: "The register of a meter, a PDU or a firmware.",
        role: "meter",
        fields: &[
            must("machine_id", Text, "the machine it is recorded for"),
            must("meter_id", Text, "the meter"),
            must("register_wh", Whole("watt-hours"), "its register"),
            must("witness", Text, "`meter`, `pdu` or `firmware`"),
        ],
        key: "meter-7",
        at_us: OCTOBER_US,
        body: r#"{"machine_id": "m-1", "meter_id": "meter-7", "register_wh": 120345, "witness": "meter"}"#,
    },
    EventForm {
        kind: "miner_sample",
        variant: "",
        about: "A miner's own answer, or that it did not answer. It has one of the two fields.",
        role: "telemetry",
        fields: &[
            must("machine_id", Text, "the machine"),
            may("answers", Object, "its answers by command, as they came"),
            may("unreachable", Text, "why it did not answer, in at most 256 bytes"),
        ],
        key: "m-1/sample",
        at_us: OCTOBER_US,
        body: r#"{"machine_id": "m-1", "unreachable": "no answer within 5 s"}"#,
    },
    EventForm {
        kind: "gpu_span",
        variant: "",
        about: "GPUs of a node allocated for a time. One that still runs has no `end_us`; it is sent again, under the next \
            sequence, when it ends.",
        role: "scheduler",
        fields: &[
            must("node_id", Text, "the node"),
            must("allocation_id", Text, "the allocation"),
            may("device", Text, "the GPU, where the scheduler says it"),
            may("profile", Text, "the profile of a MIG slice, such as `1g.10gb`"),
            must("account", Text, "the scheduler's account"),
            must("state", Text, "the scheduler's state"),
            must("gpus", Whole(""), "how many GPUs or slices, above 0"),
            must("start_us", Instant, "when it began"),
            may("end_us", Instant, "when it ended"),
        ],
        key: "job-4711/node-1",
        at_us: OCTOBER_US + 7_200_000_000,
        body: r#"{"node_id": "node-1", "allocation_id": "job-4711", "account": "acme", "state": "COMPLETED",
  "gpus": 8, "start_us": 1790812800000000, "end_us": 1790820000000000}"#,
    },
    EventForm {
        kind: "gpu_sample",
        variant: "",
        about: "What a GPU or a MIG slice says of itself at one moment. At least one value is needed; what is not known is \
            left out, never 0.",
        role: "telemetry",
        fields: &[
            must("node_id", Text, "the node"),
            must("device", Text, "the GPU; of a slice, its parent"),
            may("profile", Text, "of a slice, its profile"),
            may("instance", Text, "of a slice, its instance"),
            may("utilisation_ppm", Whole("parts per million"), "utilisation"),
            may("engine_active_ppm", Whole("parts per million"), "activity of the engines"),
            may("memory_used_mib", Whole("MiB"), "memory in use"),
            may("power_mw", Whole("milliwatts"), "power"),
            may("last_xid", Whole(""), "the number of the last fault; 0 where there was none"),
            may("xid_count", Whole(""), "how many faults"),
        ],
        key: "gpu/0/sample",
        at_us: OCTOBER_US,
        body: r#"{"node_id": "node-1", "device": "0", "utilisation_ppm": 970000, "power_mw": 688412, "last_xid": 0}"#,
    },
    EventForm {
        kind: "share",
        variant: "Stratum V1",
        about: "One share, as `mining.submit` has it.",
        role: "pool",
        fields: &[
            SESSION,
            JOB,
            must("extranonce2", Hex, "the miner's part of the extranonce"),
            NTIME,
            NONCE,
            may("version_bits", Hex, "the rolled version bits, eight digits"),
        ],
        key: "north-proxy/v1/1a",
        at_us: SHARE_US,
        body: r#"{"session_id": "north-proxy/v1/1a", "job_id": "6a3f4dc1", "extranonce2": "74756d2f",
  "ntime": "56bfb55b", "nonce": "301a6807", "version_bits": "10000000"}"#,
    },
    EventForm {
        kind: "share",
        variant: "Stratum V2",
        about: "One share of a channel, as `SubmitSharesStandard` or `SubmitSharesExtended` has it.",
        role: "pool",
        fields: &[
            SESSION,
            JOB,
            NTIME,
            NONCE,
            must("version", Hex, "the whole version, eight digits"),
            may("extranonce", Hex, "extended: the miner's part of the extranonce"),
        ],
        key: "north-proxy/channel/7",
        at_us: SHARE_US,
        body: r#"{"session_id": "north-proxy/channel/7", "job_id": "7001", "ntime": "56bfb55b", "nonce": "301a6807",
  "version": "30000000"}"#,
    },
    EventForm {
        kind: "share",
        variant: "bare header",
        about: "A header without a job, in a session with the protocol `replay`. It proves work, but not for whom.",
        role: "replay",
        fields: &[
            SESSION,
            must("header", Hex, "the header, 160 digits"),
            must("height", Whole(""), "the block's height"),
        ],
        key: "historic/1",
        at_us: SHARE_US,
        body: r#"{"session_id": "historic/1", "height": 700000,
  "header": "00000030a0cc707cacdc844b3f37cf3736bad4a6ca4e01ca3ae91145783e000000000000e7a6a7746c73440349312b3f4910b0f9f589c58d09c0de5920c94c44f7255cda5bb5bf560479021b07681a30"}"#,
    },
];
