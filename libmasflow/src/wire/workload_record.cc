// SPDX-License-Identifier: Apache-2.0
#include "wire/workload_record.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "masflow_bpf/wire.h"

namespace masflow::internal {
namespace {

// Behind the kinds of masflow_bpf/wire_cgroup.h; never written by the kernel side.
constexpr std::uint16_t kPodKind = 56;
constexpr std::uint16_t kPodGoneKind = 57;
constexpr std::uint16_t kServiceKind = 58;
constexpr std::uint16_t kServiceGoneKind = 59;

constexpr std::size_t kMaxRecordBytes = std::size_t{32} << 10;
constexpr std::size_t kMaxTextBytes = std::size_t{4} << 10;
// The texts of a record that always have room; lists fill what is left.
constexpr std::size_t kMaxFixedTexts = 7;
static_assert(kMaxFixedTexts * kMaxTextBytes < kMaxRecordBytes);

class Writer {
 public:
  explicit Writer(std::uint16_t kind) : bytes_(sizeof(mf_header)) {
    mf_header header{};
    header.kind = kind;
    std::memcpy(bytes_.data(), &header, sizeof(header));
  }

  void Byte(std::uint8_t value) { bytes_.push_back(std::byte{value}); }
  void Text(std::string_view text) {
    text = text.substr(0, kMaxTextBytes);
    Number(static_cast<std::uint32_t>(text.size()));
    const auto* const begin = reinterpret_cast<const std::byte*>(text.data());
    bytes_.insert(bytes_.end(), begin, begin + text.size());
  }
  // `texts_of(item)` gives the texts of one, as an array. As many as there is room for.
  template <class Items, class TextsOf>
  void List(const Items& items, TextsOf texts_of) {
    const std::size_t count_at = bytes_.size();
    std::uint32_t count = 0;
    Number(0);
    for (const auto& item : items) {
      const auto texts = texts_of(item);
      std::size_t size = bytes_.size();
      for (const std::string_view text : texts) {
        size += sizeof(std::uint32_t) + std::min(text.size(), kMaxTextBytes);
      }
      if (size > kMaxRecordBytes - sizeof(std::uint32_t) * kMaxFixedTexts) {
        break;
      }
      std::for_each(texts.begin(), texts.end(), [this](std::string_view text) { Text(text); });
      ++count;
    }
    std::memcpy(bytes_.data() + count_at, &count, sizeof(count));
  }
  std::vector<std::byte> Take() {
    const auto size = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data() + offsetof(mf_header, size), &size, sizeof(size));
    return std::move(bytes_);
  }

 private:
  void Number(std::uint32_t value) {
    const auto* const begin = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), begin, begin + sizeof(value));
  }

  std::vector<std::byte> bytes_;
};

using Strings = std::array<std::string_view, 1>;
using Pair = std::array<std::string_view, 2>;

class Reader {
 public:
  explicit Reader(std::span<const std::byte> rest) : rest_(rest) {}

  // All was there, and nothing is left.
  bool good() const { return good_ && rest_.empty(); }

  std::uint8_t Byte() { return Take<std::uint8_t>(); }
  std::string Text() {
    const auto size = Take<std::uint32_t>();
    if (size > rest_.size()) {
      good_ = false;
      return {};
    }
    std::string text(reinterpret_cast<const char*>(rest_.data()), size);
    rest_ = rest_.subspan(size);
    return text;
  }
  template <class ReadOne>
  void List(ReadOne read_one) {
    const auto count = Take<std::uint32_t>();
    for (std::uint32_t i = 0; i < count && good_; ++i) {
      read_one();
    }
  }

 private:
  template <class Value>
  Value Take() {
    Value value{};
    if (sizeof(value) > rest_.size()) {
      good_ = false;
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof(value));
    rest_ = rest_.subspan(sizeof(value));
    return value;
  }

  std::span<const std::byte> rest_;
  bool good_ = true;
};

NamesFrom ReadFrom(Reader& reader) {
  const std::uint8_t from = reader.Byte();
  return from <= static_cast<std::uint8_t>(NamesFrom::kHost) ? NamesFrom{from} : NamesFrom::kHost;
}

std::optional<WorkloadNews> DecodeCgroup(const mf_header& header,
                                         std::span<const std::byte> record) {
  mf_cgroup wire{};
  if (record.size() < sizeof(wire)) {
    return std::nullopt;
  }
  std::memcpy(&wire, record.data(), sizeof(wire));
  const std::size_t left = record.size() - sizeof(wire);
  if (header.kind == MF_KIND_CGROUP_GONE) {
    return left == 0 ? std::optional<WorkloadNews>(CgroupGone{.id = wire.id}) : std::nullopt;
  }
  if (wire.path_len != left || left > MF_CGROUP_PATH_MAX) {
    return std::nullopt;
  }
  const auto* const path = reinterpret_cast<const char*>(record.data() + sizeof(wire));
  return CgroupMade{.id = wire.id, .path = std::string_view(path, left)};
}

PodNames ReadPod(Reader& reader) {
  PodNames pod;
  pod.from = ReadFrom(reader);
  for (std::string* const text : {&pod.uid, &pod.cgroup_uid, &pod.pod_namespace, &pod.name,
                                  &pod.owner_kind, &pod.owner_name, &pod.node_ip}) {
    *text = reader.Text();
  }
  reader.List([&] {
    std::string id = reader.Text();
    pod.containers.push_back({.id = std::move(id), .name = reader.Text()});
  });
  reader.List([&] { pod.pod_ips.push_back(reader.Text()); });
  reader.List([&] {
    std::string key = reader.Text();
    pod.labels.emplace_back(std::move(key), reader.Text());
  });
  return pod;
}

ServiceNames ReadService(Reader& reader) {
  ServiceNames service;
  service.service_namespace = reader.Text();
  service.name = reader.Text();
  reader.List([&] { service.cluster_ips.push_back(reader.Text()); });
  return service;
}

std::vector<std::byte> Encode(const CgroupMade& cgroup) {
  const std::string_view path = cgroup.path.substr(0, MF_CGROUP_PATH_MAX);
  mf_cgroup wire{};
  wire.header.kind = MF_KIND_CGROUP_MADE;
  wire.header.size = static_cast<__u32>(sizeof(wire) + path.size());
  wire.id = cgroup.id;
  wire.path_len = static_cast<__u32>(path.size());
  std::vector<std::byte> bytes(wire.header.size);
  std::memcpy(bytes.data(), &wire, sizeof(wire));
  std::memcpy(bytes.data() + sizeof(wire), path.data(), path.size());
  return bytes;
}

std::vector<std::byte> Encode(const CgroupGone& cgroup) {
  mf_cgroup wire{};
  wire.header.kind = MF_KIND_CGROUP_GONE;
  wire.header.size = sizeof(wire);
  wire.id = cgroup.id;
  std::vector<std::byte> bytes(sizeof(wire));
  std::memcpy(bytes.data(), &wire, sizeof(wire));
  return bytes;
}

std::vector<std::byte> Encode(const PodNames& pod) {
  Writer writer(kPodKind);
  writer.Byte(static_cast<std::uint8_t>(pod.from));
  for (const std::string* const text : {&pod.uid, &pod.cgroup_uid, &pod.pod_namespace, &pod.name,
                                        &pod.owner_kind, &pod.owner_name, &pod.node_ip}) {
    writer.Text(*text);
  }
  writer.List(pod.containers, [](const auto& c) { return Pair{c.id, c.name}; });
  writer.List(pod.pod_ips, [](const auto& ip) { return Strings{ip}; });
  writer.List(pod.labels, [](const auto& label) { return Pair{label.first, label.second}; });
  return writer.Take();
}

std::vector<std::byte> Encode(const PodGone& pod) {
  Writer writer(kPodGoneKind);
  writer.Byte(static_cast<std::uint8_t>(pod.from));
  writer.Text(pod.uid);
  return writer.Take();
}

std::vector<std::byte> Encode(const ServiceNames& service) {
  Writer writer(kServiceKind);
  writer.Text(service.service_namespace);
  writer.Text(service.name);
  writer.List(service.cluster_ips, [](const auto& ip) { return Strings{ip}; });
  return writer.Take();
}

std::vector<std::byte> Encode(const ServiceGone& service) {
  Writer writer(kServiceGoneKind);
  writer.Text(service.service_namespace);
  writer.Text(service.name);
  return writer.Take();
}

}  // namespace

std::optional<WorkloadNews> DecodeWorkload(std::span<const std::byte> record) {
  mf_header header{};
  if (record.size() < sizeof(header)) {
    return std::nullopt;
  }
  std::memcpy(&header, record.data(), sizeof(header));
  if (header.size != record.size()) {
    return std::nullopt;
  }
  if (header.kind == MF_KIND_CGROUP_MADE || header.kind == MF_KIND_CGROUP_GONE) {
    return DecodeCgroup(header, record);
  }
  Reader reader(record.subspan(sizeof(header)));
  WorkloadNews news;
  if (header.kind == kPodKind) {
    news = ReadPod(reader);
  } else if (header.kind == kPodGoneKind) {
    const NamesFrom from = ReadFrom(reader);
    news = PodGone{.from = from, .uid = reader.Text()};
  } else if (header.kind == kServiceKind) {
    news = ReadService(reader);
  } else if (header.kind == kServiceGoneKind) {
    std::string service_namespace = reader.Text();
    news = ServiceGone{.service_namespace = std::move(service_namespace), .name = reader.Text()};
  } else {
    return std::nullopt;
  }
  return reader.good() ? std::optional(std::move(news)) : std::nullopt;
}

std::vector<std::byte> EncodeWorkload(const WorkloadNews& news) {
  return std::visit([](const auto& told) { return Encode(told); }, news);
}

}  // namespace masflow::internal
