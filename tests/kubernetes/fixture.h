// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_KUBERNETES_TEST_FIXTURE_H_
#define MASFLOW_KUBERNETES_TEST_FIXTURE_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "kubernetes/timings.h"
#include "masflow/workload.h"
#include "server.h"

namespace masflow::kubernetes_test {

// A folder that goes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string File(const std::string& name) const { return path_ + "/" + name; }
  // Writes it, and returns its path.
  std::string Write(const std::string& name, std::string_view content) const;

 private:
  std::string path_;
};

// A certification authority of the test, by openssl(1).
class Authority {
 public:
  Authority(const TemporaryFolder& folder, const std::string& name);

  const std::string& ca_file() const { return ca_file_; }
  // A server that it vouches for; `names` as openssl(1) takes a subjectAltName.
  Identity Sign(const std::string& name, const std::string& names, int days = 1) const;

 private:
  const TemporaryFolder& folder_;
  const std::string ca_file_;
  const std::string key_file_;
};

// What a source has told, by any thread.
class Told final : public NameSink {
 public:
  void OnPod(PodNames pod) override;
  void OnPodGone(const std::string& uid) override;
  void OnService(ServiceNames service) override;
  void OnServiceGone(const std::string& service_namespace, const std::string& name) override;
  void OnState(const absl::Status& state) override;

  // Those below are read under the lock: in what is waited for, or after Stop() of the source.
  std::map<std::string, PodNames> pods{};          // by UID
  std::map<std::string, ServiceNames> services{};  // by "namespace/name"
  absl::Status state = absl::UnknownError("nothing told");
  int told = 0;  // calls of OnPod and OnService

  // False: it has not come true within a minute.
  bool Wait(const std::function<bool()>& condition);
  bool WaitForPods(std::size_t count);
  bool WaitForState(absl::StatusCode code);
  std::string message();

 private:
  std::mutex lock_;
  std::condition_variable changed_;
};

// Shorter pauses than those of production.
internal::Timings QuickTimings();

// A file of bodies/, and the one pod of pod.json as the number `i` of many.
std::string Body(const std::string& name);
// A file of recorded/, as it is.
std::string Recording(const std::string& name);
std::string NumberedPod(int i);
// "[a,b,…]" of so many pods, from `first` on.
std::string NumberedPods(int first, int count);
std::string PodList(const std::string& items, const std::string& version,
                    const std::string& rest = {});

}  // namespace masflow::kubernetes_test

#endif  // MASFLOW_KUBERNETES_TEST_FIXTURE_H_
