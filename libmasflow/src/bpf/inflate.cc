// SPDX-License-Identifier: Apache-2.0
#include "bpf/inflate.h"

#include <cerrno>
#include <limits>
#include <new>

#define ZLIB_CONST  // it does not write to what it reads
#include <zlib.h>

namespace masflow::internal {
namespace {

constexpr std::size_t kHeaderSize = 10;
constexpr std::size_t kTrailerSize = 8;    // checksum, size; both little-endian
constexpr std::size_t kMaxRatio = 1032;    // of deflate, and so of an honest size
constexpr int kOnlyGzip = 16 + MAX_WBITS;  // no other format of zlib

// What the trailer says; 0 if that cannot be.
std::size_t SizeInTrailer(const unsigned char* gzip, std::size_t gzip_size) {
  if (gzip_size < kHeaderSize + kTrailerSize ||
      gzip_size > std::numeric_limits<uInt>::max() / kMaxRatio) {
    return 0;
  }
  std::size_t size = 0;
  for (std::size_t i = 1; i <= 4; ++i) {
    size = size << 8 | gzip[gzip_size - i];
  }
  return size <= gzip_size * kMaxRatio ? size : 0;
}

// 0, or what errno shall be. zlib compares checksum and size.
int InflateInto(const Inflated& out, const unsigned char* gzip, std::size_t gzip_size) {
  z_stream stream{};
  stream.next_in = gzip;
  stream.avail_in = static_cast<uInt>(gzip_size);
  stream.next_out = reinterpret_cast<unsigned char*>(out.bytes.get());
  stream.avail_out = static_cast<uInt>(out.size);
  int result = inflateInit2(&stream, kOnlyGzip);
  if (result == Z_OK) {
    result = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
  }
  if (result == Z_MEM_ERROR) {
    return ENOMEM;
  }
  return result == Z_STREAM_END && stream.avail_in == 0 ? 0 : EBADMSG;
}

}  // namespace

Inflated Inflate(const void* gzip, std::size_t gzip_size) {
  const auto* const bytes = static_cast<const unsigned char*>(gzip);
  Inflated out{.size = SizeInTrailer(bytes, gzip_size)};
  if (out.size == 0) {
    errno = EBADMSG;
    return {};
  }
  out.bytes.reset(new (std::nothrow) std::byte[out.size]);
  const int error = out.bytes == nullptr ? ENOMEM : InflateInto(out, bytes, gzip_size);
  if (error != 0) {
    errno = error;
    return {};
  }
  return out;
}

}  // namespace masflow::internal
