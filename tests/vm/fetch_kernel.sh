#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# fetch_kernel.sh <suite> <architecture> <folder>
#
# Puts Debian's cloud kernel of a suite into <folder>/vmlinuz, and its release into
# <folder>/release. The system's own package lists are neither used nor changed; only the
# addresses of its mirrors are taken from them. Status 77: the suite cannot be reached.
set -eu

suite=$1
architecture=$2
folder=$(realpath -m "$3")
[ ! -s "$folder/release" ] || exit 0
apt=$folder/apt
mkdir -p "$apt/lists/partial" "$apt/archives/partial"
: >"$apt/status"

# The addresses of this system's own mirrors: of the suites and of their security updates.
mirrors() {
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(SIGNED_BY)' 'Identifier: Packages' |
    awk -v security="$1" '
      /debian/ && ($2 ~ /-security$/) == security && $2 !~ /-(updates|backports)$/ { print $1 }' |
    sort -u
}

# sources <with security updates?>
sources() {
  local mirror
  for mirror in $(mirrors 0); do
    echo "deb [signed-by=$keyring] $mirror $suite main"
  done
  if [ "$1" = yes ] && [ "$suite" != sid ]; then
    for mirror in $(mirrors 1); do
      echo "deb [signed-by=$keyring] $mirror $suite-security main"
    done
  fi
}

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
options=(-q
  -o "APT::Architecture=$architecture" -o "APT::Architectures::=$architecture"
  -o "APT::Sandbox::User=root" -o "Acquire::Languages=none" -o "Acquire::Retries=2"
  -o "Dir::Etc::sourcelist=$apt/sources.list" -o "Dir::Etc::sourceparts=/dev/null"
  -o "Dir::State=$apt" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt")

unreachable() {
  echo "not reachable: Debian's $suite ($1); see $apt/log" >&2
  exit 77
}

# Into the current folder, and `release` set; what is wanting is said in `wanting`.
download() {
  local package parts
  sources "$1" >"$apt/sources.list"
  # Of a suite without one of its two sources the other may do: apt-get then only warns.
  apt-get "${options[@]}" update >>"$apt/log" 2>&1 || true
  package=$(apt-cache "${options[@]}" depends "linux-image-cloud-$architecture" 2>>"$apt/log" |
    sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
  wanting=${package:-linux-image-cloud-$architecture}
  [ -n "$package" ] || return 1
  release=${package#linux-image-}
  # Up to 6.19 one package holds all, from 7.0 on the kernel and the modules have their own.
  parts=$(apt-cache "${options[@]}" depends "$package" 2>>"$apt/log" |
    sed -n "s/^ *Depends: \(linux-\(binary\|modules\)-.*\)$/\1/p")
  rm -f ./*.deb
  # shellcheck disable=SC2086  # several words
  apt-get "${options[@]}" download "$package" $parts >>"$apt/log" 2>&1
}

cd "$apt/archives"
: >"$apt/log"
# A mirror's lists can name an update that it does not hold any more: then the release itself.
download yes || download no || unreachable "no $wanting"
rm -rf "$apt/tree" "$folder/modules"
for archive in ./*.deb; do
  dpkg-deb -x "$archive" "$apt/tree"
done
find "$apt/tree" -name "vmlinuz*" -type f -exec mv {} "$folder/vmlinuz" \;
mv "$(find "$apt/tree" -type d -path "*/modules/$release")" "$folder/modules"
rm -rf "$apt/tree" "$apt/lists" "$apt"/*.bin ./*.deb
echo "$release" >"$folder/release"
