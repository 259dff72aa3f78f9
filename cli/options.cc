// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "values.h"

namespace masflow_cli {
namespace {

using Value = std::string_view;

absl::Status Invalid(std::string message) {
  return absl::InvalidArgumentError(std::move(message));
}

absl::Status Set(bool* flag, bool to = true) {
  *flag = to;
  return absl::OkStatus();
}

absl::Status Set(Action* action, Action to) {
  *action = to;
  return absl::OkStatus();
}

absl::Status SetPath(Value value, std::string* path) {
  *path = value;
  return value.empty() ? Invalid("the name of the file is empty") : absl::OkStatus();
}

absl::Status ApplyStreams(Value value, Flags* flags) {
  flags->show_processes = flags->show_tcp = flags->show_http = false;
  while (true) {
    const std::size_t comma = value.find(',');
    const std::string name(value.substr(0, comma));
    if (name == "process") {
      flags->show_processes = true;
    } else if (name == "tcp") {
      flags->show_tcp = true;
    } else if (name == "http") {
      flags->show_http = true;
    } else {
      return Invalid("there is no stream '" + name + "': use process, tcp or http");
    }
    if (comma == Value::npos) {
      return absl::OkStatus();
    }
    value.remove_prefix(comma + 1);
  }
}

absl::Status ApplyComm(Value value, Flags* flags) {
  constexpr std::size_t kMostBytes = 15;
  if (value.empty() || value.size() > kMostBytes) {
    return Invalid("'" + std::string(value) + "' is no process name: those have 1 to 15 bytes");
  }
  flags->process.filter.comms.emplace_back(value);
  return absl::OkStatus();
}

absl::Status SetName(Value value, std::string* name) {
  *name = value;
  return value.empty() ? Invalid("the name is empty") : absl::OkStatus();
}

absl::Status SetUrl(Value value, std::string* url) {
  *url = value;
  return value.empty() ? Invalid("the address is empty") : absl::OkStatus();
}

absl::Status AddName(Value value, std::vector<std::string>* names) {
  names->emplace_back(value);
  return value.empty() ? Invalid("the name is empty") : absl::OkStatus();
}

absl::Status ApplyLogDir(Value value, Flags* flags) {
  std::string directory;
  absl::Status status = SetPath(value, &directory);
  flags->workloads.pod_logs = directory + "/pods";
  flags->workloads.container_logs = directory + "/containers";
  return status;
}

absl::Status ApplyAddress(Value value, Flags* flags) {
  flags->tcp.filter.addresses.emplace_back(value);  // the library says what is wrong about it
  return absl::OkStatus();
}

absl::Status ApplyArgsLimit(Value value, Flags* flags) {
  constexpr std::uint64_t kMost = 16'383;
  std::uint64_t bytes = 0;
  absl::Status status = ParseBytes(value, &bytes);
  if (status.ok() && bytes > kMost) {
    status = Invalid("'" + std::string(value) + "' is too much: 16383 is the most");
  }
  flags->process.args_limit = static_cast<std::uint32_t>(bytes);
  return status;
}

absl::Status ApplyData(Value value, Flags* flags) {
  using masflow::TcpDataMode;
  if (value == "interval") {
    flags->tcp.data = TcpDataMode::kInterval;
  } else if (value == "call") {
    flags->tcp.data = TcpDataMode::kCall;
  } else if (value == "off") {
    flags->tcp.data = TcpDataMode::kOff;
  } else {
    return Invalid("'" + std::string(value) + "' is none of interval, call, off");
  }
  return absl::OkStatus();
}

absl::Status ApplyInterval(Value value, Flags* flags) {
  using namespace std::chrono_literals;
  std::chrono::nanoseconds interval{};
  absl::Status status = ParseDuration(value, &interval);
  if (status.ok() && (interval < 10ms || interval > 1h)) {
    status = Invalid("'" + std::string(value) + "' is no interval: 10ms to 1h");
  }
  flags->tcp.data_interval = std::chrono::duration_cast<std::chrono::milliseconds>(interval);
  return status;
}

absl::Status ApplyHost(Value value, Flags* flags) {
  flags->http_match.hosts.emplace_back(value);
  return value.empty() ? Invalid("the name of the host is empty") : absl::OkStatus();
}

absl::Status ApplyQuery(Value value, Flags* flags) {
  using masflow::HttpQuery;
  if (value == "keep") {
    flags->http.query = HttpQuery::kKeep;
  } else if (value == "keys") {
    flags->http.query = HttpQuery::kKeysOnly;
  } else if (value == "drop") {
    flags->http.query = HttpQuery::kDrop;
  } else {
    return Invalid("'" + std::string(value) + "' is none of keep, keys, drop");
  }
  return absl::OkStatus();
}

absl::Status ApplyHeader(Value value, Flags* flags) {
  flags->http.request_headers.emplace_back(value);  // the library says what is wrong about it
  flags->http.response_headers.emplace_back(value);
  return absl::OkStatus();
}

absl::Status ApplyRingBytes(Value value, Flags* flags) {
  std::uint64_t bytes = 0;
  absl::Status status = ParseBytes(value, &bytes);
  if (status.ok() && !std::has_single_bit(bytes)) {
    status = Invalid("'" + std::string(value) + "' is no power of two");
  }
  flags->ring_bytes = bytes;
  return status;
}

absl::Status ApplyColor(Value value, Flags* flags) {
  if (value == "auto") {
    flags->color = Color::kAuto;
  } else if (value == "always") {
    flags->color = Color::kAlways;
  } else if (value == "never") {
    flags->color = Color::kNever;
  } else {
    return Invalid("'" + std::string(value) + "' is none of auto, always, never");
  }
  return absl::OkStatus();
}

constexpr Option kOptions[] = {
    {"json", nullptr, "one JSON object a line instead of text", Needs::kNothing,
     [](Value, Flags* f) { return Set(&f->json); }},
    {"streams", "LIST", "what to show: process, tcp, http (default: all)", Needs::kNothing,
     ApplyStreams},
    {"pid", "N[,N…]", "only these processes", Needs::kNothing,
     [](Value v, Flags* f) { return ParsePids(v, &f->process.filter.pids); }},
    {"tree", "N[,N…]", "only these and all their descendants", Needs::kNothing,
     [](Value v, Flags* f) { return ParsePids(v, &f->process.filter.trees); }},
    {"uid", "USER", "only processes of this user (id or name)", Needs::kNothing,
     [](Value v, Flags* f) { return ParseUser(v, &f->process.filter.uids.emplace_back()); }},
    {"comm", "NAME", "only processes of this name (at most 15 bytes)", Needs::kNothing, ApplyComm},
    {"cgroup", "PATH", "only processes in this cgroup or below it", Needs::kNothing,
     [](Value v, Flags* f) { return SetPath(v, &f->process.filter.cgroups.emplace_back()); }},
    {"pod", "NAME", "only processes of this pod", Needs::kNothing,
     [](Value v, Flags* f) { return AddName(v, &f->workloads.filter.pods); }},
    {"namespace", "NAME", "only processes of pods in this namespace", Needs::kNothing,
     [](Value v, Flags* f) { return AddName(v, &f->workloads.filter.namespaces); }},
    {"container", "NAME", "only processes of this container (a name, or 12 digits of its id)",
     Needs::kNothing,
     [](Value v, Flags* f) { return AddName(v, &f->workloads.filter.containers); }},
    {"log-dir", "DIR", "where the node's /var/log is, from which pods have their names",
     Needs::kLiveNames, ApplyLogDir},
    {"api-server", "URL", "names of pods and services from there too; in-cluster: of this cluster",
     Needs::kLiveNames, [](Value v, Flags* f) { return SetUrl(v, &f->kubernetes.api_server); }},
    {"node", "NAME", "of the API server's pods only those of this node", Needs::kLiveNames,
     [](Value v, Flags* f) { return SetName(v, &f->kubernetes.node); }},
    {"kubelet", "URL", "names of pods from there too: https://127.0.0.1:10250", Needs::kLiveNames,
     [](Value v, Flags* f) { return SetUrl(v, &f->kubernetes.kubelet); }},
    {"kubelet-insecure", nullptr, "give the token to whoever listens there", Needs::kLiveNames,
     [](Value, Flags* f) { return Set(&f->kubernetes.kubelet_insecure); }},
    {"ca-file", "FILE", "of both: whom to trust (default: that of the service account)",
     Needs::kLiveNames, [](Value v, Flags* f) { return SetPath(v, &f->kubernetes.ca_file); }},
    {"token-file", "FILE", "of both: what to show (default: that of the service account)",
     Needs::kLiveNames, [](Value v, Flags* f) { return SetPath(v, &f->kubernetes.token_file); }},
    {"forks", nullptr, "process: show forks too", Needs::kProcesses,
     [](Value, Flags* f) { return Set(&f->process.forks); }},
    {"failed", nullptr, "process: show failed execs too", Needs::kProcesses,
     [](Value, Flags* f) { return Set(&f->process.failed_execs); }},
    {"snapshot", nullptr, "process: first show what already runs", Needs::kProcesses,
     [](Value, Flags* f) { return Set(&f->process.snapshot); }},
    {"args-limit", "BYTES", "process: bytes of arguments to capture (default 4096)",
     Needs::kProcesses, ApplyArgsLimit},
    {"port", "N[,N…]", "tcp, http: only these ports, at either end", Needs::kConnections,
     [](Value v, Flags* f) { return ParsePorts(v, &f->tcp.filter.ports); }},
    {"local-port", "N[,N…]", "tcp, http: only these, at the process' own end", Needs::kConnections,
     [](Value v, Flags* f) { return ParsePorts(v, &f->tcp.filter.local_ports); }},
    {"remote-port", "N[,N…]", "tcp, http: only these, at the other end", Needs::kConnections,
     [](Value v, Flags* f) { return ParsePorts(v, &f->tcp.filter.remote_ports); }},
    {"address", "PREFIX", "tcp, http: only 10.0.0.0/8, 2001:db8::/32, 192.0.2.1, at either end",
     Needs::kConnections, ApplyAddress},
    {"no-loopback", nullptr, "tcp, http: nothing within this machine by 127.0.0.0/8 or ::1",
     Needs::kConnections, [](Value, Flags* f) { return Set(&f->tcp.filter.loopback, false); }},
    {"data", "MODE", "tcp: bytes by interval (default), by call, or off", Needs::kTcp, ApplyData},
    {"interval", "TIME", "tcp: of --data interval (default 1s)", Needs::kTcp, ApplyInterval},
    {"listeners", nullptr, "tcp: show listening sockets too", Needs::kTcp,
     [](Value, Flags* f) { return Set(&f->tcp.listeners); }},
    {"no-open", nullptr, "tcp: neither show nor follow what is open already", Needs::kTcp,
     [](Value, Flags* f) { return Set(&f->tcp.pre_existing, false); }},
    {"host", "NAME", "http: only requests to this host, with its port or of any", Needs::kHttp,
     ApplyHost},
    {"status", "LIST", "http: only these: 404,5xx", Needs::kHttp,
     [](Value v, Flags* f) { return ParseStatuses(v, &f->http_match.statuses); }},
    {"min-latency", "TIME", "http: only what took at least so long", Needs::kHttp,
     [](Value v, Flags* f) { return ParseDuration(v, &f->http_match.min_latency.emplace()); }},
    {"query", "MODE", "http: keep queries of URLs (default), only their keys, or drop them",
     Needs::kHttp, ApplyQuery},
    {"header", "NAME", "http: show this header too, of requests and responses", Needs::kHttp,
     ApplyHeader},
    {"max-connections", "N", "tcp, http: open at once that can be followed (default 65536)",
     Needs::kConnections,
     [](Value v, Flags* f) { return ParseConnections(v, &f->tcp.max_connections); }},
    {"ring-bytes", "BYTES", "buffer between kernel and command (default 1M; tcp 4M; http 8M)",
     Needs::kNothing, ApplyRingBytes},
    {"duration", "TIME", "end after this time: 500ms, 10s, 5m, 2h", Needs::kNothing,
     [](Value v, Flags* f) { return ParseDuration(v, &f->duration.emplace()); }},
    {"record", "FILE", "also write all to FILE, for --replay", Needs::kNothing,
     [](Value v, Flags* f) { return SetPath(v, &f->record); }},
    {"replay", "FILE", "show what --record wrote; needs no privilege", Needs::kNothing,
     [](Value v, Flags* f) { return SetPath(v, &f->replay); }},
    {"user", "USER", "become this user (id or name) once all is attached", Needs::kNothing,
     [](Value v, Flags* f) {
       User& user = f->user.emplace();
       return ParseUser(v, &user.uid, &user.gid);
     }},
    {"seccomp", nullptr, "from then on allow only the system calls that are needed",
     Needs::kNothing, [](Value, Flags* f) { return Set(&f->seccomp); }},
    {"costs", nullptr, "at the end show what the programs in the kernel took", Needs::kNothing,
     [](Value, Flags* f) { return Set(&f->costs); }},
    {"color", "WHEN", "auto (on a terminal, unless NO_COLOR is set), always, never",
     Needs::kNothing, ApplyColor},
    {"help", nullptr, "show this text", Needs::kNothing,
     [](Value, Flags* f) { return Set(&f->action, Action::kHelp); }},
    {"version", nullptr, "show the version", Needs::kNothing,
     [](Value, Flags* f) { return Set(&f->action, Action::kVersion); }},
};

}  // namespace

std::span<const Option> AllOptions() {
  return kOptions;
}

}  // namespace masflow_cli
