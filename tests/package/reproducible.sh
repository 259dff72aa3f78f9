#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: reproducible.sh <source> <scratch folder>
# Builds two copies of the source in different folders, and compares the stripped command, the
# objects of the library and the BPF skeletons byte for byte. The scratch folder is emptied.
set -euo pipefail
source=$(realpath "$1")
scratch=$(realpath -m "$2")

rm -rf "$scratch"
# Of different lengths, with the build inside and outside of the source.
copies=("$scratch/a" "$scratch/another-place/of/the source")
builds=("$scratch/a/build/one" "$scratch/b2")
for i in 0 1; do
  mkdir -p "${copies[$i]}"
  (cd "$source" && cp -a CMakeLists.txt LICENSE bpf cli cmake libmasflow "${copies[$i]}")
  cmake -S "${copies[$i]}" -B "${builds[$i]}" -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DMASFLOW_BUILD_TESTS=OFF -DMASFLOW_BUILD_EXAMPLES=OFF -DMASFLOW_BUILD_BENCH=OFF >/dev/null
  cmake --build "${builds[$i]}" -j "$(nproc)" --target masflow_cli >/dev/null
  (
    cd "${builds[$i]}"
    mkdir result
    strip -o result/masflow cli/masflow
    cp bpf/skeletons/*.skel.h result
    cd result && ar x ../libmasflow/libmasflow.a
  )
done

count=$(find "${builds[0]}/result" -type f | wc -l)
[ "$count" -gt 50 ] || { echo "only $count files to compare"; exit 1; }
diff -r "${builds[0]}/result" "${builds[1]}/result"
if grep -rqF "$scratch" "${builds[@]/%//result}"; then
  echo "the folder of the build is in:"
  grep -rlF "$scratch" "${builds[@]/%//result}"
  exit 1
fi
echo "$count files are the same: $(sha256sum <"${builds[0]}/result/masflow")"
