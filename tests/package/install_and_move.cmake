# SPDX-License-Identifier: Apache-2.0
#
# cmake -DBUILD=… -DPREFIX=… -P install_and_move.cmake
# Installs a build, then moves the tree to PREFIX: nothing in it may name the first place.
set(stage "${PREFIX}.installed")
file(REMOVE_RECURSE "${stage}" "${PREFIX}")
execute_process(
  COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${stage}"
  OUTPUT_QUIET
  COMMAND_ERROR_IS_FATAL ANY)
file(RENAME "${stage}" "${PREFIX}")

get_filename_component(project "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
file(GLOB_RECURSE texts "${PREFIX}/*.cmake" "${PREFIX}/*.pc" "${PREFIX}/*.h")
foreach(text IN LISTS texts)
  file(READ "${text}" content)
  foreach(place IN ITEMS "${stage}" "${BUILD}" "${project}/")
    string(FIND "${content}" "${place}" at)
    if(NOT at EQUAL -1)
      message(SEND_ERROR "${text} names ${place}")
    endif()
  endforeach()
endforeach()
