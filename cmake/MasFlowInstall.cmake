# SPDX-License-Identifier: Apache-2.0
#
# Included last by the root. Two components: Runtime (the shared library, the command) and
# Development. Everything installed can be moved afterwards.
include(CMakePackageConfigHelpers)

set(config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/MasFlow")

# One export set a component, so that only what is asked for has to be found.
foreach(component IN ITEMS masflow asio testing kubernetes)
  string(REGEX REPLACE "^masflow_masflow$" "masflow" target "masflow_${component}")
  if(NOT TARGET ${target})  # asio, without Boost; kubernetes, unless asked for
    continue()
  endif()
  install(TARGETS ${target} EXPORT MasFlow_${component}
    RUNTIME COMPONENT Runtime
    LIBRARY COMPONENT Runtime NAMELINK_COMPONENT Development
    ARCHIVE COMPONENT Development
    FILE_SET HEADERS COMPONENT Development)
  install(EXPORT MasFlow_${component}
    FILE "MasFlowTargets-${component}.cmake"
    NAMESPACE MasFlow::
    DESTINATION "${config_dir}"
    COMPONENT Development)
endforeach()

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/MasFlowConfig.cmake.in"
  "${CMAKE_CURRENT_BINARY_DIR}/MasFlowConfig.cmake"
  INSTALL_DESTINATION "${config_dir}"
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/MasFlowConfigVersion.cmake"
  VERSION "${MasFlow_VERSION}"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${CMAKE_CURRENT_BINARY_DIR}/MasFlowConfig.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/MasFlowConfigVersion.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/FindLibbpf.cmake"
  DESTINATION "${config_dir}"
  COMPONENT Development)

# pkg-config: ${pcfiledir} makes them movable, however deep the library folder is.
set(pkgconfig_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
file(RELATIVE_PATH pc_prefix "/x/${pkgconfig_dir}" "/x")
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
set(pc_private "absl_cord >= 20220623, absl_flat_hash_map >= 20220623, libbpf >= 1.1, zlib")
if(BUILD_SHARED_LIBS)
  set(pc_requires "absl_statusor >= 20220623")
  set(pc_cflags "")
else()
  set(pc_requires "absl_statusor >= 20220623, ${pc_private}")
  set(pc_private "")
  set(pc_cflags " -DMASFLOW_STATIC_DEFINE")
endif()
foreach(name IN ITEMS masflow masflow-testing)
  configure_file("${CMAKE_CURRENT_LIST_DIR}/${name}.pc.in"
    "${CMAKE_CURRENT_BINARY_DIR}/${name}.pc" @ONLY)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/${name}.pc"
    DESTINATION "${pkgconfig_dir}"
    COMPONENT Development)
endforeach()

if(MASFLOW_BUILD_CLI)
  install(TARGETS masflow_cli RUNTIME COMPONENT Runtime)
endif()
install(FILES "${CMAKE_CURRENT_SOURCE_DIR}/LICENSE" "${CMAKE_CURRENT_SOURCE_DIR}/bpf/LICENSE"
  DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT Runtime)
