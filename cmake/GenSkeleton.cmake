# SPDX-License-Identifier: Apache-2.0
#
# cmake -DBPFTOOL=… -DOBJECT=… -DNAME=… -DOUTPUT=… -P GenSkeleton.cmake
# Writes the skeleton of an object, whole or not at all.
execute_process(
  COMMAND "${BPFTOOL}" gen skeleton "${OBJECT}" name "${NAME}"
  OUTPUT_FILE "${OUTPUT}.tmp"
  COMMAND_ERROR_IS_FATAL ANY)
file(RENAME "${OUTPUT}.tmp" "${OUTPUT}")
