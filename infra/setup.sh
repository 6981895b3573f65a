#!/usr/bin/env bash
# Brings one Debian-like machine with a Rust toolchain to where `make demo` and `make test` can run: operating system
# packages, the Kafka broker's jars, the ClickHouse engine (libchdb), a font for documents in Chinese, Japanese and
# Korean, and the validator of PDFs (veraPDF) that the tests run. What is there already is left alone, so a second run
# needs no network. Every artefact is written under a temporary name, checked and then renamed: an interrupted run leaves
# nothing half done, and the next one goes on from the last finished step.
#
#   infra/setup.sh                          install what is missing
#   infra/setup.sh renew-kafka-checksums    after a change of infra/kafka/pom.xml: write libs.sha256 anew, for review
set -euo pipefail
export LC_ALL=C

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
stack="$root/.stack"
pom="$root/infra/kafka/pom.xml"
kafka_sums="$root/infra/kafka/libs.sha256"

readonly CHDB_PACKAGE='@chdb/lib-linux-x64-gnu'
readonly CHDB_VERSION='26.7.3-stable.1'
# SHA-512 of the package's tarball, as the npm registry publishes it.
readonly CHDB_INTEGRITY='sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw=='
# Size of the unpacked library in bytes: tells a whole file from a torn one without reading 566 MB at every start.
readonly CHDB_SO_BYTES=566330096

readonly FONT_PACKAGE='noto-cjk-sans-otc'
readonly FONT_VERSION='0.0.1'
readonly FONT_FILE='NotoSansCJK-Regular.ttc'
# SHA-256 of the font itself, Noto Sans CJK 2.004: the same file as in Debian's package fonts-noto-cjk.
readonly FONT_SHA256='b76b0433203017ca80401b2ee0dd69350349871c4b19d504c34dbdd80541690a'

readonly VERAPDF_ARTIFACT='org.verapdf.apps:greenfield-apps'
readonly VERAPDF_VERSION='1.28.2'
readonly VERAPDF_SHA256='687d4d8bcfec48c9f7e931cf78ed061f1eeccfba55d4cdc000ba9b4d8aa46ce6'
# The plugin's version as in infra/kafka/pom.xml.
readonly MAVEN_COPY='org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy'

readonly MIN_JAVA=17
readonly MIN_FREE_MIB=1500

say()  { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

work=''   # this run's temporary folder
child=''  # the long command at work, if any

clean_up() {
  # A background command of a script ignores Ctrl-C, so it is told.
  if [[ -n "$child" ]]; then kill "$child" 2>/dev/null || true; fi
  if [[ -n "$work" ]]; then rm -rf "$work"; fi
}

# Runs a long, silent command and prints a line every ten seconds; prints its output only if it fails.
# Its temporary files go to $work, which the exit trap removes.
with_progress() {
  local what="$1" started=$SECONDS pid rc=0
  shift
  # The lock's descriptor stays here: a child that outlives a killed script must not hold the lock.
  "$@" >"$work/output" 2>&1 9>&- &
  pid=$!
  child=$pid
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    if (( (SECONDS - started) % 10 == 9 )); then say "$what: at work for $((SECONDS - started + 1)) s"; fi
  done
  wait "$pid" || rc=$?
  child=''
  if (( rc != 0 )); then
    tail -n 40 "$work/output" >&2
    fail "$what failed (exit code $rc); the lines above are its last output. Is the package registry reachable?"
  fi
}

# The major version of a java executable, or nothing if it does not run.
java_major() {
  "$1" -version 2>&1 | sed -n 's/^[a-z]* version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' | head -n 1 || true
}

have_java() {
  local candidate major
  for candidate in ${JAVA_HOME:+"$JAVA_HOME/bin/java"} java; do
    have "$candidate" || continue
    major="$(java_major "$candidate")"
    if [[ -n "$major" ]] && (( major >= MIN_JAVA )); then return 0; fi
  done
  return 1
}

have_header() { printf '#include <%s>\n' "$1" | cc -E -x c - >/dev/null 2>&1; }

# Operating system packages -----------------------------------------------------------------------------------------

# Debian names of what is missing, one a line. Asks for the thing itself (a command, a header), not for the package: a
# toolchain that came another way is as good.
missing_packages() {
  local need_maven="$1" need_npm="$2" need_pip="$3" compiler=1
  if ! have cc || ! have c++; then compiler=0; echo g++; fi
  have make       || echo make
  have pkg-config || echo pkg-config
  # Without a compiler nobody can say whether the headers are there; apt leaves installed ones alone.
  { (( compiler )) && have_header openssl/ssl.h; } || echo libssl-dev
  { (( compiler )) && have_header zlib.h; }        || echo zlib1g-dev
  have perl       || echo perl
  have python3    || echo python3
  have curl       || echo curl
  [[ -s /etc/ssl/certs/ca-certificates.crt || -s /etc/pki/tls/certs/ca-bundle.crt ]] || echo ca-certificates
  have setpriv    || echo util-linux
  have strace     || echo strace
  have_java       || echo default-jre-headless
  if [[ "$need_maven" == yes ]] && ! have mvn; then echo maven; fi
  if [[ "$need_npm" == yes ]] && ! have npm; then echo npm; fi
  if [[ "$need_pip" == yes ]] && ! python3 -m pip --version >/dev/null 2>&1; then echo python3-pip; fi
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  if (( ${#missing[@]} == 0 )); then
    say 'system packages: nothing missing'
    return
  fi
  if (( $(id -u) != 0 )) || ! have apt-get; then
    printf 'setup: these are missing, and only root can install them with apt. Please run:\n\n    sudo apt-get update && sudo apt-get install --no-install-recommends -y %s\n\n' "${missing[*]}" >&2
    printf 'setup: (on another distribution: their equivalents), then the same command again.\n' >&2
    exit 1
  fi
  say "system packages: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  with_progress 'apt-get update' apt-get -o DPkg::Lock::Timeout=300 update -q
  with_progress 'apt-get install' apt-get -o DPkg::Lock::Timeout=300 install -q -y --no-install-recommends "${missing[@]}"
  mapfile -t missing < <(missing_packages "$@")
  if (( ${#missing[@]} != 0 )); then
    fail "still missing after apt-get install: ${missing[*]}. If it is a Java runtime: Kafka needs version $MIN_JAVA or newer; set JAVA_HOME to one."
  fi
}

# Kafka -------------------------------------------------------------------------------------------------------------

# What .stack/kafka/libs was made from.
kafka_want() { cat "$pom" "$kafka_sums" | sha256sum | cut -d ' ' -f 1; }

kafka_present() {
  [[ -f "$stack/kafka/libs/.complete" && "$(<"$stack/kafka/libs/.complete")" == "$(kafka_want)" ]] || return 1
  local _sum name
  while read -r _sum name; do
    [[ -s "$stack/kafka/libs/$name" ]] || return 1
  done <"$kafka_sums"
}

kafka_resolve() {
  # -U: a failure of an earlier try, which Maven remembers, is tried again. The plugin's version is the pom's.
  with_progress 'Kafka broker' mvn -B -q -U -f "$pom" org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies \
    "-DoutputDirectory=$work/libs"
}

# 0 if the jars in $work/libs are exactly the listed ones.
kafka_jars_match() {
  ( cd "$work/libs" && sha256sum --quiet --strict -c "$kafka_sums" >&2 \
      && diff <(find . -name '*.jar' -printf '%f\n' | sort) <(awk '{print $2}' "$kafka_sums" | sort) >&2 )
}

setup_kafka() {
  local version
  version="$(sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$pom")"
  if kafka_present; then
    say "Kafka broker $version: present"
    return
  fi
  say "Kafka broker $version: fetching its jars (about 45 MB)"
  kafka_resolve
  kafka_jars_match || fail "the jars that came are not the ones listed in infra/kafka/libs.sha256; nothing was installed. After a deliberate change of infra/kafka/pom.xml run: infra/setup.sh renew-kafka-checksums"
  kafka_want >"$work/libs/.complete"
  mkdir -p "$stack/kafka"
  rm -rf "$stack/kafka/libs"
  mv "$work/libs" "$stack/kafka/libs"
  say "Kafka broker $version: installed, every jar's SHA-256 as listed"
}

renew_kafka_checksums() {
  kafka_resolve
  ( cd "$work/libs" && sha256sum ./*.jar | sed 's| \./| |' | sort -k 2 ) >"$work/libs.sha256"
  mv "$work/libs.sha256" "$kafka_sums"
  say "wrote $(wc -l <"$kafka_sums") checksums to infra/kafka/libs.sha256; review the difference before you keep it"
}

# The ClickHouse engine ---------------------------------------------------------------------------------------------

chdb_supported() { [[ "$(uname -s)-$(uname -m)" == Linux-x86_64 ]]; }

chdb_present() {
  local so="$stack/chdb/libchdb.so"
  [[ -f "$stack/chdb/.complete" && "$(<"$stack/chdb/.complete")" == "$CHDB_VERSION" ]] \
    && [[ -f "$so" && "$(stat -c %s "$so")" == "$CHDB_SO_BYTES" ]]
}

setup_chdb() {
  if ! chdb_supported; then
    say "ClickHouse engine: no build for $(uname -s)-$(uname -m); give weighbridge the URL of a ClickHouse server instead"
    return
  fi
  if chdb_present; then
    say "ClickHouse engine $CHDB_VERSION: present"
    return
  fi
  say "ClickHouse engine $CHDB_VERSION: fetching (178 MB, 566 MB unpacked)"
  mkdir -p "$work/npm" "$stack/chdb"
  with_progress 'ClickHouse engine' npm pack --ignore-scripts --prefer-offline --no-audit --no-fund --loglevel=error \
    --pack-destination "$work/npm" "$CHDB_PACKAGE@$CHDB_VERSION"
  local tarball found want
  tarball="$(find "$work/npm" -name '*.tgz' -print -quit)"
  [[ -n "$tarball" ]] || fail "npm pack of $CHDB_PACKAGE@$CHDB_VERSION left no tarball"
  found="$(sha512sum "$tarball" | cut -d ' ' -f 1)"
  want="$(printf '%s' "${CHDB_INTEGRITY#sha512-}" | base64 -d | od -An -v -tx1 | tr -d ' \n')"
  [[ "$found" == "$want" ]] || fail "the tarball of $CHDB_PACKAGE@$CHDB_VERSION has SHA-512 $found, not the pinned $want; nothing was installed"
  say 'ClickHouse engine: checksum as pinned, unpacking'
  tar -xzOf "$tarball" package/libchdb.so >"$work/libchdb.so"
  [[ "$(stat -c %s "$work/libchdb.so")" == "$CHDB_SO_BYTES" ]] \
    || fail "libchdb.so unpacked to $(stat -c %s "$work/libchdb.so") bytes instead of $CHDB_SO_BYTES; is the disk full?"
  chmod 0644 "$work/libchdb.so"
  rm -f "$stack/chdb/.complete"
  mv "$work/libchdb.so" "$stack/chdb/libchdb.so"
  printf '%s\n' "$CHDB_VERSION" >"$work/chdb.complete"
  mv "$work/chdb.complete" "$stack/chdb/.complete"
  say "ClickHouse engine $CHDB_VERSION: installed"
}

# Fonts and the validator of PDFs -------------------------------------------------------------------------------------

# 0 if a file has this SHA-256.
is_pinned() { [[ -f "$1" && "$(sha256sum "$1" | cut -d ' ' -f 1)" == "$2" ]]; }

font_present() { is_pinned "$stack/fonts/$FONT_FILE" "$FONT_SHA256"; }

setup_font() {
  if font_present; then
    say "font $FONT_FILE: present"
    return
  fi
  say "font $FONT_FILE: fetching (16 MB)"
  mkdir -p "$work/wheel" "$work/fonts" "$stack/fonts"
  with_progress 'font' python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$work/wheel" \
    "$FONT_PACKAGE==$FONT_VERSION"
  python3 -m zipfile -e "$(find "$work/wheel" -name '*.whl' -print -quit)" "$work/fonts"
  local font licence
  font="$(find "$work/fonts" -name "$FONT_FILE" -print -quit)"
  licence="$(find "$work/fonts" -name LICENSE -print -quit)"
  is_pinned "$font" "$FONT_SHA256" || fail "$FONT_FILE of $FONT_PACKAGE $FONT_VERSION is not the pinned one; nothing was installed"
  # Its licence, the SIL Open Font License, goes where the font goes.
  mv "$licence" "$stack/fonts/LICENSE"
  mv "$font" "$stack/fonts/$FONT_FILE"
  say "font $FONT_FILE: installed, SHA-256 as pinned"
}

verapdf_present() { is_pinned "$stack/verapdf/verapdf.jar" "$VERAPDF_SHA256"; }

setup_verapdf() {
  if verapdf_present; then
    say "veraPDF $VERAPDF_VERSION: present"
    return
  fi
  say "veraPDF $VERAPDF_VERSION: fetching (9 MB)"
  mkdir -p "$work/verapdf" "$stack/verapdf"
  with_progress 'veraPDF' mvn -B -q -U "$MAVEN_COPY" "-Dartifact=$VERAPDF_ARTIFACT:$VERAPDF_VERSION" "-DoutputDirectory=$work/verapdf"
  local jar
  jar="$(find "$work/verapdf" -name '*.jar' -print -quit)"
  is_pinned "$jar" "$VERAPDF_SHA256" || fail "the jar of $VERAPDF_ARTIFACT $VERAPDF_VERSION is not the pinned one; nothing was installed"
  mv "$jar" "$stack/verapdf/verapdf.jar"
  say "veraPDF $VERAPDF_VERSION: installed, SHA-256 as pinned"
}

# -------------------------------------------------------------------------------------------------------------------

main() {
  have cargo || fail 'no Rust toolchain: cargo is not on the PATH. Install Rust 1.95 or newer, then run this again.'
  local need_maven=no need_npm=no need_pip=no
  { kafka_present && verapdf_present; } || need_maven=yes
  font_present || need_pip=yes
  if chdb_supported && ! chdb_present; then need_npm=yes; fi
  if [[ "${1:-}" == renew-kafka-checksums ]]; then need_maven=yes; fi

  if [[ "$need_maven$need_npm$need_pip" != nonono ]]; then
    mkdir -p "$stack" || fail "cannot write to $root: run this as the user whose checkout it is, or as root"
    local free_mib
    free_mib="$(df -Pm "$stack" | awk 'NR == 2 { print $4 }')"
    (( free_mib >= MIN_FREE_MIB )) || fail "only $free_mib MiB are free under $stack; $MIN_FREE_MIB MiB are needed"
    # One set-up at a time; the loser waits and then finds everything present. The lock goes with the process.
    exec 9>"$stack/.lock"
    if ! flock -n 9; then say 'another set-up is at work here; waiting for it'; flock 9; fi
    # The lock is ours, so what a killed run left is nobody's.
    rm -rf "$stack"/.work.*
    # On the same file system as its target, so that mv is a rename.
    work="$(mktemp -d "$stack/.work.XXXXXX")"
  else
    work="$(mktemp -d)"
  fi
  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP

  install_packages "$need_maven" "$need_npm" "$need_pip"
  if [[ "${1:-}" == renew-kafka-checksums ]]; then
    renew_kafka_checksums
    return
  fi
  setup_kafka
  setup_chdb
  setup_font
  setup_verapdf
}

case "${1:-}" in
  '' | renew-kafka-checksums) main "$@" ;;
  *) fail "unknown argument '$1'; usage: infra/setup.sh [renew-kafka-checksums]" ;;
esac
