// SPDX-License-Identifier: Apache-2.0
#include "values.h"

#include <pwd.h>

#include <charconv>
#include <cstddef>
#include <limits>
#include <string>
#include <system_error>

namespace masflow_cli {
namespace {

absl::Status Wrong(std::string_view text, std::string_view what) {
  return absl::InvalidArgumentError("'" + std::string(text) + "' " + std::string(what));
}

// The number at the front of *text, which is taken off.
template <class Number>
bool TakeNumber(std::string_view* text, Number* number) {
  const char* const end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, *number);
  if (error != std::errc()) {
    return false;
  }
  *text = {rest, static_cast<std::size_t>(end - rest)};
  return true;
}

template <class Number>
bool IsNumber(std::string_view text, Number* number) {
  return TakeNumber(&text, number) && text.empty();
}

// Each item of a list separated by commas, as long as they are right.
template <class Parse>
absl::Status ForEachItem(std::string_view text, Parse parse) {
  while (true) {
    const std::size_t comma = text.find(',');
    absl::Status status = parse(text.substr(0, comma));
    if (!status.ok() || comma == std::string_view::npos) {
      return status;
    }
    text.remove_prefix(comma + 1);
  }
}

// Numbers from 1 on, added to *list.
template <class Number>
absl::Status ParseList(std::string_view text, std::string_view complaint,
                       std::vector<Number>* list) {
  return ForEachItem(text, [&](std::string_view item) {
    Number number = 0;
    if (!IsNumber(item, &number) || number == 0) {
      return Wrong(item, complaint);
    }
    list->push_back(number);
    return absl::OkStatus();
  });
}

absl::Status ParseStatus(std::string_view text, StatusRange* range) {
  std::uint16_t number = 0;
  std::string_view rest = text;
  if (TakeNumber(&rest, &number)) {
    if (rest.empty() && number >= 100 && number <= 999) {
      *range = {number, number};
      return absl::OkStatus();
    }
    if ((rest == "xx" || rest == "XX") && number >= 1 && number <= 9) {
      const auto first = static_cast<std::uint16_t>(number * 100);
      *range = {first, static_cast<std::uint16_t>(first + 99)};
      return absl::OkStatus();
    }
  }
  return Wrong(text, "is neither a status as 404 nor a class as 5xx");
}

}  // namespace

absl::Status ParsePids(std::string_view text, std::vector<std::uint32_t>* pids) {
  return ParseList(text, "is no process id", pids);
}

absl::Status ParsePorts(std::string_view text, std::vector<std::uint16_t>* ports) {
  return ParseList(text, "is no port", ports);
}

absl::Status ParseStatuses(std::string_view text, std::vector<StatusRange>* statuses) {
  return ForEachItem(
      text, [&](std::string_view item) { return ParseStatus(item, &statuses->emplace_back()); });
}

absl::Status ParseConnections(std::string_view text, std::uint32_t* connections) {
  constexpr std::uint32_t kFewest = 64;
  constexpr std::uint32_t kMost = 4'194'304;
  return IsNumber(text, connections) && *connections >= kFewest && *connections <= kMost
             ? absl::OkStatus()
             : Wrong(text, "is not from 64 to 4194304");
}

absl::Status ParseUser(std::string_view text, std::uint32_t* uid) {
  constexpr std::uint32_t kNobodyAtAll = std::numeric_limits<std::uint32_t>::max();
  if (IsNumber(text, uid)) {
    return *uid == kNobodyAtAll ? Wrong(text, "is no user id") : absl::OkStatus();
  }
  const passwd* const user = getpwnam(std::string(text).c_str());
  if (user == nullptr) {
    return Wrong(text, "is neither a user id nor the name of a user here");
  }
  *uid = user->pw_uid;
  return absl::OkStatus();
}

absl::Status ParseUser(std::string_view text, std::uint32_t* uid, std::uint32_t* gid) {
  absl::Status status = ParseUser(text, uid);
  if (status.ok()) {
    const passwd* const user = getpwuid(*uid);
    *gid = user == nullptr ? *uid : user->pw_gid;
  }
  return status;
}

absl::Status ParseBytes(std::string_view text, std::uint64_t* bytes) {
  std::string_view suffix = text;
  std::uint64_t number = 0;
  if (!TakeNumber(&suffix, &number)) {
    return Wrong(text, "is no number of bytes");
  }
  unsigned shift = 0;
  if (suffix == "K" || suffix == "k") {
    shift = 10;
  } else if (suffix == "M" || suffix == "m") {
    shift = 20;
  } else if (!suffix.empty()) {
    return Wrong(text, "is no number of bytes: K and M are the suffixes");
  }
  if (number > std::numeric_limits<std::uint64_t>::max() >> shift) {
    return Wrong(text, "is too much");
  }
  *bytes = number << shift;
  return absl::OkStatus();
}

absl::Status ParseDuration(std::string_view text, std::chrono::nanoseconds* duration) {
  struct Unit {
    std::string_view name;
    double seconds;
  };
  constexpr Unit kUnits[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"m", 60}, {"h", 3600}};
  constexpr double kMostSeconds = 366.0 * 24 * 3600;
  std::string_view name = text;
  double number = 0;
  if (TakeNumber(&name, &number)) {
    for (const Unit& unit : kUnits) {
      const double seconds = number * unit.seconds;
      if (name == unit.name && seconds >= 1e-9 && seconds <= kMostSeconds) {
        *duration = std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
        return absl::OkStatus();
      }
    }
  }
  return Wrong(text, "is no duration: write 500ms, 10s, 5m or 2h (at most a year)");
}

}  // namespace masflow_cli
