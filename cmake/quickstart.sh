#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# From a fresh clone on a Debian 12 machine to MasFlow at work, in one command.
set -euo pipefail

usage() {
  cat >&2 <<'TEXT'
usage: sudo cmake/quickstart.sh run [masflow arguments...]
       sudo cmake/quickstart.sh test [ctest arguments...]

Both install what is missing (apt-get) and build into build/release.
run   shows this machine's processes, TCP connections and HTTP for 10 seconds (--duration
      changes that), and starts three small commands of its own so that there is
      something to see.
test  runs all tests, also those on the running kernel.
TEXT
}

say() { printf 'quickstart: %s\n' "$*" >&2; }

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
masflow=$project/build/release/cli/masflow
log=$project/build/quickstart.log

# Who has checked this out shall own the build folder, also under sudo.
owner=$(stat -c %u "$project")
group=$(stat -c %g "$project")

as_owner() {
  if [ "$owner" = 0 ]; then
    "$@"
  else
    local home
    home=$(getent passwd "$owner" | cut -d: -f6) || home=
    HOME=${home:-/nonexistent} setpriv --reuid "$owner" --regid "$group" --clear-groups -- "$@"
  fi
}

give_back() {
  if [ "$owner" != 0 ] && [ -e "$project/build" ]; then
    chown -R "$owner:$group" "$project/build"
  fi
}

# On a terminal the command's progress is shown, elsewhere only its end if it fails.
logged() {
  if [ -t 2 ]; then
    "$@" >&2
  elif ! "$@" >>"$log" 2>&1; then
    tail -n 40 "$log" >&2
    say "'$*' failed; all of its output is in $log"
    return 1
  fi
}

install_missing() {
  local package missing=()
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    say "no apt-get here, so these Debian packages' like must be there already: $*"
    return
  fi
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
      missing+=("$package")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    logged apt-get -q -o DPkg::Lock::Timeout=300 update
    logged apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}"
  fi
}

build_packages=(cmake ninja-build g++ clang llvm bpftool libbpf-dev libelf-dev zlib1g-dev
  libabsl-dev libboost-dev libssl-dev nlohmann-json3-dev)
test_packages=(libgtest-dev libgmock-dev libbenchmark-dev pkg-config python3 curl iproute2
  netcat-openbsd nginx-light wrk nodejs redis-server redis-tools openssl runc busybox-static)
with_tests=(-DMASFLOW_BUILD_TESTS -DMASFLOW_BUILD_EXAMPLES -DMASFLOW_BUILD_BENCH)

# build <arguments for cmake --preset> -- <arguments for cmake --build>
build() {
  local options=()
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  shift
  say "building in build/release"
  logged as_owner cmake --preset release "${options[@]}"
  logged as_owner cmake --build --preset release -j "$(nproc)" "$@"
}

# Passes masflow's stderr on, and once it is ready gives it something to show.
relay() {
  local line started=
  trap '' INT TERM HUP
  while IFS= read -r line || [ -n "$line" ]; do
    printf '%s\n' "$line" >&2
    if [ -z "$started" ] && [[ $line == "masflow: ready"* ]]; then
      started=yes
      say "starting 'ls -la /', 'uname -a' and a connect that fails, to have something to see"
      ls -la / >/dev/null
      uname -a >/dev/null
      bash -c ': </dev/tcp/127.0.0.1/1' 2>/dev/null || true
    fi
  done
}

run() {
  local argument pid relay_pid errors status watching=yes
  install_missing "${build_packages[@]}"
  if [ -e build/release/CMakeCache.txt ]; then
    build -- --target masflow_cli
  else  # what only the tests need is not there, perhaps
    build "${with_tests[@]/%/=OFF}" -- --target masflow_cli
  fi
  give_back
  for argument in "$@"; do
    case $argument in
      doctor | --replay | --replay=* | --help | -h | --version) exec "$masflow" "$@" ;;
      --duration | --duration=*) watching= ;;
    esac
  done
  [ -z "$watching" ] || set -- --duration 10s "$@"

  exec {errors}> >(relay)
  relay_pid=$!
  # In a process group of its own (-m), so that a Ctrl-C reaches it once: from here.
  set -m
  setpriv --pdeathsig TERM -- "$masflow" "$@" 2>&"$errors" {errors}>&- &
  pid=$!
  set +m
  exec {errors}>&-
  trap 'kill -INT "$pid" 2>/dev/null || true' INT
  trap 'kill -TERM "$pid" 2>/dev/null || true' TERM HUP
  while :; do  # a signal interrupts wait
    status=0
    wait "$pid" || status=$?
    kill -0 "$pid" 2>/dev/null || break
  done
  wait "$relay_pid" || true  # its last lines
  exit "$status"
}

run_tests() {
  install_missing "${build_packages[@]}" "${test_packages[@]}"
  build "${with_tests[@]/%/=ON}" -- --target all --target all_verify_interface_header_sets
  trap give_back EXIT
  ctest --preset release "$@"
}

case ${1-} in
  run | test) ;;
  -h | --help) usage; exit 0 ;;
  *) usage; exit 2 ;;
esac
if [ "$(id -u)" != 0 ]; then
  say "needs root, to load eBPF programs and to install packages: sudo cmake/quickstart.sh $1"
  exit 1
fi
cd "$project"
mkdir -p build
: >"$log"
give_back
command=$1
shift
if [ "$command" = run ]; then run "$@"; else run_tests "$@"; fi
