"""Verifies a stored `invoice_issued` record from its file alone: id, digests and sums.

Stored names and values are ASCII with integer numbers, for which RFC 8785 is what `json.dumps`
writes with sorted keys and no white space. Prints what does not fit and exits with 1.
"""

import hashlib
import json
import sys
from collections import defaultdict

LINE_FIELDS = "id kind description quantity unit unit_price formula amount_minor currency inputs_digest".split()
BILL_FIELDS = "legal_entity customer_id contract_id contract_versions period totals".split()


def digest(value):
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def charged_line(line):
    # Only a line of tax has the field.
    return {field: line[field] for field in [*LINE_FIELDS, "tax"] if field != "tax" or field in line}


def differences(invoice):
    for line in invoice["lines"]:
        if len(line["inputs"]) == line["inputs_count"] and digest(line["inputs"]) != line["inputs_digest"]:
            yield f"inputs_digest of {line['id']}"
    charged = {field: invoice[field] for field in BILL_FIELDS}
    charged["lines"] = [charged_line(line) for line in invoice["lines"]]
    if digest(charged) != invoice["bill_digest"]:
        yield "bill_digest"
    evidence = invoice["evidence"]
    if evidence["blocks_count"] == len(evidence["blocks"]):
        if digest({k: evidence[k] for k in ("cut", "blocks", "chain_heads")}) != invoice["evidence_digest"]:
            yield "evidence_digest"
    identity = {
        "contract_id": invoice["contract_id"],
        "legal_entity": invoice["legal_entity"],
        "period": invoice["period"]["text"],
    }
    if "inv_" + digest(identity)[:20] != invoice["invoice_id"]:
        yield "invoice_id"
    sums = defaultdict(int)
    for line in invoice["lines"]:
        sums[line["currency"]] += int(line["amount_minor"])
    if {total["currency"]: int(total["amount_minor"]) for total in invoice["totals"]} != sums:
        yield "totals"


with open(sys.argv[1], encoding="utf-8") as file:
    record = json.load(file)
found = list(differences(record["body"]))
print("; ".join(found) or "verified")
sys.exit(1 if found else 0)
