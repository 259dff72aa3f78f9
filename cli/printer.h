// SPDX-License-Identifier: Apache-2.0
//
// Events of a session as lines of a writer.
#ifndef MASFLOW_CLI_PRINTER_H_
#define MASFLOW_CLI_PRINTER_H_

#include <cstdint>

#include "flags.h"
#include "masflow/format.h"
#include "masflow/session.h"
#include "streams.h"
#include "writer.h"

namespace masflow_cli {

// All that is passed in must outlive the callbacks.
class Printer {
 public:
  Printer(const Flags& flags, const masflow::Session& session, Writer* writer);

  // Sets the callbacks for what the flags ask for.
  void Attach(masflow::Session* session, Streams* streams);

  // Exchanges that came but that Flags::http_match hid.
  std::uint64_t filtered() const { return filtered_; }

 private:
  void AttachProcesses(masflow::ProcessStream* processes);
  void AttachTcp(masflow::TcpStream* tcp);
  void AttachHttp(masflow::HttpStream* http);
  template <class Event>
  void Print(const Event& event, masflow::KernelTime time);

  const Flags& flags_;
  const masflow::Session& session_;
  Writer* const writer_;
  masflow::TextStyle style_{};
  std::uint64_t filtered_ = 0;
};

}  // namespace masflow_cli

#endif  // MASFLOW_CLI_PRINTER_H_
