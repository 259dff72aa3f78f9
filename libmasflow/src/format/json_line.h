// SPDX-License-Identifier: Apache-2.0
//
// What the JSON lines of all events share.
#ifndef MASFLOW_FORMAT_JSON_LINE_H_
#define MASFLOW_FORMAT_JSON_LINE_H_

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/line.h"
#include "format/numbers.h"
#include "masflow/format.h"

namespace masflow::internal {

// One object, from its brace to Close(); the string has it once this is destroyed. Keys are
// literals and need no escape, unless said otherwise.
class JsonLine {
 public:
  JsonLine(WallTime at, std::string_view event_name, std::string* out);

  template <class Integer>
  void Number(std::string_view key, Integer value) {
    Key(key);
    AppendNumber(value, &out_);
  }

  // In the unit that the key names.
  template <class Rep, class Period>
  void Number(std::string_view key, std::chrono::duration<Rep, Period> value) {
    Number(key, value.count());
  }

  // Nothing if absent.
  template <class Value>
  void Number(std::string_view key, const std::optional<Value>& value) {
    if (value.has_value()) {
      Number(key, *value);
    }
  }

  void Text(std::string_view key, std::string_view raw);
  // By a key of which `name` is not ours.
  void Text(std::string_view prefix, std::string_view name, std::string_view raw);
  // The same of an array.
  void Texts(std::string_view prefix, std::string_view name,
             const std::vector<std::string_view>& values);
  void Arguments(std::string_view key, std::string_view raw);

  // Nothing if it is as usual.
  void Flag(std::string_view key, bool value, bool usual = false);

  // error.type and masflow.errno.
  void Error(int error);

  // The process of an event, by the conventions; and what no convention names, with which
  // every event of a process ends.
  void Process(const ProcessView& process);
  void ProcessExtras(const ProcessView& process);

  void Close() { out_.Append('}'); }

 private:
  void Key(std::string_view key);
  void ForeignKey(std::string_view prefix, std::string_view name);
  template <class List>
  void Array(const List& texts);

  Line out_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_FORMAT_JSON_LINE_H_
