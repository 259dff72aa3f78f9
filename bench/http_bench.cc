// SPDX-License-Identifier: Apache-2.0
//
// HTTP in user space: heads, beside the parsers of Debian's packages where these are
// installed (libh2o-evloop-dev's picohttpparser, libhttp-parser-dev), and whole exchanges from
// records to the callback.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "core/record_source.h"
#include "core/session_core.h"
#include "http/head_parser.h"
#include "http/http_stream_core.h"
#include "wire/http_encode.h"

#if defined(MASFLOW_BENCH_PICOHTTPPARSER)
// Debian's libh2o has the symbols, but not the header.
extern "C" {
struct phr_header {
  const char* name;
  std::size_t name_len;
  const char* value;
  std::size_t value_len;
};
int phr_parse_request(const char* buf, std::size_t len, const char** method,
                      std::size_t* method_len, const char** path, std::size_t* path_len,
                      int* minor_version, phr_header* headers, std::size_t* num_headers,
                      std::size_t last_len);
int phr_parse_response(const char* buf, std::size_t len, int* minor_version, int* status,
                       const char** msg, std::size_t* msg_len, phr_header* headers,
                       std::size_t* num_headers, std::size_t last_len);
}
#endif
#if defined(MASFLOW_BENCH_HTTP_PARSER)
#include <http_parser.h>
#endif

namespace {

using masflow::internal::HeadKind;

const std::string kShortRequest =
    "GET /api/v1/items/12345?full=1 HTTP/1.1\r\nHost: api.example.com\r\n"
    "User-Agent: curl/8\r\nAccept: */*\r\n\r\n";

const std::string kBrowserRequest =
    "GET /wp-content/uploads/2010/03/hello-kitty-darth-vader-pink.jpg HTTP/1.1\r\n"
    "Host: www.kittyhell.com\r\n"
    "User-Agent: Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10.6; ja-JP-mac; rv:1.9.2.3) "
    "Gecko/20100401 Firefox/3.6.3 Pathtraq/0.9\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    "Accept-Language: ja,en-us;q=0.7,en;q=0.3\r\nAccept-Encoding: gzip,deflate\r\n"
    "Accept-Charset: Shift_JIS,utf-8;q=0.7,*;q=0.7\r\nKeep-Alive: 115\r\n"
    "Connection: keep-alive\r\n"
    "Cookie: wp_ozh_wsa_visits=2; wp_ozh_wsa_visit_lasttime=xxxxxxxxxx; "
    "__utma=xxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.x; "
    "__utmz=xxxxxxxxx.xxxxxxxxxx.x.x.utmccn=(referral)|utmcsr=reader.livedoor.com|"
    "utmcct=/reader/|utmcmd=referral\r\n\r\n";

const std::string kShortResponse =
    "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Fri, 27 Nov 2026 16:00:00 GMT\r\n"
    "Content-Type: application/json\r\nContent-Length: 42\r\nConnection: close\r\n\r\n";

const std::string kLongResponse =
    "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Fri, 27 Nov 2026 16:00:00 GMT\r\n"
    "Content-Type: text/html; charset=utf-8\r\nTransfer-Encoding: chunked\r\n"
    "Connection: keep-alive\r\nVary: Accept-Encoding\r\nX-Frame-Options: SAMEORIGIN\r\n"
    "X-Content-Type-Options: nosniff\r\nStrict-Transport-Security: max-age=31536000\r\n"
    "Cache-Control: private, max-age=0, no-cache\r\n"
    "Set-Cookie: session=0123456789abcdef0123456789abcdef; Path=/; HttpOnly; SameSite=Lax\r\n"
    "X-Request-Id: 6f1c2a3e-52bb-4c1b-9f2f-d9d3bd6a1c11\r\nContent-Encoding: gzip\r\n\r\n";

struct Sample {
  const char* name;
  HeadKind kind;
  const std::string& text;
};
const Sample kSamples[] = {{"request_short", HeadKind::kRequest, kShortRequest},
                           {"request_browser", HeadKind::kRequest, kBrowserRequest},
                           {"response_short", HeadKind::kResponse, kShortResponse},
                           {"response_long", HeadKind::kResponse, kLongResponse}};

void Count(benchmark::State& state, const std::string& text) {
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
  state.SetLabel(std::to_string(text.size()) + " B");
}

// `names`: of headers that the host asked for.
void BM_Masflow(benchmark::State& state, const Sample& sample,
                const std::vector<std::string>& names) {
  const masflow::internal::HeaderChoice choice(names);
  masflow::internal::MessageHead head;
  std::string chosen;
  for (auto _ : state) {
    const auto status = ParseHead(sample.kind, sample.text, false, choice, &head, &chosen);
    if (status != masflow::internal::HeadStatus::kWhole) {
      state.SkipWithError("no head");
    }
    benchmark::DoNotOptimize(head);
  }
  Count(state, sample.text);
}

#if defined(MASFLOW_BENCH_PICOHTTPPARSER)
void BM_PicoHttpParser(benchmark::State& state, const Sample& sample) {
  phr_header headers[100];
  for (auto _ : state) {
    std::size_t count = std::size(headers);
    const char* text = nullptr;
    std::size_t length = 0;
    const char* path = nullptr;
    std::size_t path_length = 0;
    int minor = 0;
    int status = 0;
    const std::string& in = sample.text;
    const int size = sample.kind == HeadKind::kRequest
                         ? phr_parse_request(in.data(), in.size(), &text, &length, &path,
                                             &path_length, &minor, headers, &count, 0)
                         : phr_parse_response(in.data(), in.size(), &minor, &status, &text, &length,
                                              headers, &count, 0);
    if (size <= 0) {
      state.SkipWithError("no head");
    }
    benchmark::DoNotOptimize(headers);
  }
  Count(state, sample.text);
}
#endif

#if defined(MASFLOW_BENCH_HTTP_PARSER)
void BM_HttpParser(benchmark::State& state, const Sample& sample) {
  std::size_t bytes = 0;
  http_parser_settings settings;
  http_parser_settings_init(&settings);
  settings.on_url = settings.on_header_field =
      settings.on_header_value = [](http_parser* parser, const char*, std::size_t size) {
        *static_cast<std::size_t*>(parser->data) += size;
        return 0;
      };
  for (auto _ : state) {
    http_parser parser;
    http_parser_init(&parser, sample.kind == HeadKind::kRequest ? HTTP_REQUEST : HTTP_RESPONSE);
    parser.data = &bytes;
    if (http_parser_execute(&parser, &settings, sample.text.data(), sample.text.size()) !=
        sample.text.size()) {
      state.SkipWithError("no head");
    }
  }
  benchmark::DoNotOptimize(bytes);
  Count(state, sample.text);
}
#endif

// One keep-alive connection after the other gets a request and a response.
std::vector<std::vector<std::byte>> Records(int connections, std::size_t exchanges) {
  std::vector<std::vector<std::byte>> opens;
  std::vector<std::vector<std::byte>> records;
  for (std::size_t n = 0; n < exchanges; ++n) {
    for (int i = 0; i < connections; ++i) {
      masflow::HttpExchange e;
      e.connection.id.tag = static_cast<std::uint32_t>(i);
      e.connection.owner = masflow::Process{.id = {.pid = 42}, .comm = "server"};
      e.role = masflow::HttpRole::kServer;
      e.method = "GET";
      e.target = "/";
      e.version_minor = 1;
      const std::vector<std::vector<std::byte>> all = masflow::internal::EncodeRecords(e);
      if (n == 0) {
        opens.push_back(all[0]);
      }
      // The data record of the request, with other bytes and where it lies in its way.
      for (const auto& [way, text, size] :
           {std::tuple(MF_WAY_RECEIVED, kShortRequest, kShortRequest.size()),
            std::tuple(MF_WAY_SENT, kShortResponse, kShortResponse.size() + 42)}) {
        mf_http_data wire = {};
        std::memcpy(&wire, all[1].data(), sizeof(wire));
        wire.header.size = static_cast<std::uint32_t>(sizeof(wire) + text.size());
        wire.header.flags = MF_HTTP_TURN | MF_HTTP_START;
        wire.header.ktime_ns = 1000 + n;
        wire.offset = n * size;
        wire.length = static_cast<std::uint32_t>(size);
        wire.captured = static_cast<std::uint16_t>(text.size());
        wire.way = static_cast<std::uint8_t>(way);
        std::vector<std::byte> record(wire.header.size);
        std::memcpy(record.data(), &wire, sizeof(wire));
        std::memcpy(record.data() + sizeof(wire), text.data(), text.size());
        records.push_back(std::move(record));
      }
    }
  }
  opens.insert(opens.end(), records.begin(), records.end());
  return opens;
}

// Decoder, table, stream and callback; what is not measured is the source.
void BM_Exchange(benchmark::State& state) {
  constexpr std::size_t kExchanges = 64;
  const int connections = static_cast<int>(state.range(0));
  const auto records = Records(connections, kExchanges);
  std::uint64_t bytes = 0;
  std::uint64_t exchanges = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto session = std::make_shared<masflow::internal::SessionCore>(nullptr);
    auto core = std::make_unique<masflow::internal::HttpStreamCore>(std::move(session),
                                                                    masflow::HttpOptions());
    core->SetCallback<masflow::HttpExchangeView>([&](const masflow::HttpExchangeView& e) {
      bytes += e.target.size();
      exchanges += 1;
    });
    for (int i = 0; i < connections; ++i) {
      core->OnRecord(records[static_cast<std::size_t>(i)]);
    }
    state.ResumeTiming();
    for (std::size_t i = static_cast<std::size_t>(connections); i < records.size(); ++i) {
      core->OnRecord(records[i]);
    }
    state.PauseTiming();
    core.reset();
    state.ResumeTiming();
  }
  if (exchanges != static_cast<std::uint64_t>(state.iterations()) * kExchanges *
                       static_cast<std::uint64_t>(connections)) {
    state.SkipWithError("exchanges are missing");
  }
  benchmark::DoNotOptimize(bytes);
  state.SetItemsProcessed(static_cast<std::int64_t>(exchanges));
}
BENCHMARK(BM_Exchange)->Arg(1)->Arg(100)->Arg(10'000);

const bool kRegistered = [] {
  for (const Sample& sample : kSamples) {
    const std::string name = sample.name;
    const auto add = [&](const std::string& parser, auto&& run) {
      benchmark::RegisterBenchmark((parser + "/" + name).c_str(), run);
    };
    add("masflow", [&](benchmark::State& s) { BM_Masflow(s, sample, {}); });
    add("masflow_8_headers", [&](benchmark::State& s) {
      BM_Masflow(s, sample,
                 {"User-Agent", "Accept", "Accept-Language", "Keep-Alive", "Connection", "Date",
                  "Server", "X-Request-Id"});
    });
#if defined(MASFLOW_BENCH_PICOHTTPPARSER)
    add("picohttpparser", [&](benchmark::State& s) { BM_PicoHttpParser(s, sample); });
#endif
#if defined(MASFLOW_BENCH_HTTP_PARSER)
    add("http_parser", [&](benchmark::State& s) { BM_HttpParser(s, sample); });
#endif
  }
  return true;
}();

}  // namespace
