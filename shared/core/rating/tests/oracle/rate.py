"""A second opinion on every formula of a contract, by exact fractions.

Reads one JSON object per line: {"contract": ..., "period": [start, end], "stretch": [start, end],
"prices": [...], "grants": [...], "deposits": [...], "usage": ...}, the documents as they are stored.
Writes one line per case: the amounts of the lines in minor units, separated by spaces, or `no-price`
where a price is missing.
"""

import json
import math
import sys
from datetime import datetime, timedelta, timezone
from fractions import Fraction as F
from zoneinfo import ZoneInfo

D1 = 0xFFFF << 208
STEP = 300_000_000
HOUR = 3_600_000_000
PLACES = {"BTC": 8, "PYG": 0, "JPY": 0, "KWD": 3, "OMR": 3, "BHD": 3}
ENERGY = ("metered_energy", "nameplate_energy", "time_of_use", "indexed_energy")
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class NoPrice(Exception):
    pass


def boundary(at):
    return -(-at // STEP) * STEP


def instant(text):
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (at - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)


def target(nbits):
    length, mantissa = nbits >> 24, nbits & 0x7FFFFF
    return mantissa << 8 * (length - 3) if length >= 3 else mantissa >> 8 * (3 - length)


class Bill:
    def __init__(self, case):
        self.usage, self.contract = case["usage"], case["contract"]
        self.period, (self.start, self.end) = case["period"], case["stretch"]
        self.prices, self.grants, self.deposits = case["prices"], case["grants"], case["deposits"]
        self.part = F(self.end - self.start, self.period[1] - self.period[0])
        self.zone = ZoneInfo(self.contract["time_zone"])
        # Component id -> list of (unrounded, minor units, currency).
        self.done = {}

    def lines(self):
        out = []
        for component in self.contract["components"]:
            self.c = component
            made = getattr(self, component["kind"])()
            if not isinstance(made, list):
                made = [(made, component["currency"])]
            rounded = [(exact, round(exact * 10 ** PLACES.get(cur, 2)), cur) for exact, cur in made]
            self.done[component["id"]] = rounded
            out += [minor for _, minor, _ in rounded]
        return out

    def num(self, name):
        return F(self.c[name])

    def billed(self):
        """The rounded amounts of the named components, in whole currency."""
        cur = self.c["currency"]
        minor = sum(m for i in self.c["of"] for _, m, other in self.done[i] if other == cur)
        return F(minor, 10 ** PLACES.get(cur, 2))

    def price(self, series, at, max_age=None):
        best = None
        for p in self.prices:
            key = (p["valid_from_us"], p["order"])
            if p["series"] == series and boundary(p["valid_from_us"]) <= at and (best is None or key > best[0]):
                best = (key, p)
        if best is None:
            raise NoPrice
        p = best[1]
        ended = p["valid_to_us"] is not None and boundary(p["valid_to_us"]) <= at
        old = max_age is not None and at - boundary(p["valid_from_us"]) >= int(max_age) * 1_000_000
        if ended or old:
            raise NoPrice
        return F(p["value"])

    def total(self, table, field):
        return sum(int(row[field]) for row in self.usage[table])

    def kwh(self):
        return F(self.total("energy", "energy_mwh"), 10**6)

    def fleet_kwh(self, field):
        # Watts x hours / 1000.
        return sum((F(g["rated_power_mw"], 1000) * F(int(g[field]), HOUR) / 1000 for g in self.usage["fleet"]), F(0))

    def hours(self):
        return F(self.end - self.start, HOUR)

    def power_kwh(self):
        return self.num("contracted_kw") * self.hours() if "contracted_kw" in self.c else self.fleet_kwh("assigned_us")

    def pool_earnings(self):
        sat = F(0)
        for g in self.usage["work"]:
            if g["chain"] == "main":
                blocks = F(int(g["credited_q32"]), 2**32) * target(g["nbits"]) / D1
                sat += blocks * (g["subsidy_sat"] + int(self.c["mean_fees_sat"]))
        return sat / 10**8

    def metered_energy(self):
        return self.kwh() * self.num("unit_price")

    def energy_uplift(self):
        base = self.done[self.c["of"]][0][0]
        if "pue" in self.c:
            return base * self.num("pue") - base
        if "loss_percent" in self.c:
            return base * self.num("loss_percent") / 100
        pue = F(self.total("sites", "site_mwh"), self.total("sites", "machines_mwh"))
        if "max_pue" in self.c:
            pue = min(pue, self.num("max_pue"))
        return base * pue - base

    def nameplate_energy(self):
        return self.fleet_kwh("operational_us") * self.num("unit_price")

    def time_of_use(self):
        amount = F(0)
        for s in self.usage["energy_slices"]:
            local = (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=s["start_us"])).astimezone(self.zone)
            rate = next(r for r in self.c["rates"] if not r.get("windows") or any(self.within(w, local) for w in r["windows"]))
            amount += F(int(s["energy_mwh"]), 10**6) * F(rate["unit_price"])
        return amount

    def within(self, window, local):
        minutes = lambda text: int(text[:2]) * 60 + int(text[3:5])
        first, last, now = minutes(window["from"]), minutes(window["to"]), local.hour * 60 + local.minute

        def day_fits(date):
            if window.get("months") and date.month not in window["months"]:
                return False
            if not window.get("days"):
                return True
            name = "holiday" if date.isoformat() in self.c.get("holidays", []) else WEEK[date.weekday()]
            return name in window["days"]

        today = local.date()
        if first < last:
            return first <= now < last and day_fits(today)
        return (now >= first and day_fits(today)) or (now < last and day_fits(today - timedelta(days=1)))

    def indexed_energy(self):
        amount, divisor = F(0), 1000 if self.c["unit"].endswith("/MWh") else 1
        for s in self.usage["energy_slices"]:
            if int(s["energy_mwh"]):
                price = self.price(self.c["series"], s["start_us"], self.c.get("max_age_s")) + self.num("adder")
                if "floor" in self.c:
                    price = max(price, self.num("floor"))
                if "cap" in self.c:
                    price = min(price, self.num("cap"))
                amount += F(int(s["energy_mwh"]), 10**6) * price / divisor
        return amount

    def take_or_pay(self):
        owed = self.power_kwh() * self.num("percent") / 100
        if self.c.get("leave_out_curtailed"):
            owed -= F(self.total("curtailed", "curtailed_mwh"), 10**6)
        return max(F(0), owed - self.kwh()) * self.num("unit_price")

    def management_fee(self):
        if "percent" in self.c:
            return self.billed() * self.num("percent") / 100
        return self.power_kwh() / F(self.period[1] - self.period[0], HOUR) * self.num("unit_price")

    def profit_share(self):
        series = self.c["fixing_series"]
        if self.c["income"] == "proven_work":
            income = self.done[self.c["earnings"]][0][0] * self.price(series, self.end)
        else:
            each = self.c["fixing_at"] == "receipt"
            income = sum(
                (F(r["amount_sat"], 10**8) * self.price(series, r["at_us"] if each else self.end) for r in self.usage["receipts"]),
                F(0),
            )
        net = income - self.kwh() * self.num("power_price")
        if net < 0 and self.c["losses"] == "not_shared":
            net = F(0)
        scale = 10 ** PLACES.get(self.c["currency"], 2)
        shares = [net * F(p["percent"]) / 100 * scale for p in self.c["parties"]]
        parts = [math.floor(s) for s in shares]
        order = sorted(range(len(parts)), key=lambda i: (parts[i] - shares[i], i))
        for i in order[: round(net * scale) - sum(parts)]:
            parts[i] += 1
        mine = next(p for p, party in zip(parts, self.c["parties"]) if party["name"] == self.c["billed_party"])
        return F(mine, scale) * (-1 if self.c["direction"] == "credit" else 1)

    def tier_credit(self, level):
        reached = [F(t["credit_percent"]) for t in self.c["tiers"] if level < F(t["below_percent"])]
        return -self.billed() * (reached[-1] if reached else 0) / 100

    def uptime_credit(self):
        held = self.total("uptime", "expected_us") - self.total("uptime", "left_out_us")
        level = F(100 * self.total("uptime", "up_us"), held) if held else F(100)
        if "tiers" in self.c:
            return self.tier_credit(level)
        wanted = self.num("proportional_below_percent")
        return -self.billed() * max(F(0), wanted - level) / wanted

    def curtailment_share(self):
        value = F(0)
        for s in self.usage["curtailed"]:
            if int(s["curtailed_mwh"]):
                spread = self.price(self.c["series"], s["start_us"], self.c.get("max_age_s")) - self.num("strike")
                if self.c["negative_spread"] == "zero":
                    spread = max(F(0), spread)
                value += F(int(s["curtailed_mwh"]), 10**9) * spread
        return -value * self.num("share_percent") / 100

    def once(self, name):
        return self.start <= boundary(instant(self.c[name])) < self.end

    def deposit(self):
        if not self.once("due"):
            return []
        kw = self.power_kwh() / self.hours()
        held = sum(int(d["held_minor"]) for d in self.deposits if d["component"] == self.c["id"])
        need = kw * self.num("hours_per_month") * self.num("months") * self.num("unit_price")
        return max(F(0), need - F(held, 10 ** PLACES.get(self.c["currency"], 2)))

    def gpu_reserved(self):
        first = boundary(instant(self.c["from"])) if "from" in self.c else self.start
        last = boundary(instant(self.c["to"])) if "to" in self.c else self.end
        length = max(0, min(last, self.end) - max(first, self.start))
        return int(self.c["gpus"]) * F(length, HOUR) * self.num("unit_price")

    def length(self, spans, until):
        ends = lambda s: until if s["end_us"] is None else min(s["end_us"], until)
        return sum(max(0, ends(s) - s["start_us"]) for s in spans)

    def by_allocation(self, profile):
        keys = {}
        for s in self.usage["gpu_spans"]:
            if s["profile"] == profile:
                keys.setdefault((s["allocation_id"], s["device"], s["gpus"]), []).append(s)
        return keys

    def reserved_at(self, ids, at):
        gpus = 0
        for c in self.contract["components"]:
            if c["id"] in ids and c["kind"] == "gpu_reserved":
                begun = "from" not in c or boundary(instant(c["from"])) <= at
                over = "to" in c and boundary(instant(c["to"])) <= at
                gpus += int(c["gpus"]) if begun and not over else 0
        return gpus

    def above(self, profile, ids):
        """For every GPU of every allocation, one by one: the times in which no reservation covers it."""
        groups = self.by_allocation(profile)
        turn = sorted(groups, key=lambda k: (min(s["start_us"] for s in groups[k]), k))
        edges = {self.start, self.end}
        for spans in groups.values():
            for s in spans:
                edges |= {s["start_us"], self.end if s["end_us"] is None else s["end_us"]}
        for c in self.contract["components"]:
            edges |= {boundary(instant(c[name])) for name in ("from", "to") if c["kind"] == "gpu_reserved" and name in c}
        edges = sorted(edge for edge in edges if edge <= self.end)
        seats = {(key, seat): [] for key in turn for seat in range(key[2])}
        for low, high in zip(edges, edges[1:]):
            left = self.reserved_at(ids, low)
            for key in turn:
                if any(s["start_us"] <= low and (s["end_us"] is None or low < s["end_us"]) for s in groups[key]):
                    for seat in reversed(range(key[2])):
                        if left > 0:
                            left -= 1
                        else:
                            seats[key, seat].append((low, high))
        return seats

    def rounded_hours(self, profile, ids=()):
        unit = {"second": HOUR // 3600, "minute": HOUR // 60, "hour": HOUR}[self.c["rounding"]]
        units = 0
        for times in self.above(profile, ids).values():
            upto = lambda at: -(-sum(max(0, min(high, at) - low) for low, high in times) // unit)
            units += upto(self.end) - upto(self.start)
        return F(units * unit, HOUR)

    def gpu_on_demand(self):
        return self.rounded_hours("", self.c.get("covered_by", ())) * self.num("unit_price")

    def mig_slice(self):
        return self.rounded_hours(self.c["profile"]) * F(self.c["fraction"]) * self.num("unit_price")

    def gpu_sla_credit(self):
        promised, available = self.total("gpu_availability", "promised_us"), self.total("gpu_availability", "available_us")
        held = [c for c in self.contract["components"] if c["kind"] == "gpu_reserved" and c["id"] in self.c["of"]]
        if held:
            promised, available = self.reserved_time(held)
        return self.tier_credit(F(100 * available, promised) if promised else F(100))

    def reserved_time(self, held):
        bound = {node for c in held for node in c.get("nodes", ())}
        edges = {self.start, self.end}
        for o in self.usage["gpu_outages"]:
            edges |= {o["start_us"], o["end_us"]}
        for c in held:
            edges |= {boundary(instant(c[name])) for name in ("from", "to") if name in c}
        edges = sorted(edge for edge in edges if self.start <= edge <= self.end)
        promised = available = 0
        for low, high in zip(edges, edges[1:]):
            down = {}
            for o in self.usage["gpu_outages"]:
                if o["start_us"] <= low < o["end_us"]:
                    down[o["node_id"]] = down.get(o["node_id"], 0) + o["gpus"]
            free = 0
            for c in held:
                gpus = self.reserved_at([c["id"]], low)
                promised += gpus * (high - low)
                if c.get("nodes"):
                    available += max(0, gpus - sum(down.get(node, 0) for node in c["nodes"])) * (high - low)
                else:
                    free += gpus
            lost = sum(gpus for node, gpus in down.items() if node not in bound)
            available += max(0, free - lost) * (high - low)
        return promised, available

    def ph_days(self, q32):
        hashes = F(q32, 2**32) * F(2**48, 65535)
        return hashes / 10**15 / 86400

    def main_work(self):
        return sum(int(g["credited_q32"]) for g in self.usage["work"] if g["chain"] == "main")

    def hashrate_fee(self):
        if "unit_price" in self.c:
            return self.ph_days(self.main_work()) * self.num("unit_price")
        amount = F(0)
        for s in self.usage["work_slices"]:
            if s["chain"] == "main" and int(s["credited_q32"]):
                price = self.price(self.c["series"], s["start_us"], self.c.get("max_age_s"))
                amount += self.ph_days(int(s["credited_q32"])) * price
        return amount * self.num("percent") / 100

    def fixed_fee(self):
        return self.num("amount") * self.part

    def one_off(self):
        if not self.once("at"):
            return []
        return self.num("amount") * (-1 if self.c["direction"] == "credit" else 1)

    def measured(self):
        kind = self.c["measure"]
        if kind == "energy_kwh":
            return self.kwh()
        if kind == "gpu_hours":
            times = [t for seat in self.above("", self.c.get("covered_by", ())).values() for t in seat]
            return F(sum(max(0, min(high, self.end) - max(low, self.start)) for low, high in times), HOUR)
        if kind == "work_ph_days":
            return self.ph_days(self.main_work())
        if kind == "machine_months":
            return F(self.total("fleet", "assigned_us"), self.period[1] - self.period[0])
        return F(sum(int(g["value_micro"]) for g in self.usage["counts"] if g["meter"] == self.c["meter"]), 10**6)

    def tier_of(self, quantity):
        return next(t for t in self.c["tiers"] if "up_to" not in t or quantity <= F(t["up_to"]) * self.part)

    def tiered(self):
        quantity = self.measured()
        return F(self.tier_of(quantity)["flat"]) * self.part if quantity else F(0)

    def volume(self):
        quantity = self.measured()
        if not quantity:
            return F(0)
        tier = self.tier_of(quantity)
        return quantity * F(tier["unit_price"]) + F(tier.get("flat", 0)) * self.part

    def graduated(self):
        quantity, low, amount = self.measured(), F(0), F(0)
        for tier in self.c["tiers"]:
            if quantity > low:
                high = min(quantity, F(tier["up_to"]) * self.part) if "up_to" in tier else quantity
                amount += (high - low) * F(tier["unit_price"]) + F(tier.get("flat", 0)) * self.part
                low = F(tier["up_to"]) * self.part if "up_to" in tier else quantity
        return amount

    def package(self):
        over = max(F(0), self.measured() - F(self.c.get("free", 0)) * self.part)
        return math.ceil(over / self.num("size")) * self.num("package_price")

    def minimum_spend(self):
        return max(F(0), self.num("amount") * self.part - self.billed())

    def maximum_spend(self):
        return -max(F(0), self.billed() - self.num("amount") * self.part)

    def prepaid_credit(self):
        scale = 10 ** PLACES.get(self.c["currency"], 2)
        owed = max(0, self.billed() * scale)
        usable = [
            int(g["balance_minor"])
            for g in self.grants
            if g["currency"] == self.c["currency"]
            and g["valid_from_us"] < self.end
            and (g["expires_us"] is None or g["expires_us"] > self.start)
        ]
        return -F(min(owed, sum(usable)), scale)

    def tax(self):
        base = self.billed()
        return [(base * F(j["percent"]) / 100, self.c["currency"]) for j in self.c["jurisdictions"]]

    def btc_settlement(self):
        owed = self.billed()
        at = instant(self.c["fixing_at"]) if "fixing_at" in self.c else self.period[1]
        return [(-owed, self.c["currency"]), (owed / self.price(self.c["series"], at), "BTC")]


for line in sys.stdin:
    try:
        print(*Bill(json.loads(line)).lines())
    except NoPrice:
        print("no-price")
