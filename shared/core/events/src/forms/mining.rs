//! Mining: what shares are read with, and what pools paid.

use super::Shape::{Decimal, Digits, Hex, Lines, Text, Truth, Whole};
use super::{End, Entity, FEBRUARY_2016_US, Field, Form, NOVEMBER_US, example, may, must};

const CHAIN: &str = "the chain; only `main` earns";
const SCOPE: &str = "the scope of its job id: a pool or proxy instance";
const NBITS: &str = "the network's target in compact form, eight digits";
const POOL: &str = "the pool";
const AMOUNT: &str = "how much";
const CONTRACT: &str = "the contract that it is for; the site as a whole where absent";
const MACHINE: &str = "the machine it is for, where the pool reports each";
const CUSTOMER: &str = "the customer whose account it went to; the site's own where absent";

const SESSION: &[Field] = &[
    must("machine_id", Text, "the machine that works in it"),
    must("worker", Text, "the worker's name"),
    must("chain", Text, CHAIN),
    must("protocol", Text, "`stratum_v1`, `stratum_v2_standard`, `stratum_v2_extended` or `replay`"),
    must("scope", Text, "the scope of its job ids: a pool or proxy instance"),
    must("extranonce1", Hex, "the pool's part of the extranonce").or("extranonce_prefix"),
    must("extranonce2_size", Whole("bytes"), "the miner's part of the extranonce").or("extranonce_size"),
    may("version_mask", Hex, "the version bits that may roll, eight digits; none where absent"),
    must("assigned_difficulty", Decimal(""), "the difficulty credited for a share"),
    may(
        "stale_window_ms",
        Whole("milliseconds"),
        "how long after a change of tip a share on the tip before counts",
    ),
];

pub(super) const FORMS: &[Form] = &[
    Form {
        kind: "tip",
        variant: "",
        about: "A new best block of a chain, from the moment it was seen.",
        entity: Entity::From("{chain}"),
        end: End::UntilNext,
        fields: &[
            must("chain", Text, CHAIN),
            must("height", Whole(""), "the block's height"),
            must("hash", Hex, "its hash as people read it, 64 digits"),
        ],
        examples: &[example(
            "testnet3",
            r#"{"chain": "testnet3", "height": 699999,
   "hash": "0000000000003e784511e93aca014ecaa6d4ba3637cf373f4b84dcac7c70cca0"}"#,
        )
        .from(FEBRUARY_2016_US)],
    },
    Form {
        kind: "network_difficulty",
        variant: "",
        about: "The network's target from a height on.",
        entity: Entity::From("{chain}"),
        end: End::UntilNext,
        fields: &[
            must("chain", Text, CHAIN),
            must("height", Whole(""), "the first height that it holds for"),
            must("nbits", Hex, NBITS),
        ],
        examples: &[example("testnet3", r#"{"chain": "testnet3", "height": 700000, "nbits": "1b027904"}"#)
            .from(FEBRUARY_2016_US)],
    },
    Form {
        kind: "session",
        variant: "",
        about: "A connection or channel: whose machine works in it, and what each of its shares is credited with.",
        entity: Entity::Chosen("the session"),
        end: End::UntilNext,
        fields: SESSION,
        examples: &[
            example(
                "north-proxy/v1/1a",
                r#"{"machine_id": "tx1-m0001", "worker": "worker.1", "chain": "testnet3", "protocol": "stratum_v1",
   "scope": "north-proxy", "extranonce1": "53747261", "extranonce2_size": 4, "version_mask": "1fffe000",
   "assigned_difficulty": "1024"}"#,
            )
            .from(FEBRUARY_2016_US),
            example(
                "north-proxy/channel/7",
                r#"{"machine_id": "tx1-m0001", "worker": "worker.1", "chain": "testnet3",
   "protocol": "stratum_v2_standard", "scope": "north-proxy", "extranonce_prefix": "5374726174756d2f",
   "extranonce_size": 0, "version_mask": "1fffe000", "assigned_difficulty": "1024"}"#,
            )
            .from(FEBRUARY_2016_US),
            example(
                "historic/1",
                r#"{"machine_id": "tx1-m0001", "worker": "worker.1", "chain": "testnet3", "protocol": "replay",
   "scope": "historic", "extranonce1": "", "extranonce2_size": 0, "assigned_difficulty": "1024"}"#,
            )
            .from(FEBRUARY_2016_US),
        ],
    },
    Form {
        kind: "job",
        variant: "Stratum V1",
        about: "A job of a pool or proxy, as `mining.notify` sends it.",
        entity: Entity::From("{scope}/{job_id}"),
        end: End::UntilNext,
        fields: &[
            must("scope", Text, SCOPE),
            must("job_id", Text, "the job's id in that scope"),
            must("chain", Text, CHAIN),
            must("height", Whole(""), "the height of the block under work"),
            must("prevhash", Hex, "the previous block in notify's word order, 64 digits"),
            must("coinb1", Hex, "the coinbase before the extranonce"),
            must("coinb2", Hex, "the coinbase after the extranonce"),
            must("branch", Lines, "the Merkle branch, 64 hex digits each"),
            must("version", Hex, "the block's version, eight digits"),
            must("nbits", Hex, NBITS),
            must("ntime", Hex, "the earliest time of a share, eight digits"),
            must("clean_jobs", Truth, "whether work on older jobs is to stop"),
        ],
        examples: &[example(
            "north-proxy/6a3f4dc1",
            r#"{"scope": "north-proxy", "job_id": "6a3f4dc1", "chain": "testnet3", "height": 700000,
   "prevhash": "7c70cca04b84dcac37cf373fa6d4ba36ca014eca4511e93a00003e7800000000",
   "coinb1": "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff200360ae0a04c09dbf560810000000ee6b08000d2f6e6f6465",
   "coinb2": "000000000497b7e124000000001976a914292197995b70522377516d23b20823d59b479c7088acfa252600000000001976a914ebb559736318f5e088310541905db4437d368ed188ac79af2f00000000001976a9142742fda0530f17fabacc3f61b905086a1b2fda4b88ac7e890900000000001976a91422851477d63a085dbc2398c8430af1c09e7343f688ac00000000",
   "branch": ["99aa3927dc119e9723f7c034e6fdc0bf249984147b9c4badb0fea866d2a5f7a6",
     "6e43b907862db569938aefd70fb1f35df6c6c9f25bfe02db75dde1bb6fbe9ebe"],
   "version": "20000000", "nbits": "1b027904", "ntime": "56bfb55b", "clean_jobs": true}"#,
        )
        .from(FEBRUARY_2016_US)],
    },
    Form {
        kind: "job",
        variant: "Stratum V2",
        about: "A job of Stratum V2, with the `SetNewPrevHash` that made it valid. Hashes are in the header's byte order.",
        entity: Entity::From("{scope}/{job_id}"),
        end: End::UntilNext,
        fields: &[
            must("protocol", Text, "`stratum_v2_standard` or `stratum_v2_extended`"),
            must("scope", Text, SCOPE),
            must("job_id", Text, "`job_id` in decimal"),
            must("chain", Text, CHAIN),
            must("height", Whole(""), "the height of the block under work, which the pool knows"),
            must("prev_hash", Hex, "`prev_hash` of `SetNewPrevHash`, 64 digits"),
            must("nbits", Hex, NBITS),
            must("min_ntime", Hex, "`min_ntime` of the job, or of `SetNewPrevHash`, eight digits"),
            must("version", Hex, "`version`, eight digits"),
            may("version_rolling_allowed", Truth, "extended: whether version bits may roll"),
            may("merkle_root", Hex, "standard: `merkle_root`, 64 digits"),
            may("coinbase_tx_prefix", Hex, "extended: `coinbase_tx_prefix`"),
            may("coinbase_tx_suffix", Hex, "extended: `coinbase_tx_suffix`"),
            may("merkle_path", Lines, "extended: `merkle_path`, 64 hex digits each, deepest first"),
        ],
        examples: &[example(
            "north-proxy/7001",
            r#"{"scope": "north-proxy", "job_id": "7001", "chain": "testnet3", "height": 700000,
   "protocol": "stratum_v2_standard",
   "prev_hash": "a0cc707cacdc844b3f37cf3736bad4a6ca4e01ca3ae91145783e000000000000",
   "nbits": "1b027904", "min_ntime": "56bfb55b", "version": "20000000",
   "merkle_root": "e7a6a7746c73440349312b3f4910b0f9f589c58d09c0de5920c94c44f7255cda"}"#,
        )
        .from(FEBRUARY_2016_US)],
    },
    Form {
        kind: "pool_earning",
        variant: "",
        about: "What a pool credited for the time for which the fact holds.",
        entity: Entity::Chosen("the earning"),
        end: End::Must,
        fields: &[
            must("pool", Text, POOL),
            must("site_id", Text, "the site whose work it is for"),
            may("contract_id", Text, CONTRACT),
            must("amount_sat", Digits("satoshi"), AMOUNT),
            may("pool_blocks", Whole(""), "blocks that the pool found in the time, where it pays for blocks"),
            may("machine_id", Text, MACHINE),
            may("customer_id", Text, CUSTOMER),
        ],
        examples: &[example(
            "north-pool/2026-10",
            r#"{"pool": "north-pool", "site_id": "odessa", "amount_sat": "2500000"}"#,
        )
        .until(NOVEMBER_US)],
    },
    Form {
        kind: "pool_payout",
        variant: "",
        about: "What a pool paid at the instant from which the fact holds, where it reports no earnings.",
        entity: Entity::Chosen("the payout"),
        end: End::Instant,
        fields: &[
            must("pool", Text, POOL),
            must("site_id", Text, "the site it is for"),
            may("contract_id", Text, CONTRACT),
            must("amount_sat", Digits("satoshi"), AMOUNT),
            may("txid", Hex, "the transaction, 64 digits; absent where it was not paid on the chain"),
            may("machine_id", Text, MACHINE),
            may("customer_id", Text, CUSTOMER),
        ],
        examples: &[example(
            "north-pool/payout-1",
            r#"{"pool": "north-pool", "site_id": "odessa", "amount_sat": "1200000"}"#,
        )],
    },
];
