// SPDX-License-Identifier: Apache-2.0
//
// What the tests of AsioDriver share.
#ifndef MASFLOW_TESTS_UNIT_ASIO_TESTING_H_
#define MASFLOW_TESTS_UNIT_ASIO_TESTING_H_

#include <optional>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "masflow/asio.h"
#include "test_support.h"

namespace masflow::internal {

namespace asio = boost::asio;

class AsioTest : public FakeSessionTest {
 protected:
  // The context must outlive the streams.
  ~AsioTest() override {
    processes_.reset();
    session_.reset();
  }
  void Drive(std::size_t records_per_turn = 256) {
    driver_.emplace(io_.get_executor(), *session_, records_per_turn);
  }
  // Runs all that is ready, and no longer.
  void Poll() {
    io_.restart();
    io_.poll();
  }
  // Until there is no more work; false at the deadline.
  bool RunToEnd() {
    io_.restart();
    io_.run_for(kDeadline);
    return io_.stopped();
  }

  asio::io_context io_{1};
  std::optional<AsioDriver> driver_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_TESTS_UNIT_ASIO_TESTING_H_
