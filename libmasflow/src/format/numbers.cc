// SPDX-License-Identifier: Apache-2.0
#include "format/numbers.h"

#include <time.h>

#include <array>
#include <cstdint>
#include <string_view>

namespace masflow::internal {
namespace {

// The last `width` digits, zeros in front.
void WriteDigits(std::uint64_t value, unsigned width, char* to) {
  for (unsigned at = width; at-- > 0; value /= 10) {
    to[at] = static_cast<char>('0' + value % 10);
  }
}

void AppendDigits(std::uint64_t value, unsigned width, Line* out) {
  char* const to = out->Room(width);
  WriteDigits(value, width, to);
  out->Take(to + width);
}

void AppendDigits(std::uint64_t value, unsigned width, char end, Line* out) {
  AppendDigits(value, width, out);
  out->Append(end);
}

// `value` thousandths of a unit.
void AppendThousandths(std::uint64_t value, std::string_view unit, Line* out) {
  AppendNumber(value / 1000, out);
  out->Append('.');
  AppendDigits(value % 1000, 3, out);
  out->Append(unit);
}

struct SplitTime {
  std::chrono::sys_seconds seconds;
  std::uint64_t ns;  // of that second
};

// Not by chrono's floor(): a damaged recording has times for which that overflows.
SplitTime Split(WallTime at) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::int64_t count = at.time_since_epoch().count();
  const std::int64_t rest = count % kSecond;
  const std::int64_t before = rest < 0 ? 1 : 0;
  return {std::chrono::sys_seconds(std::chrono::seconds(count / kSecond - before)),
          static_cast<std::uint64_t>(rest + before * kSecond)};
}

// "12:34:56." in local time. localtime_r() takes a fifth of a line's time, and many events fall
// into one second, so the last answer is kept.
std::string_view ClockOf(time_t seconds) {
  thread_local time_t last = 0;
  thread_local std::array<char, 9> clock{};
  if (clock[0] == 0 || seconds != last) {
    tm local{};
    localtime_r(&seconds, &local);
    WriteDigits(static_cast<unsigned>(local.tm_hour), 2, &clock[0]);
    WriteDigits(static_cast<unsigned>(local.tm_min), 2, &clock[3]);
    WriteDigits(static_cast<unsigned>(local.tm_sec), 2, &clock[6]);
    clock[2] = clock[5] = ':';
    clock[8] = '.';
    last = seconds;
  }
  return {clock.data(), clock.size()};
}

// The size of a duration, after its sign was written.
std::uint64_t TakeSign(std::chrono::nanoseconds duration, Line* out) {
  const auto signed_ns = duration.count();
  if (signed_ns < 0) {
    out->Append('-');
  }
  // Negated as unsigned: the least value has no positive twin.
  return signed_ns < 0 ? 0 - static_cast<std::uint64_t>(signed_ns)
                       : static_cast<std::uint64_t>(signed_ns);
}

}  // namespace

void AppendTimestamp(WallTime at, Line* out) {
  const SplitTime split = Split(at);
  const auto day = std::chrono::floor<std::chrono::days>(split.seconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(split.seconds - day);
  AppendDigits(static_cast<std::uint64_t>(static_cast<int>(date.year())), 4, '-', out);
  AppendDigits(static_cast<unsigned>(date.month()), 2, '-', out);
  AppendDigits(static_cast<unsigned>(date.day()), 2, 'T', out);
  AppendDigits(static_cast<std::uint64_t>(time.hours().count()), 2, ':', out);
  AppendDigits(static_cast<std::uint64_t>(time.minutes().count()), 2, ':', out);
  AppendDigits(static_cast<std::uint64_t>(time.seconds().count()), 2, '.', out);
  AppendDigits(split.ns, 9, 'Z', out);
}

void AppendClockTime(WallTime at, Line* out) {
  const SplitTime split = Split(at);
  out->Append(ClockOf(split.seconds.time_since_epoch().count()));
  AppendDigits(split.ns / 1000, 6, out);
}

std::chrono::nanoseconds Elapsed(KernelTime since, KernelTime until) {
  const auto from = static_cast<std::uint64_t>(since.time_since_epoch().count());
  const auto to = static_cast<std::uint64_t>(until.time_since_epoch().count());
  return std::chrono::nanoseconds(static_cast<std::int64_t>(to - from));
}

void AppendDuration(std::chrono::nanoseconds duration, Line* out) {
  const std::uint64_t ns = TakeSign(duration, out);
  const std::uint64_t seconds = ns / 1'000'000'000;
  if (ns < 1'000) {
    AppendNumber(ns, out);
    out->Append("ns");
  } else if (ns < 1'000'000) {
    AppendThousandths(ns, "us", out);
  } else if (ns < 1'000'000'000) {
    AppendThousandths(ns / 1'000, "ms", out);
  } else if (seconds < 60) {
    AppendThousandths(ns / 1'000'000, "s", out);
  } else if (seconds < 3'600) {
    AppendNumber(seconds / 60, out);
    out->Append('m');
    AppendDigits(seconds % 60, 2, 's', out);
  } else if (seconds < 86'400) {
    AppendNumber(seconds / 3'600, out);
    out->Append('h');
    AppendDigits(seconds / 60 % 60, 2, 'm', out);
    AppendDigits(seconds % 60, 2, 's', out);
  } else {
    AppendNumber(seconds / 86'400, out);
    out->Append('d');
    AppendDigits(seconds / 3'600 % 24, 2, 'h', out);
    AppendDigits(seconds / 60 % 60, 2, 'm', out);
  }
}

void AppendMilliseconds(std::chrono::nanoseconds duration, Line* out) {
  AppendThousandths(TakeSign(duration, out) / 1'000, "ms", out);
}

}  // namespace masflow::internal
