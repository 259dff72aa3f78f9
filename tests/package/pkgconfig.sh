#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: pkgconfig.sh <pkg-config> <prefix> <c++> <source> <program>
# Builds and runs a host program with what pkg-config says about the package in <prefix>.
set -eu
pkg_config=$1 prefix=$2 cxx=$3 source=$4 program=$5

folder=$(dirname "$(find "$prefix" -name masflow.pc)")
export PKG_CONFIG_PATH="$folder"
flags=$("$pkg_config" --cflags --libs masflow-testing)
set -x
# shellcheck disable=SC2086 # several words
"$cxx" -std=c++20 "$source" -o "$program" $flags "-Wl,-rpath,$(dirname "$folder")"
"$program"
