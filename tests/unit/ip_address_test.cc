// SPDX-License-Identifier: Apache-2.0
//
// Addresses, their text, and prefixes of them.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/ip_prefix.h"
#include "masflow/tcp_events.h"
#include "tcp_testing.h"

namespace masflow::internal {
namespace {

// Of a text that is none: a failure.
IpPrefix Prefix(const std::string& text) {
  const absl::StatusOr<IpPrefix> prefix = ParseIpPrefix(text);
  EXPECT_TRUE(prefix.ok()) << prefix.status();
  return prefix.value_or(IpPrefix{});
}

IpAddress Address(const std::string& text) {
  return Prefix(text).address;
}

TEST(IpAddress, ToString_IsAsInRfc5952) {
  for (const char* text : {"0.0.0.0", "127.0.0.1", "192.0.2.255", "::", "::1", "2001:db8::1",
                           "2001:db8::1:0:0:1", "2001:db8:0:1:1:1:1:1", "fe80::abcd:ef01",
                           "1:2:3:4:5:6:7:8", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
    EXPECT_EQ(ToString(Address(text)), text);
  }
  EXPECT_EQ(ToString(Address("2001:0DB8:0:0:0:0:00:0001")), "2001:db8::1");
  EXPECT_EQ(ToString(IpAddress{}), "0.0.0.0");
}

TEST(IpAddress, ToString_OfAnEndpoint_HasThePort) {
  EXPECT_EQ(ToString(Endpoint{.address = V4(192, 0, 2, 1), .port = 80}), "192.0.2.1:80");
  EXPECT_EQ(ToString(Endpoint{.address = kV6Loopback, .port = 65'535}), "[::1]:65535");
  EXPECT_EQ(ToString(Endpoint{}), "0.0.0.0:0");
}

TEST(IpAddress, Loopback) {
  for (const char* text : {"127.0.0.1", "127.0.0.0", "127.255.255.255", "::1"}) {
    EXPECT_TRUE(Address(text).is_loopback()) << text;
  }
  for (const char* text : {"0.0.0.0", "126.255.255.255", "128.0.0.1", "::", "::2",
                           "7f00::", "100::1", "2001:db8::1"}) {
    EXPECT_FALSE(Address(text).is_loopback()) << text;
  }
}

TEST(IpAddress, Unspecified) {
  EXPECT_TRUE(IpAddress{}.is_unspecified());
  EXPECT_TRUE(V6({}).is_unspecified());
  EXPECT_FALSE(V4(0, 0, 0, 1).is_unspecified());
  EXPECT_FALSE(kV6Loopback.is_unspecified());
  EXPECT_NE(IpAddress{}, V6({}));
}

TEST(IpPrefix, Parse_TakesAddressesAndPrefixes) {
  EXPECT_EQ(Prefix("10.0.0.0/8").bits, 8u);
  EXPECT_EQ(Prefix("10.0.0.0/8").address, V4(10, 0, 0, 0));
  EXPECT_EQ(Prefix("192.0.2.1").bits, 32u);
  EXPECT_EQ(Prefix("192.0.2.1/32").address, V4(192, 0, 2, 1));
  EXPECT_EQ(Prefix("0.0.0.0/0").bits, 0u);
  EXPECT_EQ(Prefix("2001:db8::/32").bits, 32u);
  EXPECT_EQ(Prefix("::1").bits, 128u);
  EXPECT_EQ(Prefix("::1").address, kV6Loopback);
  EXPECT_EQ(Prefix("::/0").address, V6({}));
}

TEST(IpPrefix, Parse_MappedAddressesAreIpv4) {
  EXPECT_EQ(Prefix("::ffff:192.0.2.1").address, V4(192, 0, 2, 1));
  EXPECT_EQ(Prefix("::ffff:192.0.2.1").bits, 32u);
  EXPECT_EQ(Prefix("::ffff:a00:0/104").address, V4(10, 0, 0, 0));
  EXPECT_EQ(Prefix("::ffff:a00:0/104").bits, 8u);
  EXPECT_EQ(Prefix("::ffff:0:0/96").address, IpAddress{});
  EXPECT_EQ(Prefix("::ffff:0:0/96").bits, 0u);
}

TEST(IpPrefix, Parse_RefusesWhatIsNone) {
  struct Case {
    std::string text;
    std::string says;
  };
  const std::string neither = "neither an IPv4 or IPv6 address";
  const std::vector<Case> cases = {
      {"", neither},
      {"/8", neither},
      {"localhost", neither},
      {"10.0.0", neither},
      {"10.0.0.256", neither},
      {"10.0.0.1:80", neither},
      {" 10.0.0.1", neither},
      {"10.0.0.1 ", neither},
      {"1:2:3:4:5:6:7", neither},
      {"fe80::1%lo", neither},
      {"[::1]", neither},
      {std::string("10.0.0.1\0x", 10), neither},
      {"10.0.0.0/", "from 0 to 32 bits"},
      {"10.0.0.0/33", "from 0 to 32 bits"},
      {"10.0.0.0/-8", "from 0 to 32 bits"},
      {"10.0.0.0/+8", "from 0 to 32 bits"},
      {"10.0.0.0/8/8", "from 0 to 32 bits"},
      {"10.0.0.0/99999999999", "from 0 to 32 bits"},
      {"::/129", "from 0 to 128 bits"},
      {"10.0.0.1/8", "write 10.0.0.0/8"},
      {"10.0.0.128/24", "write 10.0.0.0/24"},
      {"2001:db8::1/32", "write 2001:db8::/32"},
      {"::1/0", "write ::/0"},
      {"::ffff:10.0.0.0/8", "write ::/8"},
  };
  for (const Case& c : cases) {
    const absl::Status status = ParseIpPrefix(c.text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.text;
    EXPECT_NE(status.message().find(c.says), absl::string_view::npos) << status;
    EXPECT_EQ(status.message().substr(0, c.text.size() + 2), "\"" + c.text + "\"");
  }
}

TEST(IpPrefix, Contains_AtItsEdges) {
  struct Case {
    const char* prefix;
    const char* inside;
    const char* outside;
  };
  for (const Case& c : {Case{"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
                        {"10.128.0.0/9", "10.128.0.0", "10.127.255.255"},
                        {"192.0.2.4/31", "192.0.2.5", "192.0.2.6"},
                        {"192.0.2.1", "192.0.2.1", "192.0.2.0"},
                        {"0.0.0.0/0", "255.255.255.255", "::"},
                        {"::/0", "2001:db8::", "0.0.0.0"},
                        {"2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::"},
                        {"::1", "::1", "::"},
                        {"::ffff:10.0.0.0/104", "10.1.2.3", "::a01:203"}}) {
    EXPECT_TRUE(Prefix(c.prefix).Contains(Address(c.inside))) << c.prefix;
    EXPECT_FALSE(Prefix(c.prefix).Contains(Address(c.outside))) << c.prefix;
  }
}

}  // namespace
}  // namespace masflow::internal
