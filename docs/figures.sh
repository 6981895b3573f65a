#!/usr/bin/env bash
# Runs every bench, or the given ones, and writes the figures into docs/src/figures.md.
#
#   docs/figures.sh [proof] [codec] [metering] [horizon] [seals] [close] [pipeline]
#
# Let nothing else run on the machine meanwhile: it would change the figures.
set -euo pipefail
cd "$(dirname "$0")/.."
page=docs/src/figures.md
benches=("$@")
if [ "${#benches[@]}" -eq 0 ]; then
    mapfile -t benches < <(sed -n 's/^<!-- figures of \([a-z]*\) -->$/\1/p' "$page")
fi
measured=$(mktemp)
trap 'rm -f "$measured"' EXIT
for bench in "${benches[@]}"; do
    grep -q "^<!-- figures of $bench -->$" "$page" || { echo "figures: $page has no place for $bench" >&2; exit 1; }
    echo "figures: $bench" >&2
    {
        echo "$(date -u +%Y-%m-%d), $(nproc) processors, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)"
        # Criterion says how far it is, too; only its results are kept.
        cargo bench -q -p wb-benches --bench "$bench" | grep -vE '^(Benchmarking|Gnuplot|Found|$| +[0-9]+ \()'
    } > "$measured"
    awk -v bench="$bench" -v measured="$measured" '
        $0 == "<!-- figures of " bench " -->" {
            print; print "```text"
            while ((getline line < measured) > 0) print line
            print "```"; skip = 1; next
        }
        skip && /^<!-- end -->$/ { skip = 0 }
        !skip { print }
    ' "$page" > "$page.new"
    mv "$page.new" "$page"
done
