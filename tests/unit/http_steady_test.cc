// SPDX-License-Identifier: Apache-2.0
//
// What traffic costs in memory: nothing that was not there before.
#include <malloc.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "http_testing.h"

namespace {

// All that this program allocates; only differences tell anything.
std::atomic<std::size_t> allocations{0};
std::atomic<std::size_t> live_bytes{0};

void Free(void* memory) {
  live_bytes.fetch_sub(malloc_usable_size(memory), std::memory_order_relaxed);
  std::free(memory);
}

}  // namespace

// Not inlined, for GCC 12 warns of free() where it sees only one of the two.
__attribute__((noinline)) void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* const memory = std::malloc(size);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  live_bytes.fetch_add(malloc_usable_size(memory), std::memory_order_relaxed);
  return memory;
}
__attribute__((noinline)) void operator delete(void* memory) noexcept {
  Free(memory);
}
__attribute__((noinline)) void operator delete(void* memory, std::size_t) noexcept {
  Free(memory);
}

namespace masflow::internal {
namespace {

// A keep-alive connection with bodies, pipelining and chosen headers.
std::vector<Bytes> SteadyTraffic() {
  Talk talk;
  for (int i = 0; i < 100; ++i) {
    const std::string target =
        "/a/longer/target/than/fits/in/a/short/string?i=" + std::to_string(i);
    talk.Send(Post(target, "body") + Get(target));
    talk.Receive(Ok("hello") + kChunkedOk + "3\r\nabc\r\n0\r\n\r\n");
    talk.Pass(MF_WAY_SENT, 0).Progress();
  }
  return talk.records;
}

TEST(HttpSteady, KeepAlive_AllocatesNothing) {
  Exchanger exchanger({.request_headers = {"host"}, .response_headers = {"content-length"}});
  const std::vector<Bytes> records = SteadyTraffic();
  HttpContext& context = exchanger.table.context();
  HttpDecoder decoder;
  std::size_t exchanges = 0;
  std::size_t bytes = 0;
  std::size_t before = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (i == 10) {
      before = allocations.load();
    }
    exchanger.table.OnRecord(*decoder.Decode(records[i]));
    while (!context.done.empty()) {
      Exchange* const exchange = context.done.Pop();
      bytes += exchange->view().target.size();
      context.pool.Release(exchange);
      exchanges += 1;
    }
  }
  EXPECT_EQ(allocations.load() - before, 0u);
  EXPECT_EQ(exchanges, 200u);
  EXPECT_GT(bytes, 9000u);
}

// Else the test above could not fail.
TEST(HttpSteady, TheCounterCounts) {
  const std::size_t before = allocations.load();
  EXPECT_NE(std::string(100, 'x'), "");
  EXPECT_GT(allocations.load(), before);
}

// HttpOptions::max_connections promises some 600 bytes each.
TEST(HttpSteady, ManyIdleConnections_StayWithinTheirBudget) {
  constexpr std::uint32_t kConnections = 100'000;
  constexpr std::size_t kBytesEach = 600;
  Exchanger exchanger({.max_connections = 2 * kConnections});
  const std::size_t before = live_bytes.load();
  std::size_t exchanges = 0;
  for (std::uint32_t i = 1; i <= kConnections; ++i) {
    exchanges += exchanger.Take(Talk(i).Receive(Get("/a")).Send(Ok("hello")).records).size();
  }
  EXPECT_EQ(exchanges, kConnections);
  EXPECT_EQ(exchanger.table.size(), kConnections);
  EXPECT_LE(live_bytes.load() - before, kConnections * kBytesEach);
}

// Parts of heads are all that a connection holds, and not for longer than they are parts.
TEST(HttpSteady, WholeHead_FreesItsParts) {
  Exchanger exchanger;
  Talk talk;
  talk.Send("GET / HTTP/1.1\r\nHost: a-name-of-some-length.example\r\n");
  exchanger.Take(talk.records);
  EXPECT_GT(exchanger.table.held_bytes(), 0u);
  exchanger.Take({talk.Send("\r\n").records.back()});
  EXPECT_EQ(exchanger.table.held_bytes(), exchanger.table.context().pool.bytes());
  EXPECT_EQ(exchanger.table.context().pool.in_use(), 1u);
}

// Clients that send heads by halves, and servers that do not answer.
TEST(HttpSteady, WhatManyConnectionsHold_StaysWithinTheLimit) {
  constexpr std::size_t kLimit = std::size_t{4} << 20;
  constexpr std::uint32_t kConnections = 2'000;
  const HttpOptions options{.max_connections = kConnections};
  Exchanger exchanger(options, kLimit);
  const std::size_t before = live_bytes.load();
  const std::string half = "GET /" + std::string(4'000, 'x');
  std::size_t most = 0;
  std::size_t lost = 0;
  for (std::uint32_t i = 1; i <= kConnections; ++i) {
    const Talk talk = Talk(i).Send(Get("/" + std::string(2'000, 'y'))).Send(half);
    for (const HttpExchange& e : exchanger.Take(talk.records)) {
      EXPECT_EQ(e.outcome, HttpOutcome::kLost);
      ++lost;
    }
    most = std::max(most, live_bytes.load() - before);
  }
  EXPECT_GT(lost, kConnections / 4);
  const std::size_t budget = ConnectionTable::MostBytes(options) - ConnectionTable::kMostHeldBytes;
  EXPECT_LE(most, budget + kLimit);
  EXPECT_GE(most, kLimit / 4 * 3);
}

TEST(HttpSteady, BeyondTheLimit_TheQuietestGivesUpItsOwnAndGoesOn) {
  Exchanger exchanger({}, /*most_held=*/20'000);
  Talk quiet(1);
  Talk busy(2);
  quiet.Send(Get("/quiet"));
  EXPECT_TRUE(exchanger.Take(quiet.records).empty());
  busy.Send("GET /" + std::string(15'500, 'x'));
  EXPECT_TRUE(exchanger.Take(busy.records).empty());
  EXPECT_GT(exchanger.table.held_bytes(), 15'000u);
  busy.records = {};
  busy.Send(std::string(15'000, 'x'));
  EXPECT_TRUE(exchanger.Take(busy.records).empty());
  busy.records = {};
  EXPECT_EQ(Briefs(exchanger.Take(busy.Send("=").records)), Lines{"GET /quiet - 0+0~ lost"});
  EXPECT_LT(exchanger.table.held_bytes(), 20'000u);  // the busy one, too, for that was not enough

  quiet.records = {};
  quiet.Receive(Ok("late")).Send(Get("/next")).Receive(Ok("hello"));
  EXPECT_EQ(Briefs(exchanger.Take(quiet.records)), Lines{"GET /next 200 0+5 complete"});
  busy.records = {};
  busy.Receive(Ok("late")).Send(Get("/other")).Receive(Ok(""));
  EXPECT_EQ(Briefs(exchanger.Take(busy.records)), Lines{"GET /other 200 0+0 complete"});
  EXPECT_EQ(exchanger.table.held_bytes(), 0u);
}

}  // namespace
}  // namespace masflow::internal
