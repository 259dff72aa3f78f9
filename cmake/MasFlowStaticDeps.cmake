# SPDX-License-Identifier: Apache-2.0
#
# Debian's packages have archives beside the shared libraries, but Abseil's CMake targets name
# only the latter.

# masflow_static_twin(<out> <target>): sets <out> to a target that is like <target> but links
# archives, for libbpf, zlib and Abseil with all that it depends on. Anything else is returned
# as it is.
function(masflow_static_twin out target)
  string(REPLACE "::" "_" twin "${target}")
  set(twin "MasFlowStatic::${twin}")
  set(${out} "${target}" PARENT_SCOPE)
  if(TARGET ${twin})
    set(${out} ${twin} PARENT_SCOPE)
    return()
  elseif(target STREQUAL "Libbpf::Libbpf")
    if(NOT TARGET Libbpf::static)
      message(FATAL_ERROR "MASFLOW_STATIC_DEPS needs libbpf.a, libelf.a and libz.a")
    endif()
    set(${out} Libbpf::static PARENT_SCOPE)
    return()
  elseif(target STREQUAL "ZLIB::ZLIB")
    add_library(${twin} STATIC IMPORTED GLOBAL)
    set_target_properties(${twin} PROPERTIES
      IMPORTED_LOCATION "${Libbpf_Z_ARCHIVE}"  # the one that libbpf's brings
      INTERFACE_INCLUDE_DIRECTORIES "${ZLIB_INCLUDE_DIRS}")
    set(${out} ${twin} PARENT_SCOPE)
    return()
  elseif(NOT target MATCHES "^absl::" OR NOT TARGET ${target})
    return()
  endif()

  get_target_property(type ${target} TYPE)
  if(type STREQUAL "SHARED_LIBRARY")
    get_target_property(configurations ${target} IMPORTED_CONFIGURATIONS)
    list(GET configurations 0 configuration)
    get_target_property(library ${target} IMPORTED_LOCATION_${configuration})
    string(REGEX REPLACE "\\.so(\\..*)?$" ".a" archive "${library}")
    if(NOT EXISTS "${archive}")
      message(FATAL_ERROR "MASFLOW_STATIC_DEPS needs ${archive}, which is not there")
    endif()
    add_library(${twin} STATIC IMPORTED GLOBAL)
    set_target_properties(${twin} PROPERTIES IMPORTED_LOCATION "${archive}")
  elseif(type STREQUAL "INTERFACE_LIBRARY")
    add_library(${twin} INTERFACE IMPORTED GLOBAL)
  else()
    return()
  endif()

  foreach(property IN ITEMS INTERFACE_INCLUDE_DIRECTORIES INTERFACE_COMPILE_DEFINITIONS
      INTERFACE_COMPILE_OPTIONS INTERFACE_COMPILE_FEATURES INTERFACE_LINK_OPTIONS)
    get_target_property(value ${target} ${property})
    if(value)
      set_property(TARGET ${twin} PROPERTY ${property} "${value}")
    endif()
  endforeach()
  get_target_property(links ${target} INTERFACE_LINK_LIBRARIES)
  if(links)
    foreach(link IN LISTS links)
      masflow_static_twin(link_twin "${link}")
      set_property(TARGET ${twin} APPEND PROPERTY INTERFACE_LINK_LIBRARIES "${link_twin}")
    endforeach()
  endif()
  set(${out} ${twin} PARENT_SCOPE)
endfunction()
