#!/usr/bin/env bash
# Fuzzes every target, or the given ones, for FUZZ_SECONDS (60) each. What is found stays in fuzz/artifacts and stops the run;
# what was learned stays in fuzz/corpus and makes the next run start further on.
set -euo pipefail
cd "$(dirname "$0")"
targets=("$@")
if [ "${#targets[@]}" -eq 0 ]; then
    mapfile -t targets < <(cargo +nightly fuzz list)
fi
for target in "${targets[@]}"; do
    echo "fuzz: $target, ${FUZZ_SECONDS:-60} s"
    mkdir -p "corpus/$target" "seeds/$target"
    # No input may take 5 s or 1 GB; the lengths let a session file and a record of many events in.
    cargo +nightly fuzz run "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="${FUZZ_SECONDS:-60}" -timeout=5 -rss_limit_mb=1024 -max_len=16384 -print_final_stats=1
done
