#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What cmake/quickstart.sh says before it does anything.
set -eu

# Where anybody may read it, wherever the project is.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
install -D -m 755 "$(dirname "$0")/../../cmake/quickstart.sh" "$folder/cmake/quickstart.sh"
quickstart=$folder/cmake/quickstart.sh

# expect <exit code> <pattern on stderr> <command...>
expect() {
  local wanted=$1 pattern=$2 status=0 errors
  shift 2
  errors=$("$@" 2>&1 >/dev/null </dev/null) || status=$?
  if [ "$status" != "$wanted" ] || ! grep -q "$pattern" <<<"$errors"; then
    printf '%s: exit code %s\n%s\n' "$*" "$status" "$errors"
    exit 1
  fi
}

nobody=()
[ "$(id -u)" != 0 ] || nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --)

expect 2 '^usage: ' "$quickstart"
expect 2 '^usage: ' "$quickstart" walk
expect 0 '^usage: ' "$quickstart" --help
expect 1 'needs root' "${nobody[@]}" "$quickstart" run
expect 1 'needs root' "${nobody[@]}" "$quickstart" test
