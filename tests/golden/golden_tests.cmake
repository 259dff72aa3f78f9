# SPDX-License-Identifier: Apache-2.0
#
# The command on recorded scenes, and its manners. To be included by tests/golden/CMakeLists.txt.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

add_executable(masflow_make_recording make_recording.cc http_scenes.cc tcp_scenes.cc)
masflow_target_defaults(masflow_make_recording)
target_link_libraries(masflow_make_recording PRIVATE MasFlow::testing)

if(MASFLOW_BUILD_CLI)
  foreach(test IN ITEMS golden manners)
    add_test(NAME golden.${test}
      COMMAND Python3::Interpreter -B "${CMAKE_CURRENT_SOURCE_DIR}/${test}_test.py" -v)
    set_tests_properties(golden.${test} PROPERTIES
      LABELS golden
      TIMEOUT 120
      ENVIRONMENT
        "MASFLOW=$<TARGET_FILE:masflow_cli>;MAKE_RECORDING=$<TARGET_FILE:masflow_make_recording>")
  endforeach()
endif()
