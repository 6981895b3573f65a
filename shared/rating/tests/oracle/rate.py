"""A second opinion on the rating formulas, by exact fractions.

Reads one JSON object per line: {"work": [[chain, nbits, subsidy_sat, credited_q32], ...],
"mean_fees_sat": "0", "energy_mwh": [..], "price": "0.0725", "places": 2}; all numbers are decimal
text. Writes one line per case: satoshi, minor units of the energy amount, separated by a space.
"""

import json
import sys
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

D1 = 0xFFFF << 208


def target(nbits):
    length, mantissa = nbits >> 24, nbits & 0x7FFFFF
    return mantissa << 8 * (length - 3) if length >= 3 else mantissa >> 8 * (3 - length)


def earnings_sat(case):
    blocks_and_pay = Fraction(0)
    for chain, nbits, subsidy, credit in case["work"]:
        if chain == "main":
            difficulty = Fraction(int(credit), 2**32)
            blocks = difficulty * target(int(nbits)) / D1
            blocks_and_pay += blocks * (int(subsidy) + int(case["mean_fees_sat"]))
    # Python rounds fractions half to even.
    return round(blocks_and_pay)


def energy_minor(case):
    wide = Context(prec=400)
    kwh = sum((Decimal(int(e)) for e in case["energy_mwh"]), Decimal(0))
    kwh = wide.divide(kwh, Decimal(10**6))
    amount = wide.multiply(kwh, Decimal(case["price"]))
    step = Decimal(1).scaleb(-int(case["places"]))
    return int(wide.multiply(amount.quantize(step, ROUND_HALF_EVEN, wide), Decimal(10 ** int(case["places"]))))


for line in sys.stdin:
    case = json.loads(line)
    print(earnings_sat(case), energy_minor(case))
