// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <string>
#include <string_view>

#include "flags.h"
#include "options.h"

namespace masflow_cli {

std::string HelpText() {
  std::string text =
      "Usage: masflow [options]   show the processes, TCP connections and HTTP exchanges of\n"
      "                           this machine as they come and go\n"
      "       masflow doctor      show what this kernel lets masflow do\n"
      "\n"
      "Options:\n";
  constexpr std::size_t kHelpColumn = 24;
  for (const Option& option : AllOptions()) {
    std::string line = "  --" + std::string(option.name);
    std::size_t columns = line.size();
    if (option.value != nullptr) {
      const std::string_view value = option.value;
      line += ' ';
      line += value;
      columns += 1 + value.size() - (value.ends_with("…]") ? 2 : 0);  // … has three bytes
    }
    line.append(columns < kHelpColumn ? kHelpColumn - columns : 1, ' ');
    text += line + option.help + '\n';
  }
  text +=
      "\n"
      "Filters can be given several times; different ones are joined by \"and\" (but --pid\n"
      "and --tree by \"or\"). Those of processes hold for connections by their owner, and for\n"
      "exchanges by who moves the bytes. Without --replay root, or CAP_BPF and CAP_PERFMON, is\n"
      "needed. Events go to stdout, all else to stderr. Exit code: 0 ended as asked, 1 failure,\n"
      "2 wrong use.\n";
  return text;
}

}  // namespace masflow_cli
