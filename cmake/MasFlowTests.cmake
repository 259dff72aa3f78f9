# SPDX-License-Identifier: Apache-2.0

# What the programs of tests share. Half of the time of a whole build was spent on reading the
# same headers for each of their files, and on optimising what runs once.
function(masflow_test_defaults target)
  masflow_target_defaults(${target})
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  target_precompile_headers(${target} PRIVATE
    <algorithm> <chrono> <functional> <memory> <optional> <string> <string_view> <thread>
    <utility> <variant> <vector> <gmock/gmock.h> <gtest/gtest.h>)
endfunction()
