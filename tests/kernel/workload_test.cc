// SPDX-License-Identifier: Apache-2.0
//
// The container and pod of an event, in whatever hierarchy this machine has its cgroups. With
// bare cgroups, so that it also runs where there is no container runtime.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "live.h"
#include "sockets.h"
#include "spawn.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

// What a kubelet and a runtime make for a container. The cgroups go with it.
class Pod {
 public:
  Pod(const SupportReport& support, const std::string& logs, char digit, std::string name)
      : uid_("0b1e6a3c-7d54-4f0a-9c1d-00000000000" + std::string(1, digit)),
        container_(64, digit),
        name_(std::move(name)) {
    EXPECT_FALSE(support.cgroup_mount.empty()) << support.cgroup_hierarchy;
    EXPECT_TRUE(std::filesystem::create_directories(logs + "/pods/shop_" + name_ + "_" + uid_));
    std::string path;
    for (const std::string& part :
         {std::string("kubepods"), std::string("burstable"), "pod" + uid_, container_}) {
      path += "/" + part;
      made_.push_back(support.cgroup_mount + path);
      EXPECT_TRUE(mkdir(made_.back().c_str(), 0755) == 0 || errno == EEXIST)
          << made_.back() << ": " << std::strerror(errno);
    }
    path_ = std::move(path);
  }
  ~Pod() {
    for (; !made_.empty(); made_.pop_back()) {  // the upper ones may be in use by others
      for (int i = 0; i < 1000 && rmdir(made_.back().c_str()) != 0 && errno == EBUSY; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
  }
  Pod(const Pod&) = delete;
  Pod& operator=(const Pod&) = delete;

  // Execs in the container, and connects to this port before.
  Child Run(std::uint16_t port) const {
    return Fork([this, port] {
      WriteFile(made_.back() + "/cgroup.procs", "0");
      const UniqueFd socket = Socket(kLocalhost);
      if (Connect(socket.get(), kLocalhost, port) != 0) {
        return 1;
      }
      return Exec(ChildProgram(), {"mf_child", "exit", "0"});
    });
  }

  void Expect(const std::shared_ptr<const Workload>& workload) const {
    ASSERT_NE(workload, nullptr);
    EXPECT_EQ(workload->cgroup_path, path_);
    EXPECT_EQ(workload->container_id, container_);
    EXPECT_EQ(workload->pod_uid, uid_);
    EXPECT_EQ(workload->qos, PodQos::kBurstable);
    EXPECT_EQ(workload->pod_namespace, "shop");
    EXPECT_EQ(workload->pod_name, name_);
    EXPECT_EQ(workload->names_from, NamesFrom::kPodLogs);
    struct stat info {};
    EXPECT_EQ(stat(made_.back().c_str(), &info), 0);
    EXPECT_EQ(workload->cgroup_id, info.st_ino);
  }

 private:
  const std::string uid_;
  const std::string container_;
  const std::string name_;
  std::string path_;
  std::vector<std::string> made_;
};

class WorkloadTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    std::filesystem::create_directory(dir_ / "pods");
    std::filesystem::create_directory(dir_ / "containers");
    absl::StatusOr<Session> session = Session::Create(
        {.workloads = {.pod_logs = dir_ / "pods", .container_logs = dir_ / "containers"}});
    ASSERT_TRUE(session.ok()) << session.status();
    session_.emplace(*std::move(session));
  }

  void Open() {
    absl::StatusOr<ProcessStream> process = ProcessStream::Open(*session_);
    ASSERT_TRUE(process.ok()) << process.status();
    process_.emplace(*std::move(process));
    process_->OnExec([this](const ProcessExecView& exec) { execs_.push_back(Own(exec)); });
    absl::StatusOr<TcpStream> tcp = TcpStream::Open(*session_);
    ASSERT_TRUE(tcp.ok()) << tcp.status();
    tcp_.emplace(*std::move(tcp));
    tcp_->OnConnect([this](const TcpConnectView& connect) { connects_.push_back(Own(connect)); });
  }

  // Its process and its connection carry what the pod is.
  void ExpectNamed(const Pod& pod) {
    const Listener listener = Listen();
    Child child = pod.Run(listener.port);
    EXPECT_EQ(child.Wait(), 0);
    const ProcessExec* exec = nullptr;
    const TcpConnect* connect = nullptr;
    const auto end = std::chrono::steady_clock::now() + kDeadline;
    while ((exec == nullptr || connect == nullptr) && std::chrono::steady_clock::now() < end) {
      session_->Drain(256);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      for (const ProcessExec& one : execs_) {
        exec = one.process.id.pid == child.pid() ? &one : exec;
      }
      for (const TcpConnect& one : connects_) {
        connect = one.connection.remote.port == listener.port ? &one : connect;
      }
    }
    ASSERT_NE(exec, nullptr);
    ASSERT_NE(connect, nullptr);
    pod.Expect(exec->process.workload);
    ASSERT_TRUE(connect->connection.owner);
    pod.Expect(connect->connection.owner->workload);
  }

  TempDir dir_;
  std::optional<Session> session_;

 private:
  std::optional<ProcessStream> process_;
  std::optional<TcpStream> tcp_;
  std::deque<ProcessExec> execs_;
  std::deque<TcpConnect> connects_;
};

TEST_F(WorkloadTest, APodThatWasThereBefore) {
  const Pod pod(session_->support(), dir_.path(), '1', "before");
  Open();
  ExpectNamed(pod);
}

TEST_F(WorkloadTest, APodThatComesLater) {
  Open();
  const Pod pod(session_->support(), dir_.path(), '2', "later");
  ExpectNamed(pod);
}

}  // namespace
}  // namespace masflow::kernel_test
