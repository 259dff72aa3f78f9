#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: command_size.sh <command> <strip> <scratch file> <ON if its libraries are inside>
# The command is one small file to copy to a machine.
set -eu
command=$1 strip=$2 stripped=$3 static=$4

"$strip" -o "$stripped" "$command"
bytes=$(stat -c %s "$stripped")
echo "stripped: $bytes bytes"
test "$bytes" -le 4000000 || { echo "more than 4 MB"; exit 1; }
if test "$static" = ON; then
  # OpenSSL is the machine's, so that it is kept up to date with it.
  others=$(ldd "$stripped" | grep -Ev 'linux-vdso|libc\.so|libm\.so|ld-linux|lib(ssl|crypto)\.so\.3' ||
    true)
  test -z "$others" || { echo "needs more than libc and OpenSSL: $others"; exit 1; }
fi
