#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# cmake/arm64-root.sh <folder>
#
# Makes <folder> a root with what Debian 12 has for arm64 of all that MasFlow is built from and its
# tests run: for cmake/arm64.cmake and the virtual machines. Nothing in it is ever run here. The
# system's package lists and architectures are neither used nor changed; only the addresses of its
# mirrors are taken from them. Status 77: these have nothing for arm64.
set -eu

suite=bookworm
packages=(libc6-dev libstdc++-12-dev linux-libc-dev libbpf-dev libelf-dev zlib1g-dev libzstd-dev
  libabsl-dev libboost1.74-dev libssl-dev nlohmann-json3-dev libgtest-dev libgmock-dev
  busybox-static dash coreutils curl iproute2 netcat-openbsd)

root=$(realpath -m "$1")
apt=$root/var/apt
[ ! -e "$root/complete" ] || exit 0
rm -rf "$root"
mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$root/usr/bin" "$root/usr/lib" "$root/usr/sbin"
for name in bin lib sbin; do # as everywhere since Debian 12; the packages still name the former
  ln -s "usr/$name" "$root/$name"
done
: >"$apt/status"

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Identifier: Packages' |
  awk -v suite="$suite" -v keyring="$keyring" '
    /debian/ && $2 ~ "^(stable|" suite ")(-security|-updates)?$" {
      print "deb [signed-by=" keyring "] " $1 " " $2 " main" }' |
  sort -u >"$apt/sources.list"

options=(-q
  -o "APT::Architecture=arm64" -o "APT::Architectures::=arm64" -o "APT::Sandbox::User=root"
  -o "APT::Install-Recommends=0" -o "Acquire::Languages=none" -o "Acquire::Retries=2"
  -o "Dir::Etc::sourcelist=$apt/sources.list" -o "Dir::Etc::sourceparts=/dev/null"
  -o "Dir::State=$apt" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt")
if ! { apt-get "${options[@]}" update &&
  apt-get "${options[@]}" install -y --download-only "${packages[@]}"; } >"$apt/log" 2>&1; then
  echo "not to be had: Debian's $suite for arm64; see $apt/log" >&2
  exit 77
fi
for archive in "$apt"/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$archive" | tar -x --keep-directory-symlink -C "$root"
done
# They would lead out of the root.
find "$root" -type l -lname '/*' | while read -r link; do
  ln -sfnr "$root$(readlink "$link")" "$link"
done
rm -rf "$apt/lists" "$apt/archives" "$apt"/*.bin
touch "$root/complete"
