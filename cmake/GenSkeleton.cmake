# SPDX-License-Identifier: Apache-2.0
#
# cmake -DBPFTOOL=… -DGZIP=… -DOBJECT=… -DNAME=… -DOUTPUT=… -P GenSkeleton.cmake
# Writes the skeleton of an object, whole or not at all, with the object compressed: what
# bpftool makes <NAME>__elf_bytes() becomes <NAME>__gzip_bytes(), so that nobody takes the one
# for the other (docs/design/0013-compressed-objects.md).
execute_process(
  COMMAND "${BPFTOOL}" gen skeleton "${OBJECT}" name "${NAME}"
  OUTPUT_VARIABLE header
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(
  COMMAND "${GZIP}" -9nc "${OBJECT}"  # -n: neither name nor time, for the same bytes each time
  OUTPUT_FILE "${OUTPUT}.gz"
  COMMAND_ERROR_IS_FATAL ANY)
file(SIZE "${OUTPUT}.gz" size)
file(READ "${OUTPUT}.gz" bytes HEX)
file(REMOVE "${OUTPUT}.gz")

# The function differs from version to version, but begins and ends so.
set(head "static inline const void *${NAME}__elf_bytes(size_t *sz)\n{\n")
string(FIND "${header}" "${head}" begin)
set(end -1)
if(NOT begin EQUAL -1)
  string(SUBSTRING "${header}" 0 ${begin} before)
  string(SUBSTRING "${header}" ${begin} -1 rest)
  string(FIND "${rest}" "\n}\n" end)
endif()
if(end EQUAL -1)
  message(FATAL_ERROR "no function ${NAME}__elf_bytes in what ${BPFTOOL} makes of ${OBJECT}")
endif()
string(SUBSTRING "${rest}" ${end} -1 after)

string(REPEAT "[0-9a-f]" 48 line)
string(REGEX REPLACE "(${line})" "\\1\\\\\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" bytes "${bytes}")
set(header "${before}${head}\t*sz = ${size};\n\treturn (const void *)\"\\\n${bytes}\";${after}")
string(REPLACE "elf_bytes" "gzip_bytes" header "${header}")
file(WRITE "${OUTPUT}.tmp" "${header}")
file(RENAME "${OUTPUT}.tmp" "${OUTPUT}")
