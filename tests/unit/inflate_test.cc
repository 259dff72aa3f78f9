// SPDX-License-Identifier: Apache-2.0
#include "bpf/inflate.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bpf/libbpf_log.h"
#include "bpf/skeleton.h"
#include "masflow_bpf/wire.h"

// After what they name.
#include "http.skel.h"
#include "http_plain.skel.h"
#include "process.skel.h"
#include "process_plain.skel.h"
#include "tcp.skel.h"
#include "tcp_plain.skel.h"
#include "workload.skel.h"

namespace masflow::internal {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// "MasFlow\n" by gzip -9n.
constexpr std::string_view kGzip(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xf3\x4d\x2c\x76\xcb\xc9\x2f\xe7\x02\x00\x0b\x5f\xae"
    "\x12\x08\x00\x00\x00",
    28);

std::string TextOf(const Inflated& inflated) {
  return {reinterpret_cast<const char*>(inflated.bytes.get()), inflated.size};
}

// Whether it is refused as damaged.
testing::AssertionResult IsRefused(std::string_view gzip) {
  errno = 0;
  // At its end, so that a sanitizer sees who reads on.
  const std::vector<char> copy(gzip.begin(), gzip.end());
  const Inflated inflated = Inflate(copy.data(), copy.size());
  if (inflated.bytes == nullptr && inflated.size == 0 && errno == EBADMSG) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << inflated.size << " bytes, errno " << errno;
}

TEST(InflateTest, AWholeFile) {
  EXPECT_EQ(TextOf(Inflate(kGzip.data(), kGzip.size())), "MasFlow\n");
}

TEST(InflateTest, CutAnywhere_IsRefused) {
  for (std::size_t size = 0; size < kGzip.size(); ++size) {
    EXPECT_TRUE(IsRefused(kGzip.substr(0, size))) << size;
  }
}

TEST(InflateTest, MoreBehindIt_IsRefused) {
  EXPECT_TRUE(IsRefused(std::string(kGzip) + '\0'));
  EXPECT_TRUE(IsRefused(std::string(kGzip) + std::string(kGzip)));
}

TEST(InflateTest, AnyOtherByte_IsRefused) {
  for (std::size_t at = 0; at < kGzip.size(); ++at) {
    if (at >= 3 && at < 10) {
      continue;  // flags, time, system: of these only some matter
    }
    std::string damaged(kGzip);
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    EXPECT_TRUE(IsRefused(damaged)) << at;
  }
}

TEST(InflateTest, ASizeThatCannotBe_IsRefusedBeforeMemoryIsTaken) {
  std::string damaged(kGzip);
  damaged.replace(damaged.size() - 4, 4, "\xff\xff\xff\xff");
  EXPECT_TRUE(IsRefused(damaged));
}

TEST(InflateTest, AnObjectThatIsNotCompressed_IsRefused) {
  EXPECT_TRUE(IsRefused(std::string("\177ELF\x02\x01\x01 and what else an object begins with")));
}

struct Embedded {
  const char* name;
  GzipBytes gzip_bytes;
};

class EmbeddedObjectTest : public testing::TestWithParam<Embedded> {};

TEST_P(EmbeddedObjectTest, IsWhatTheCompilerMade) {
  std::size_t size = 0;
  const void* const gzip = GetParam().gzip_bytes(&size);
  const std::string object = TextOf(Inflate(gzip, size));
  EXPECT_THAT(object, StartsWith("\177ELF"));
  EXPECT_LT(size, object.size() / 2);
#ifdef MASFLOW_TEST_OBJECTS  // not where ready-made skeletons are used
  std::ifstream file(std::string(MASFLOW_TEST_OBJECTS "/") + GetParam().name + ".bpf.o",
                     std::ios::binary);
  const std::string made{std::istreambuf_iterator<char>(file), {}};
  ASSERT_FALSE(made.empty());
  EXPECT_TRUE(object == made) << "they differ";  // half a megabyte that need not be printed
#endif
}

INSTANTIATE_TEST_SUITE_P(All, EmbeddedObjectTest,
                         testing::Values(Embedded{"http", masflow_http_bpf::gzip_bytes},
                                         Embedded{"http_plain", masflow_http_plain_bpf::gzip_bytes},
                                         Embedded{"process", masflow_process_bpf::gzip_bytes},
                                         Embedded{"process_plain",
                                                  masflow_process_plain_bpf::gzip_bytes},
                                         Embedded{"tcp", masflow_tcp_bpf::gzip_bytes},
                                         Embedded{"tcp_plain", masflow_tcp_plain_bpf::gzip_bytes},
                                         Embedded{"workload", masflow_workload_bpf::gzip_bytes}),
                         [](const auto& object) { return std::string(object.param.name); });

using Skeleton = masflow_workload_bpf;

TEST(OpenSkeletonTest, OpensWithoutRights) {
  Skeleton* const skeleton = OpenSkeleton(masflow_workload_bpf__create_skeleton);
  ASSERT_NE(skeleton, nullptr) << std::strerror(errno);
  EXPECT_NE(skeleton->obj, nullptr);
  EXPECT_EQ(skeleton->skeleton->data, nullptr) << "what was given back is still named";
  Skeleton::destroy(skeleton);
}

const void* Damaged(std::size_t* size) {
  *size = kGzip.size() - 1;
  return kGzip.data();
}

TEST(OpenSkeletonTest, ADamagedObject_IsToldByErrno) {
  EXPECT_EQ(OpenSkeleton(masflow_workload_bpf__create_skeleton, Damaged), nullptr);
  EXPECT_EQ(errno, EBADMSG);
}

const void* Text(std::size_t* size) {
  *size = kGzip.size();
  return kGzip.data();
}

TEST(OpenSkeletonTest, WhatIsNoObject_IsRefusedByLibbpf) {
  const LibbpfLog log;
  EXPECT_EQ(OpenSkeleton(masflow_workload_bpf__create_skeleton, Text), nullptr);
  EXPECT_EQ(errno, LIBBPF_ERRNO__FORMAT);
}

// bpftool's own way in would hand over the compressed bytes.
TEST(OpenSkeletonTest, TheSkeletonsOwnOpen_Fails) {
  const LibbpfLog log;
  EXPECT_EQ(Skeleton::open(), nullptr);
  EXPECT_EQ(errno, LIBBPF_ERRNO__FORMAT);
  EXPECT_THAT(log.text(), HasSubstr("not a proper ELF object"));
}

}  // namespace
}  // namespace masflow::internal
