// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/reflector.h"

#include <cstddef>
#include <utility>

#include "kubernetes/requests.h"

namespace masflow::internal {
namespace {

using Clock = std::chrono::steady_clock;

// etcd takes objects of 1.5 MB, and some of what the API adds.
constexpr std::size_t kMostEventBytes = std::size_t{8} << 20;

// Names of nodes have nothing else, see MakeApiServerSource().
std::string PathOf(const Reflected& reflected) {
  if (reflected.resource == Resource::kServices) {
    return "/api/v1/services?";
  }
  return reflected.node.empty()
             ? "/api/v1/pods?"
             : "/api/v1/pods?fieldSelector=spec.nodeName%3D" + reflected.node + "&";
}

std::string Escaped(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      escaped += c;
    } else {
      escaped += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return escaped;
}

}  // namespace

Reflector::Reflector(Endpoint endpoint, Reflected reflected, Timings timings, NameSink* sink,
                     std::function<void(absl::Status)> on_state)
    : client_(std::move(endpoint), timings.connect),
      reflected_(std::move(reflected)),
      timings_(timings),
      on_state_(std::move(on_state)),
      known_(sink),
      backoff_(timings.first_pause, timings.longest_pause) {}

void Reflector::Run(Worker& worker) {
  while (!worker.stopped()) {
    const Clock::time_point begin = Clock::now();
    absl::Status status = version_.empty() ? List() : absl::OkStatus();
    if (status.ok()) {
      status = Watch();
    }
    if (absl::IsCancelled(status)) {
      return;
    }
    if (absl::IsOutOfRange(status) || absl::IsDataLoss(status)) {
      version_.clear();  // what was missed cannot be told
    }
    if (!status.ok() && !absl::IsOutOfRange(status)) {
      on_state_(std::move(status));
    }
    // A server that ends each watch at once is not asked in a loop.
    if (Clock::now() - begin > timings_.longest_pause) {
      backoff_.Reset();
    }
    if (!worker.Pause(backoff_.Next(retry_after_))) {
      return;
    }
  }
}

std::string Reflector::Target(const std::string& parameters) const {
  return PathOf(reflected_) + parameters;
}

std::string Reflector::Needs() const {
  return std::string("list and watch of ") +
         (reflected_.resource == Resource::kPods ? "pods" : "services");
}

// The pods of one node come out of the server's memory (version 0), as kubelets ask for them: a
// thousand nodes that start at once must not go to its database. All of a cluster come in pages.
absl::Status Reflector::List() {
  const std::string first = reflected_.node.empty() || reflected_.resource == Resource::kServices
                                ? "limit=500"
                                : "resourceVersion=0";
  known_.BeginList();
  ObjectList page;
  do {
    const std::string parameters =
        page.rest.empty() ? first : "limit=500&continue=" + Escaped(page.rest);
    absl::StatusOr<ObjectList> read =
        AskForList(&client_, Target(parameters), Needs(), timings_.silence, reflected_.resource,
                   NamesFrom::kApiServer, &retry_after_);
    if (!read.ok()) {
      return read.status();
    }
    page = *std::move(read);
    for (KubeObject& object : page.objects) {
      known_.Put(std::move(object));
    }
  } while (!page.rest.empty());
  known_.EndList();
  if (page.version.empty()) {
    return absl::DataLossError("the API server's list has no version");
  }
  version_ = std::move(page.version);
  return absl::OkStatus();
}

absl::Status Reflector::Watch() {
  const auto seconds = std::uniform_int_distribution<std::chrono::seconds::rep>(
      timings_.watch.count(), 2 * timings_.watch.count())(random_);
  const std::string target =
      Target("watch=1&allowWatchBookmarks=true&timeoutSeconds=" + std::to_string(seconds) +
             "&resourceVersion=" + Escaped(version_));
  std::string unfinished;  // an event that is cut off is told again from `version_` on
  return Ask(
      &client_, target, Needs(), std::chrono::seconds(seconds) + timings_.silence,
      [&](std::string_view piece) {
        if (piece.empty()) {
          on_state_(absl::OkStatus());  // it is accepted; events may take hours
        }
        return ReadEvents(piece, &unfinished);
      },
      &retry_after_);
}

absl::Status Reflector::ReadEvents(std::string_view piece, std::string* unfinished) {
  std::size_t end = piece.find('\n');
  while (end != std::string_view::npos) {
    unfinished->append(piece.substr(0, end));
    if (absl::Status status = ReadEvent(*unfinished); !status.ok()) {
      return status;
    }
    unfinished->clear();
    piece.remove_prefix(end + 1);
    end = piece.find('\n');
  }
  unfinished->append(piece);
  return unfinished->size() <= kMostEventBytes
             ? absl::OkStatus()
             : absl::DataLossError("the API server sent a watch event of more than 8 MiB");
}

absl::Status Reflector::ReadEvent(std::string_view line) {
  absl::StatusOr<WatchEvent> event =
      ParseWatchEvent(reflected_.resource, NamesFrom::kApiServer, line);
  if (!event.ok()) {
    return event.status();
  }
  switch (event->kind) {
    case WatchEvent::Kind::kError:
      return event->error;
    case WatchEvent::Kind::kChanged:
      known_.Put(std::move(event->object));
      break;
    case WatchEvent::Kind::kGone:
      known_.Gone(event->object);
      break;
    case WatchEvent::Kind::kBookmark:
      break;
  }
  version_ = std::move(event->version);
  return absl::OkStatus();
}

}  // namespace masflow::internal
