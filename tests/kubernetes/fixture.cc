// SPDX-License-Identifier: Apache-2.0
#include "fixture.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace masflow::kubernetes_test {
namespace {

void Run(const std::string& command) {
  if (std::system((command + " 2>/dev/null").c_str()) != 0) {
    throw std::runtime_error("failed: " + command);
  }
}

std::string Replace(std::string text, std::string_view from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string Contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string contents{std::istreambuf_iterator<char>(in), {}};
  if (contents.empty()) {
    throw std::runtime_error("no file " + path);
  }
  return contents;
}

std::string Digits(int i, std::size_t width) {
  std::string digits = std::to_string(i);
  return std::string(width - digits.size(), '0') + digits;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string path = std::filesystem::temp_directory_path() / "masflow_kubernetes_XXXXXX";
  if (mkdtemp(path.data()) == nullptr) {
    throw std::runtime_error("no temporary folder");
  }
  path_ = path;
}

TemporaryFolder::~TemporaryFolder() {
  std::filesystem::remove_all(path_);
}

std::string TemporaryFolder::Write(const std::string& name, std::string_view content) const {
  const std::string path = File(name);
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

Authority::Authority(const TemporaryFolder& folder, const std::string& name)
    : folder_(folder), ca_file_(folder.File(name + ".crt")), key_file_(folder.File(name + ".key")) {
  Run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "
      "/CN=" +
      name + " -keyout " + key_file_ + " -out " + ca_file_);
}

Identity Authority::Sign(const std::string& name, const std::string& names, int days) const {
  const Identity identity{.certificate = folder_.File(name + ".crt"),
                          .key = folder_.File(name + ".key")};
  const std::string request = folder_.File(name + ".csr");
  const std::string extensions = folder_.Write(name + ".ext", "subjectAltName=" + names + "\n");
  Run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=" + name +
      " -keyout " + identity.key + " -out " + request);
  Run("openssl x509 -req -in " + request + " -CA " + ca_file_ + " -CAkey " + key_file_ +
      " -CAcreateserial -days " + std::to_string(days) + " -extfile " + extensions + " -out " +
      identity.certificate);
  return identity;
}

void Told::OnPod(PodNames pod) {
  std::lock_guard lock(lock_);
  ++told;
  std::string uid = pod.uid;
  pods.insert_or_assign(std::move(uid), std::move(pod));
  changed_.notify_all();
}

void Told::OnPodGone(const std::string& uid) {
  std::lock_guard lock(lock_);
  pods.erase(uid);
  changed_.notify_all();
}

void Told::OnService(ServiceNames service) {
  std::lock_guard lock(lock_);
  ++told;
  std::string key = service.service_namespace + "/" + service.name;
  services.insert_or_assign(std::move(key), std::move(service));
  changed_.notify_all();
}

void Told::OnServiceGone(const std::string& service_namespace, const std::string& name) {
  std::lock_guard lock(lock_);
  services.erase(service_namespace + "/" + name);
  changed_.notify_all();
}

void Told::OnState(const absl::Status& now) {
  std::lock_guard lock(lock_);
  state = now;
  changed_.notify_all();
}

bool Told::Wait(const std::function<bool()>& condition) {
  std::unique_lock lock(lock_);
  return changed_.wait_for(lock, std::chrono::minutes(1), condition);
}

bool Told::WaitForPods(std::size_t count) {
  return Wait([&] { return pods.size() == count; });
}

bool Told::WaitForState(absl::StatusCode code) {
  return Wait([&] { return state.code() == code; });
}

std::string Told::message() {
  std::lock_guard lock(lock_);
  return std::string(state.message());
}

internal::Timings QuickTimings() {
  using namespace std::chrono_literals;
  return {.connect = 20s, .silence = 20s, .watch = 20s, .first_pause = 2ms, .longest_pause = 20ms};
}

std::string Body(const std::string& name) {
  std::string body = Contents(std::string(MASFLOW_TEST_BODIES) + "/" + name);
  std::erase(body, '\n');  // as servers send it, an event of a watch in particular
  return body;
}

std::string Recording(const std::string& name) {
  return Contents(std::string(MASFLOW_TEST_RECORDED) + "/" + name);
}

std::string NumberedPod(int i) {
  static const std::string pod = Body("pod.json");
  std::string numbered = Replace(pod, "11111111-2222", Digits(i, 8) + "-2222");
  numbered = Replace(std::move(numbered), "-x7k2p", "-" + Digits(i, 5));
  numbered = Replace(std::move(numbered), "10.244.1.17",
                     "10." + std::to_string(i / 65536) + "." + std::to_string(i / 256 % 256) + "." +
                         std::to_string(i % 256));
  return numbered;
}

std::string NumberedPods(int first, int count) {
  std::string items = "[";
  for (int i = first; i < first + count; ++i) {
    items += (i == first ? "" : ",") + NumberedPod(i);
  }
  return items + "]";
}

std::string PodList(const std::string& items, const std::string& version, const std::string& rest) {
  return R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":")" + version +
         (rest.empty() ? R"("})" : R"(","continue":")" + rest + R"(","remainingItemCount":1})") +
         R"(,"items":)" + items + "}\n";
}

}  // namespace masflow::kubernetes_test
