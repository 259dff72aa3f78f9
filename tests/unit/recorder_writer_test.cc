// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <chrono>
#include <cstring>
#include <thread>

#include <gtest/gtest.h>

#include "replay/recording_writer.h"
#include "replay_testing.h"

namespace masflow::internal {
namespace {

constexpr StreamKind kProcess = StreamKind::kProcess;

Bytes SomeRecord(std::size_t size) {
  return Bytes(size, std::byte{0x5a});
}

std::string Contents(int fd) {
  struct stat file {};
  EXPECT_EQ(fstat(fd, &file), 0);
  std::string bytes(static_cast<std::size_t>(file.st_size), '\0');
  EXPECT_EQ(pread(fd, bytes.data(), bytes.size(), 0), file.st_size);
  return bytes;
}

// What `write` adds to a recording.
std::string Written(const std::function<void(RecordingWriter&)>& write) {
  const UniqueFd file = MemFile("");
  RecordingWriter writer(UniqueFd(dup(file.get())), "r.mfr");
  write(writer);
  writer.Flush();
  EXPECT_TRUE(writer.status().ok()) << writer.status();
  return Contents(file.get());
}

TEST(RecordingWriter, HeaderIsAsDocumented) {
  const std::string bytes = Written([](RecordingWriter& writer) {
    writer.AddHeader(TestReport(), {.monotonic_ns = 5, .realtime_ns = 7});
  });
  ASSERT_EQ(bytes.size(), 72u);  // 48 + 8 + 6 + 9 and a zero
  EXPECT_EQ(bytes.substr(0, 8), "\x8dMFREC\r\n");
  EXPECT_EQ(bytes.substr(48), std::string("6.1.0-13x86_64cgroup v2\0", 24));
  RecordingHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  EXPECT_EQ(header.byte_order, 0x01020304u);
  EXPECT_EQ(header.header_bytes, 72u);
  EXPECT_EQ(header.format_version, 4u);
  EXPECT_EQ(header.monotonic_ns, 5);
  EXPECT_EQ(header.realtime_ns, 7);
}

TEST(RecordingWriter, FramesBeginAtMultiplesOfEight) {
  for (std::size_t size = 0; size < 17; ++size) {
    const std::string bytes =
        Written([&](RecordingWriter& writer) { writer.AddRecord(kProcess, SomeRecord(size)); });
    EXPECT_EQ(bytes.size(), 8 + (size + 7) / 8 * 8);
    FrameHeader header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    EXPECT_EQ(header.size, 8 + size);
    EXPECT_EQ(header.type, 1u);
  }
}

TEST(RecordingWriter, CaughtUpIsWrittenOnlyAfterARecord) {
  const auto caught_up = [](RecordingWriter& writer) { writer.AddCaughtUp(kProcess); };
  EXPECT_EQ(Written(caught_up).size(), 0u);
  EXPECT_EQ(Written([&](RecordingWriter& writer) {
              writer.AddRecord(kProcess, SomeRecord(8));
              caught_up(writer);
              caught_up(writer);
            }).size(),
            24u);
}

TEST(RecordingWriter, ClockIsWrittenOnlyWhenItMoved) {
  EXPECT_EQ(Written([](RecordingWriter& writer) {
              writer.AddClock({.monotonic_ns = 5, .realtime_ns = 5});
              writer.AddClock({.monotonic_ns = 5, .realtime_ns = 6});
              writer.AddClock({.monotonic_ns = 7, .realtime_ns = 8});
            }).size(),
            24u);
}

TEST(RecordingWriter, EndIsWrittenOnceUnlessSomethingFollows) {
  EXPECT_EQ(Written([](RecordingWriter& writer) {
              writer.AddEnd();
              writer.AddEnd();
              writer.AddRecord(kProcess, SomeRecord(8));
              writer.AddEnd();
            }).size(),
            56u + 16u + 56u);
}

TEST(RecordingWriter, ARecordLargerThanAFrameEndsTheRecording) {
  const UniqueFd file = MemFile("");
  RecordingWriter writer(UniqueFd(dup(file.get())), "r.mfr");
  writer.AddRecord(kProcess, SomeRecord(kMaxFrameBytes - 8));
  EXPECT_TRUE(writer.status().ok());
  writer.AddRecord(kProcess, SomeRecord(kMaxFrameBytes - 7));
  EXPECT_EQ(writer.status().code(), absl::StatusCode::kOutOfRange);
}

TEST(RecordingWriter, AFullDiskEndsTheRecordingAndSaysSo) {
  RecordingWriter writer(UniqueFd(open("/dev/full", O_WRONLY | O_CLOEXEC)), "r.mfr");
  writer.AddRecord(kProcess, SomeRecord(8));
  EXPECT_FALSE(writer.failed());
  writer.Flush();
  EXPECT_TRUE(writer.failed());
  EXPECT_EQ(writer.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(writer.status().message().find("r.mfr: No space left on device: "),
            absl::string_view::npos)
      << writer.status();
  const std::string first(writer.status().message());
  writer.AddRecord(kProcess, SomeRecord(8));
  writer.AddEnd();
  writer.Flush();
  EXPECT_EQ(writer.status().message(), first);
}

TEST(RecordingWriter, TheSizeLimitOfTheProcessRaisesNoSignal) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit limit = before;
  limit.rlim_cur = 100;
  const ScratchDir dir;
  UniqueFd file(open((dir / "r.mfr").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  RecordingWriter writer(UniqueFd(dup(file.get())), "r.mfr");
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  for (int i = 0; i < 10; ++i) {
    writer.AddRecord(kProcess, SomeRecord(8));
  }
  writer.Flush();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_NE(writer.status().message().find("File too large"), absl::string_view::npos);
  EXPECT_EQ(Contents(file.get()).size(), 100u);
}

TEST(RecordingWriter, ShortWritesAndSignalsLoseNothing) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  UniqueFd read_end(ends[0]);
  ASSERT_GT(fcntl(read_end.get(), F_SETPIPE_SZ, 4096), 0);
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  pthread_sigmask(SIG_BLOCK, &alarm, nullptr);  // the reader inherits it
  std::string got;
  std::thread reader([&] {
    char buffer[3000];
    for (ssize_t n = 1; n > 0;) {
      std::this_thread::sleep_for(std::chrono::microseconds(300));
      n = read(read_end.get(), buffer, sizeof(buffer));
      got.append(buffer, static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    }
  });
  pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr);
  struct sigaction interrupt {};
  struct sigaction before {};
  interrupt.sa_handler = [](int) {};  // without SA_RESTART
  sigaction(SIGALRM, &interrupt, &before);
  const itimerval often = {.it_interval = {0, 500}, .it_value = {0, 500}};
  setitimer(ITIMER_REAL, &often, nullptr);
  std::string sent;
  {
    RecordingWriter writer(UniqueFd(ends[1]), "r.mfr");
    for (int i = 0; i < 30; ++i) {
      const Bytes record(10'000, std::byte(i));
      writer.AddRecord(kProcess, record);
      const FrameHeader header = {.size = 10'008, .type = 1};
      sent.append(reinterpret_cast<const char*>(&header), sizeof(header));
      sent.append(record.size(), static_cast<char>(i));
    }
    writer.Flush();
    EXPECT_TRUE(writer.status().ok()) << writer.status();
  }
  const itimerval never{};
  setitimer(ITIMER_REAL, &never, nullptr);
  sigaction(SIGALRM, &before, nullptr);
  reader.join();
  EXPECT_EQ(got.size(), sent.size());
  EXPECT_TRUE(got == sent);
}

}  // namespace
}  // namespace masflow::internal
