"""Computes a month of a GPU customer from its facts alone, second by second, with Python's decimal.

Reads one JSON document: the hours of the month, the contract's prices, the allocations and outages (GPUs from one hour
to another), and what was credited afterwards, in order. Prints the lines of the invoice and, after each step, what
stands of each line with its tax. Shares nothing with the programs that bill.
"""

import json
import sys
from decimal import ROUND_HALF_EVEN, Decimal

CENT = Decimal("0.01")


def cents(amount):
    return amount.quantize(CENT, ROUND_HALF_EVEN)


def hours_above(month, reserved, allocations):
    """GPU-hours above the reserved GPUs, counted in every second of the month."""
    changes = [0] * (month * 3600 + 1)
    for one in allocations:
        changes[int(Decimal(one["from"]) * 3600)] += one["gpus"]
        changes[int(Decimal(one["to"]) * 3600)] -= one["gpus"]
    seconds, in_use = 0, 0
    for change in changes[:-1]:
        in_use += change
        seconds += max(0, in_use - reserved)
    return Decimal(seconds) / 3600


def lines_of(case, allocations):
    reserved = cents(case["gpus"] * case["hours"] * Decimal(case["reserved_price"]))
    above = hours_above(case["hours"], case["gpus"], allocations)
    on_demand = cents(above * Decimal(case["on_demand_price"]))
    all_hours = Decimal(case["gpus"] * case["hours"])
    lost = sum(one["gpus"] * (Decimal(one["to"]) - Decimal(one["from"])) for one in case["outages"])
    availability = 100 * (all_hours - lost) / all_hours
    reached = [tier for tier in case["tiers"] if availability < Decimal(tier["below"])]
    credit = max((Decimal(tier["credit"]) for tier in reached), default=Decimal(0))
    sla = -cents(reserved * credit / 100)
    return {"reserved": reserved, "on-demand": on_demand, "sla": sla}


def with_tax(case, lines):
    tax = cents(sum(lines.values()) * Decimal(case["tax"]) / 100)
    return {**lines, "tax": tax, "total": sum(lines.values()) + tax}


def main():
    case = json.load(sys.stdin)
    allocations = list(case["allocations"])
    computed = lines_of(case, allocations)
    credited = {name: Decimal(0) for name in computed}
    shown = [with_tax(case, computed)]
    for step in case["steps"]:
        if "allocation" in step:
            allocations.append(step["allocation"])
            computed = lines_of(case, allocations)
        else:
            credited[step["line"]] += Decimal(step["credit"])
        stands = {name: max(amount - credited[name], min(amount, Decimal(0))) for name, amount in computed.items()}
        shown.append(with_tax(case, stands))
    print(json.dumps([{name: str(cents(amount)) for name, amount in step.items()} for step in shown]))


main()
