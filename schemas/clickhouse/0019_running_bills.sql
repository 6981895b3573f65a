-- What contracts would be billed for their open months so far, computed at a cut up to a settlement boundary.
-- Of the rows of a contract and period the one of the highest cut holds, and of its rows the one computed
-- furthest; merges drop the others, and readers never rely on it. Nothing is lost with the table: it is
-- computed again.
CREATE TABLE IF NOT EXISTS running_bills
(
    contract_id      String,
    customer_id      String,
    period           String,
    cut              UInt64,
    until_us         Int64,
    completeness_ppm UInt32,
    body             String
)
ENGINE = ReplacingMergeTree(cut)
ORDER BY (customer_id, contract_id, period)
