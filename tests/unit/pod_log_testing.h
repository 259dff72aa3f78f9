// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_TESTS_UNIT_POD_LOG_TESTING_H_
#define MASFLOW_TESTS_UNIT_POD_LOG_TESTING_H_

#include <poll.h>
#include <stdlib.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "workload/pod_log_directory.h"

namespace masflow::internal {

namespace fs = std::filesystem;
inline const std::string kIdEnd = "d5f5b1e0a9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e";

inline std::string Uid(int n) {
  std::string digits = std::to_string(n);
  return "8dbc1402-1f2e-4c3d-9a8b-" + std::string(12 - digits.size(), '0') + digits;
}

class KeepingSink : public NameSink {
 public:
  void OnPod(PodNames pod) override {
    EXPECT_EQ(pod.from, NamesFrom::kPodLogs);
    ++told;
    pods[pod.uid] = std::move(pod);
  }
  void OnPodGone(const std::string& uid) override { EXPECT_EQ(pods.erase(uid), 1u); }
  void OnService(ServiceNames) override { ADD_FAILURE(); }
  void OnServiceGone(const std::string&, const std::string&) override { ADD_FAILURE(); }
  void OnState(const absl::Status& s) override { states.push_back(s); }

  std::map<std::string, PodNames> pods;
  std::vector<absl::Status> states;
  int told = 0;
};

class PodLogDirectoryTest : public ::testing::Test {
 protected:
  PodLogDirectoryTest() {
    // In memory where that can be: some tests make very many entries.
    const fs::path memory = "/dev/shm";
    const fs::path base = fs::is_directory(memory) ? memory : fs::temp_directory_path();
    std::string name = base / "masflow_pod_logs_XXXXXX";
    root_ = mkdtemp(name.data());
    pods_ = root_ / "log" / "pods";
    containers_ = root_ / "log" / "containers";
  }
  ~PodLogDirectoryTest() override { fs::remove_all(root_); }

  void Open(std::size_t max_pods = PodLogDirectory::kMaxPods) {
    auto opened = PodLogDirectory::Open(pods_, containers_, max_pods);
    ASSERT_TRUE(opened.ok()) << opened.status();
    directory_ = *std::move(opened);
  }
  // All that the kernel has to tell is there when the call that caused it has returned.
  void Update() {
    while (directory_->Update(sink_)) {
    }
  }
  bool Readable() const {
    pollfd polled{.fd = directory_->fd(), .events = POLLIN, .revents = 0};
    return poll(&polled, 1, 0) == 1;
  }
  void MakePod(const std::string& name, int n, const std::string& pod_namespace = "default") {
    fs::create_directories(pods_ / (pod_namespace + "_" + name + "_" + Uid(n)));
  }
  void MakeContainer(const std::string& pod, const std::string& container, char digit) {
    fs::create_directories(containers_);
    fs::create_symlink(
        "/nowhere", containers_ / (pod + "_default_" + container + "-" + digit + kIdEnd + ".log"));
  }

  fs::path root_;
  fs::path pods_;
  fs::path containers_;
  std::unique_ptr<PodLogDirectory> directory_;
  KeepingSink sink_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_TESTS_UNIT_POD_LOG_TESTING_H_
