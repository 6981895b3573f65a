//! What is recorded in memory: facts, work, readings, samples and allocations.

use serde_json::json;
use wb_billing::ports::{AllocationRow, AppendedRow, BlockId, FactRow, ReadingRow, SampleRow};
use wb_metering::energy::RegisterReading;
use wb_metering::energy::witness::Witness;
use wb_metering::gpu::Span;
use wb_metering::report::machine::{Sample, SpanRow};
use wb_metering::uptime::Found;
use wb_rating::WorkGroup;
use wb_units::Micros;

use super::{LATER_US, Place, World, contract_body};

impl World {
    /// The place of the next row of a topic: a new block.
    pub(crate) fn place(&mut self, topic: &str) -> Place {
        let number = self.next;
        self.next += 1;
        self.held = self.next;
        Place {
            commit_offset: number,
            block: BlockId { topic: topic.to_owned(), partition: 0, block: number },
        }
    }

    pub(crate) fn fact(&mut self, kind: &str, entity: &str, valid_from_us: Micros, body: serde_json::Value) {
        self.fact_until(kind, entity, valid_from_us, None, body);
    }

    pub(crate) fn fact_until(
        &mut self,
        kind: &str,
        entity: &str,
        valid_from_us: Micros,
        valid_to_us: Option<Micros>,
        mut body: serde_json::Value,
    ) {
        if kind == "contract" && body.get("version").is_none() {
            self.number(entity, &mut body);
        }
        let place = self.place("reference");
        let row = FactRow {
            entity: entity.to_owned(),
            valid_from_us,
            valid_to_us,
            block: place.block.clone(),
            idx: 0,
            body: body.to_string(),
        };
        self.facts.push((place.clone(), kind.to_owned(), row));
        let named = |field: &str| body[field].as_str();
        match kind {
            "machine" => self.name("site", named("site_id"), (&place, 1)),
            "contract" => {
                self.name("customer", named("customer_id"), (&place, 1));
                self.name("legal_entity", named("legal_entity"), (&place, 2));
            }
            "assignment" => {
                self.name("customer", named("customer_id"), (&place, 1));
                self.name("machine", named("machine_id"), (&place, 2));
            }
            _ => {}
        }
    }

    /// Records what a fact names beside it, where nothing is recorded of it. What is recorded holds from a time on that
    /// no test bills.
    fn name(&mut self, kind: &str, id: Option<&str>, (place, idx): (&Place, u32)) {
        let Some(id) = id else { return };
        if self.facts.iter().any(|(_, of, row)| of == kind && row.entity == id) {
            return;
        }
        let body = match kind {
            "site" => json!({"name": id, "time_zone": "UTC"}),
            "machine" => json!({"site_id": "later", "model": "any", "rated_power_mw": 1}),
            _ => json!({"name": id}),
        };
        let row = FactRow {
            entity: id.to_owned(),
            valid_from_us: LATER_US,
            valid_to_us: None,
            block: place.block.clone(),
            idx,
            body: body.to_string(),
        };
        self.facts.push((place.clone(), kind.to_owned(), row));
    }

    /// Gives a contract's document the number of its text, or the next one where the text is new. The first has none.
    fn number(&self, contract_id: &str, body: &mut serde_json::Value) {
        let mut texts: Vec<serde_json::Value> = Vec::new();
        for (_, _, row) in
            self.facts.iter().filter(|(_, kind, row)| kind == "contract" && row.entity == contract_id)
        {
            let mut text: serde_json::Value = serde_json::from_str(&row.body).unwrap();
            text.as_object_mut().unwrap().remove("version");
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let place = texts.iter().position(|text| text == body).unwrap_or(texts.len());
        if place > 0 {
            body["version"] = (place + 1).into();
        }
    }

    pub(crate) fn contract(
        &mut self,
        contract_id: &str,
        customer_id: &str,
        valid_from_us: Micros,
        price: &str,
    ) {
        self.fact("contract", contract_id, valid_from_us, contract_body(contract_id, customer_id, price));
    }

    pub(crate) fn assign(
        &mut self,
        machine_id: &str,
        customer_id: &str,
        contract_id: &str,
        valid_from_us: Micros,
    ) {
        let body = json!({"machine_id": machine_id, "customer_id": customer_id, "contract_id": contract_id});
        self.fact("assignment", machine_id, valid_from_us, body);
    }

    pub(crate) fn mined(&mut self, machine_id: &str, at_us: Micros, credited_q32: u128) {
        let group = WorkGroup {
            chain: "main".to_owned(),
            nbits: 0x1d00_ffff,
            subsidy_sat: 5_000_000_000,
            credited_q32,
            shares: 1,
        };
        let place = self.place("shares");
        let interval_start_us = wb_units::time::interval_start(at_us);
        self.work.push((place, machine_id.to_owned(), interval_start_us, group));
    }

    pub(crate) fn read(&mut self, machine_id: &str, at_us: Micros, register_wh: u64) {
        let meter_id = format!("{machine_id}-meter");
        self.read_as(machine_id, ("meter", &meter_id), at_us, register_wh);
    }

    pub(crate) fn read_as(
        &mut self,
        machine_id: &str,
        (witness, meter_id): (&str, &str),
        at_us: Micros,
        register_wh: u64,
    ) {
        let place = self.place("energy");
        let mut id = [0; 16];
        id[..8].copy_from_slice(&at_us.to_be_bytes());
        let row = ReadingRow {
            machine_id: machine_id.to_owned(),
            meter_id: meter_id.to_owned(),
            witness: Witness::of_name(witness).unwrap(),
            reading: RegisterReading { at_us, id, register_wh },
            block: place.block.clone(),
            is_sealed: false,
        };
        self.readings.push((place, row));
    }

    /// A reading of the machine's meter that came later than it was read.
    pub(crate) fn read_late(&mut self, machine_id: &str, at_us: Micros, register_wh: u64, late_us: Micros) {
        self.read(machine_id, at_us, register_wh);
        if let Some((_, row)) = self.readings.last() {
            self.appended.push(AppendedRow {
                machine_id: machine_id.to_owned(),
                meter_id: row.meter_id.clone(),
                id: row.reading.id,
                appended_at_us: at_us + late_us,
            });
        }
    }

    pub(crate) fn sampled(&mut self, machine_id: &str, at_us: Micros, found: Found, power_mw: Option<u64>) {
        let place = self.place("telemetry");
        let sample = Sample { at_us, id: [0; 16], appended_at_us: at_us, uptime_s: None, found, power_mw };
        let row = SampleRow {
            machine_id: machine_id.to_owned(),
            sample,
            algorithm: "sha256d".to_owned(),
            block: place.block.clone(),
        };
        self.samples.push((place, row));
    }

    /// A closed allocation of whole GPUs, or of one slice where a profile is given.
    pub(crate) fn allocated(
        &mut self,
        node_id: &str,
        allocation_id: &str,
        (gpus, profile): (u32, &str),
        start_us: Micros,
        end_us: Micros,
    ) {
        self.allocated_by("acme", node_id, allocation_id, (gpus, profile), start_us, end_us);
    }

    /// The same by an account.
    pub(crate) fn allocated_by(
        &mut self,
        account: &str,
        node_id: &str,
        allocation_id: &str,
        (gpus, profile): (u32, &str),
        start_us: Micros,
        end_us: Micros,
    ) {
        let place = self.place("gpu");
        let row = SpanRow {
            span: Span {
                allocation_id: allocation_id.to_owned(),
                account: account.to_owned(),
                node_id: node_id.to_owned(),
                state: "COMPLETED".to_owned(),
                gpus,
                start_us,
                end_us: Some(end_us),
                elapsed_s: u64::try_from((end_us - start_us) / 1_000_000).unwrap(),
            },
            device: if profile.is_empty() { String::new() } else { "GPU-1".to_owned() },
            profile: profile.to_owned(),
        };
        self.allocations.push((place.clone(), AllocationRow { row, block: place.block }));
    }
}
