# SPDX-License-Identifier: Apache-2.0

set(_masflow_gen_skeleton "${CMAKE_CURRENT_LIST_DIR}/GenSkeleton.cmake")

# What libbpf's bpf_tracing.h calls the target architecture.
function(_masflow_bpf_arch out)
  string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" processor)
  if(processor MATCHES "^(x86_64|amd64)$")
    set(${out} x86 PARENT_SCOPE)
  elseif(processor MATCHES "^(aarch64|arm64)$")
    set(${out} arm64 PARENT_SCOPE)
  else()
    message(FATAL_ERROR "MasFlow knows x86_64 and arm64, not '${CMAKE_SYSTEM_PROCESSOR}'")
  endif()
endfunction()

# <folder>/<name>.skel.h of a source, compiled with these options.
function(_masflow_bpf_skeleton source name folder)
  set(object "${folder}/${name}.bpf.o")
  set(skeleton "${folder}/${name}.skel.h")
  _masflow_bpf_arch(arch)
  # Both path options: else the build folder ends up in the object's line information.
  add_custom_command(OUTPUT "${object}"
    COMMAND "${MASFLOW_CLANG}" -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror
      -D__TARGET_ARCH_${arch} ${ARGN} -I "${CMAKE_CURRENT_SOURCE_DIR}"
      -I "${CMAKE_CURRENT_SOURCE_DIR}/include" -isystem "${Libbpf_INCLUDE_DIR}"
      "-ffile-prefix-map=${CMAKE_CURRENT_SOURCE_DIR}/=" -ffile-compilation-dir=.
      -MD -MF "${object}.d" -MT "${object}"
      -c "${CMAKE_CURRENT_SOURCE_DIR}/${source}" -o "${object}.debug"
    # Also what only a linker would need: a third of the object, which is part of the library.
    COMMAND "${MASFLOW_LLVM_STRIP}" -g -x --remove-section=.rel.BTF
      --remove-section=.rel.BTF.ext "${object}.debug" -o "${object}"
    DEPENDS "${source}"
    DEPFILE "${object}.d"
    COMMENT "Compiling ${name}.bpf.o"
    VERBATIM)
  add_custom_command(OUTPUT "${skeleton}"
    COMMAND "${CMAKE_COMMAND}" "-DBPFTOOL=${MASFLOW_BPFTOOL}" "-DGZIP=${MASFLOW_GZIP}"
      "-DOBJECT=${object}" "-DNAME=masflow_${name}_bpf" "-DOUTPUT=${skeleton}"
      -P "${_masflow_gen_skeleton}"
    DEPENDS "${object}" "${_masflow_gen_skeleton}"
    COMMENT "Generating ${name}.skel.h"
    VERBATIM)
endfunction()

#[[
masflow_bpf_skeletons(<target> <source>.bpf.c... [TWICE <source>.bpf.c...])

For each source makes <source>.skel.h (its skeleton is called masflow_<source>_bpf, as all
skeletons of a program share one name space), and an INTERFACE library <target> that brings
their folder. Those behind TWICE use what only kernels from 6.2 on have, and get a
<source>_plain.skel.h without that (bpf/read.bpf.h). With MASFLOW_SKELETON_DIR the headers are
taken from there instead.
]]
function(masflow_bpf_skeletons target)
  add_library(${target} INTERFACE)
  if(MASFLOW_SKELETON_DIR)
    target_include_directories(${target} SYSTEM INTERFACE "${MASFLOW_SKELETON_DIR}")
    return()
  endif()

  find_program(MASFLOW_CLANG NAMES clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14
    REQUIRED)
  find_program(MASFLOW_LLVM_STRIP
    NAMES llvm-strip llvm-strip-19 llvm-strip-18 llvm-strip-17 llvm-strip-16 llvm-strip-15
      llvm-strip-14
    REQUIRED)
  find_program(MASFLOW_BPFTOOL bpftool HINTS /usr/sbin /usr/local/sbin REQUIRED)
  find_program(MASFLOW_GZIP gzip REQUIRED)
  mark_as_advanced(MASFLOW_CLANG MASFLOW_LLVM_STRIP MASFLOW_BPFTOOL MASFLOW_GZIP)

  set(skeletons)
  set(out_dir "${CMAKE_CURRENT_BINARY_DIR}/skeletons")
  file(MAKE_DIRECTORY "${out_dir}")
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" TWICE)
  foreach(source IN LISTS arg_UNPARSED_ARGUMENTS arg_TWICE)
    string(REGEX REPLACE "\\.bpf\\.c$" "" name "${source}")
    set(with)
    if(source IN_LIST arg_TWICE)
      set(with -DMF_CASTS)
      _masflow_bpf_skeleton("${source}" "${name}_plain" "${out_dir}")
      list(APPEND skeletons "${out_dir}/${name}_plain.skel.h")
    endif()
    _masflow_bpf_skeleton("${source}" "${name}" "${out_dir}" ${with})
    list(APPEND skeletons "${out_dir}/${name}.skel.h")
  endforeach()
  add_custom_target(${target}_generate DEPENDS ${skeletons})
  add_dependencies(${target} ${target}_generate)
  target_include_directories(${target} SYSTEM INTERFACE "${out_dir}")
endfunction()
