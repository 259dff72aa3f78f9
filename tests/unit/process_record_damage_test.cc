// SPDX-License-Identifier: Apache-2.0
//
// Records that are none: cut, with lengths that lie, of no known kind.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "test_support.h"
#include "wire/process_record.h"
#include "wire_testing.h"

namespace masflow::internal {
namespace {

Bytes WithSize(Bytes record, std::size_t size) {
  return WithHeader(std::move(record),
                    [&](mf_header& header) { header.size = static_cast<std::uint32_t>(size); });
}

TEST(ProcessRecordDamage, Undamaged_Decodes) {
  for (const Bytes& record : OneOfEachKind()) {
    EXPECT_TRUE(Decodes(record));
  }
}

TEST(ProcessRecordDamage, CutAtAnyLength_IsMalformed) {
  for (const Bytes& record : OneOfEachKind()) {
    for (std::size_t size = 0; size < record.size(); ++size) {
      Bytes cut(record.begin(), record.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(Decodes(cut)) << size;
      if (size >= sizeof(mf_header)) {
        EXPECT_FALSE(Decodes(WithSize(cut, size))) << size << ", and the header says so";
      }
    }
  }
}

TEST(ProcessRecordDamage, Peek_CutAtAnyLength_NeedsTheProcess) {
  for (const Bytes& record : OneOfEachKind()) {
    for (std::size_t size = 0; size < record.size(); ++size) {
      const Bytes cut(record.begin(), record.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_EQ(PeekProcessRecord(cut).has_value(), size >= sizeof(mf_header) + sizeof(mf_process));
    }
  }
}

TEST(ProcessRecordDamage, Peek_TimesOutOfRange_IsSafe) {
  for (const std::uint64_t time : {std::uint64_t{0}, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    for (const std::uint64_t duration : {std::uint64_t{1}, std::uint64_t{1} << 63}) {
      mf_exit wire = WireExit(0);
      wire.header.ktime_ns = time;
      wire.duration_ns = duration;
      EXPECT_TRUE(PeekProcessRecord(MakeRecord(wire)).has_value());
      EXPECT_TRUE(Decodes(MakeRecord(wire)));
    }
  }
}

TEST(ProcessRecordDamage, BytesBehindTheEnd_AreMalformed) {
  for (const Bytes& record : OneOfEachKind()) {
    for (std::size_t more = 1; more <= 8; ++more) {
      Bytes longer = record;
      longer.resize(record.size() + more);
      EXPECT_FALSE(Decodes(longer));
      EXPECT_FALSE(Decodes(WithSize(longer, longer.size())));
    }
  }
}

TEST(ProcessRecordDamage, SizeInTheHeaderLies_IsMalformed) {
  for (const Bytes& record : OneOfEachKind()) {
    for (const std::size_t size :
         {std::size_t{0}, sizeof(mf_header), record.size() - 1, record.size() + 1,
          std::size_t{std::numeric_limits<std::uint32_t>::max()}}) {
      EXPECT_FALSE(Decodes(WithSize(record, size))) << size;
    }
  }
}

TEST(ProcessRecordDamage, UnknownKind_IsMalformed) {
  for (const Bytes& record : OneOfEachKind()) {
    int known = 0;
    for (unsigned kind = 0; kind <= 0xffff; ++kind) {
      const bool decodes = Decodes(WithHeader(
          record, [&](mf_header& header) { header.kind = static_cast<std::uint16_t>(kind); }));
      known += decodes ? 1 : 0;
      if (decodes) {
        EXPECT_GE(kind, 1u);
        EXPECT_LE(kind, 4u);
      }
    }
    EXPECT_GE(known, 1);
  }
}

template <class Change>
bool ExecDecodes(Change&& change, std::string_view tail = kExecTail) {
  mf_exec wire = WireExec();
  change(wire);
  return Decodes(MakeRecord(wire, tail));
}

TEST(ProcessRecordDamage, LengthOfAPartLies_IsMalformed) {
  EXPECT_TRUE(ExecDecodes([](mf_exec&) {}));
  for (const int lie : {-3, -1, 1, 2, 100, 0xffff}) {
    EXPECT_FALSE(ExecDecodes([&](mf_exec& wire) {
      wire.filename_len = static_cast<std::uint16_t>(wire.filename_len + lie);
    })) << lie;
    EXPECT_FALSE(ExecDecodes([&](mf_exec& wire) {
      wire.path_len = static_cast<std::uint16_t>(wire.path_len + lie);
    })) << lie;
    EXPECT_FALSE(ExecDecodes([&](mf_exec& wire) {
      wire.args_len = wire.args_len + static_cast<std::uint32_t>(lie);
    })) << lie;
  }
  EXPECT_FALSE(ExecDecodes([](mf_exec& wire) {
    wire.args_len = wire.args_total = std::numeric_limits<std::uint32_t>::max();
  }));
  EXPECT_FALSE(ExecDecodes([](mf_exec& wire) { wire.args_total = wire.args_len - 1; }))
      << "more captured than there is";
  EXPECT_FALSE(ExecDecodes([](mf_exec& wire) { --wire.path_len, ++wire.args_len; }))
      << "the path without its last NUL";
}

TEST(ProcessRecordDamage, NumberOfPathPartsLies_IsMalformed) {
  for (const std::uint16_t parts : std::vector<std::uint16_t>{0, 1, 3, 0xffff}) {
    EXPECT_FALSE(ExecDecodes([&](mf_exec& wire) { wire.path_parts = parts; })) << parts;
  }
  const auto off_tree = [](mf_exec& wire) {
    wire.header.flags = MF_EXEC_PATH_OFF_TREE;
    wire.filename_len = wire.path_len = wire.path_parts = 0;
    wire.args_len = 0;
  };
  EXPECT_FALSE(ExecDecodes(off_tree, "")) << "off the tree there is a name";
}

TEST(ProcessRecordDamage, PathTooLong_IsMalformed) {
  const auto decodes = [](const std::string& components, std::uint16_t parts,
                          std::uint16_t flags = 0) {
    return ExecDecodes(
        [&](mf_exec& wire) {
          wire.header.flags = flags;
          wire.filename_len = 0;
          wire.args_len = 0;
          wire.path_len = static_cast<std::uint16_t>(components.size());
          wire.path_parts = parts;
        },
        components);
  };
  const std::string longest = std::string(MF_PATH_MAX - 1, 'p') + '\0';
  EXPECT_TRUE(decodes(longest, 1));
  EXPECT_FALSE(decodes('p' + longest, 1));
  EXPECT_FALSE(decodes('p' + longest, 1, MF_EXEC_PATH_OFF_TREE));
  EXPECT_FALSE(decodes(std::string(0xffff, '\0'), 0xffff));
  EXPECT_TRUE(decodes(std::string(MF_PATH_MAX, '\0'), MF_PATH_MAX)) << "empty ones fill it";
}

TEST(ProcessRecordDamage, ExecFailedLengthLies_IsMalformed) {
  for (const std::uint16_t length : std::vector<std::uint16_t>{0, 3, 5, 0xffff}) {
    mf_exec_failed wire = WireExecFailed();
    wire.filename_len = length;
    EXPECT_FALSE(Decodes(MakeRecord(wire, "/no/"))) << length;
  }
}

// Reads every byte of every text, so that a sanitizer sees what does not belong to it.
std::size_t TouchAll(const ProcessRecordView& view) {
  return std::visit(
      [](const auto& e) {
        const auto event = Own(e);
        std::size_t sum = event.process.comm.size();
        if constexpr (requires { event.args; }) {
          const std::string args = event.args.value_or("");
          for (const std::string_view arg : Args(args)) {
            sum += arg.size();
          }
          sum += event.filename.size() + event.executable.value_or("").size();
        }
        return sum;
      },
      view);
}

TEST(ProcessRecordDamage, BytesChangedAtRandom_AreSafe) {
  std::mt19937 random(1);  // the same each time
  const std::vector<Bytes> records = OneOfEachKind();
  std::size_t decoded = 0;
  for (int i = 0; i < 40'000; ++i) {
    Bytes record = records[random() % records.size()];
    for (unsigned changes = random() % 4; changes > 0; --changes) {
      record[random() % record.size()] = static_cast<std::byte>(random());
    }
    const Bytes exact(record.begin(), record.end());
    PeekProcessRecord(exact);
    ProcessDecoder decoder;
    if (const auto view = decoder.Decode(exact); view.has_value()) {
      decoded += TouchAll(*view) < 100'000 ? 1 : 0;
    }
  }
  EXPECT_GT(decoded, 1000u);
}

}  // namespace
}  // namespace masflow::internal
