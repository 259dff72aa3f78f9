// SPDX-License-Identifier: Apache-2.0
//
// Drives a session on the host's Boost.Asio executor. The only public header that
// names Boost (1.74 or later); all inline, so that the host's own Asio, with the host's
// settings, is the one in use. Link MasFlow::asio.
#ifndef MASFLOW_ASIO_H_
#define MASFLOW_ASIO_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>  // Boost 1.74's awaitable.hpp uses std::exchange without it

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>

#include "masflow/next_operation.h"
#include "masflow/session.h"

namespace masflow {
namespace internal {

// The descriptor of the session as an Asio object, and the loop around it. Kept alive
// by its own handlers, so that a callback may destroy the driver.
class AsioLoop : public std::enable_shared_from_this<AsioLoop> {
 public:
  AsioLoop(boost::asio::any_io_executor executor, DrainHandle session, std::size_t records_per_turn)
      : session_(std::move(session)),
        readable_(std::move(executor), session_.poll_fd()),
        records_per_turn_(records_per_turn) {}

  // The descriptor belongs to the session.
  ~AsioLoop() { readable_.release(); }

  boost::asio::any_io_executor get_executor() { return readable_.get_executor(); }

  void Wait() {
    readable_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                         [self = shared_from_this()](const boost::system::error_code& error) {
                           if (!error && !self->stopped_) {
                             self->Turn();
                           }
                         });
  }

  void Stop() {
    stopped_ = true;
    boost::system::error_code ignored;  // there is nothing to cancel, then
    readable_.cancel(ignored);
  }

  void OnEnd(std::function<void()> callback) {
    on_end_ = std::move(callback);
    if (ended_) {
      PostEnd();
    }
  }

 private:
  // One turn, then room for the host's other handlers. A callback that throws goes
  // through to io_context::run(); the loop goes on if the host calls that again.
  void Turn() {
    struct Continue {
      AsioLoop& loop;
      DrainResult result{};
      ~Continue() {
        if (loop.stopped_) {
          return;
        }
        if (result.ended) {
          loop.ended_ = true;
          loop.PostEnd();
        } else if (result.more) {
          boost::asio::post(loop.get_executor(), [self = loop.shared_from_this()] {
            if (!self->stopped_) {
              self->Turn();
            }
          });
        } else {
          loop.Wait();
        }
      }
    } next{*this};
    next.result = session_.Drain(records_per_turn_);
  }

  // Posted: behind what AsyncNext has posted, and where it may throw.
  void PostEnd() {
    if (on_end_ == nullptr) {
      return;
    }
    boost::asio::post(get_executor(), [self = shared_from_this()] {
      const std::function<void()> callback = std::exchange(self->on_end_, nullptr);
      if (callback != nullptr && !self->stopped_) {
        callback();
      }
    });
  }

  DrainHandle session_;
  boost::asio::posix::stream_descriptor readable_;
  const std::size_t records_per_turn_;
  std::function<void()> on_end_;
  bool stopped_ = false;
  bool ended_ = false;
};

template <class Event, class Handler>
class AsioNextOperation final : public NextOperation<Event> {
 public:
  AsioNextOperation(Handler handler, const boost::asio::any_io_executor& executor)
      : handler_(std::move(handler)),
        work_(executor),
        handler_work_(boost::asio::get_associated_executor(handler_, executor)) {}

  void Complete(Event event) override { Post({}, std::move(event)); }

  void Fail(typename NextOperation<Event>::Failure failure) override {
    using Kind = typename NextOperation<Event>::Failure;
    switch (failure) {
      case Kind::kEnded:
        return Post(boost::asio::error::make_error_code(boost::asio::error::eof), Event());
      case Kind::kBusy:
        return Post(boost::asio::error::make_error_code(boost::asio::error::already_started),
                    Event());
      case Kind::kAborted:
        return Post(boost::asio::error::make_error_code(boost::asio::error::operation_aborted),
                    Event());
    }
  }

 private:
  // Posted, never called from here: the library's locks are held. To the driver's executor,
  // and dispatched from there to the handler's own, as Asio's operations do: the handler of
  // use_future, if posted, would have Asio start threads.
  void Post(boost::system::error_code error, Event event) {
    boost::asio::post(
        work_.get_executor(), [handler = std::move(handler_), work = std::move(handler_work_),
                               error, event = std::move(event)]() mutable {
          boost::asio::dispatch(work.get_executor(), [handler = std::move(handler), error,
                                                      event = std::move(event)]() mutable {
            std::move(handler)(error, std::move(event));
          });
        });
    work_.reset();
  }

  using HandlerExecutor = boost::asio::associated_executor_t<Handler, boost::asio::any_io_executor>;

  Handler handler_;
  boost::asio::executor_work_guard<boost::asio::any_io_executor> work_;
  boost::asio::executor_work_guard<HandlerExecutor> handler_work_;
};

}  // namespace internal

inline namespace v0 {

// While it lives, callbacks of the session run on `executor`: one turn of at most
// `records_per_turn` records, then the host's other handlers, and so on. After the
// session has ended (Stop(), the end of a recording) it does nothing more, so that
// io_context::run() can return.
//
// Threads: `executor` must be serial (an io_context run by one thread, or a strand), and
// the driver is constructed and destroyed on it or while it does not run. At most one
// driver a session. The session's handle may be moved or destroyed first. The executor's
// context must outlive the session's streams.
//
// Exceptions: as Asio's own objects, the constructor throws boost::system::system_error
// if the descriptor cannot be registered; what a callback throws leaves io_context::run().
class AsioDriver {
 public:
  using executor_type = boost::asio::any_io_executor;

  AsioDriver(executor_type executor, const Session& session, std::size_t records_per_turn = 256)
      : loop_(std::make_shared<internal::AsioLoop>(std::move(executor), session.drain_handle(),
                                                   records_per_turn)) {
    loop_->Wait();
  }
  ~AsioDriver() { loop_->Stop(); }
  AsioDriver(const AsioDriver&) = delete;
  AsioDriver& operator=(const AsioDriver&) = delete;

  executor_type get_executor() const { return loop_->get_executor(); }

  // Called once, on the executor, when the session has ended (Stop(), the end of a
  // recording): after its last event, also where it has ended already; but not if the driver
  // is destroyed before. It may do what a callback of the session may. Replaces the former
  // one; null removes it. To be set on the executor or while that does not run.
  void OnEnd(std::function<void()> callback) { loop_->OnEnd(std::move(callback)); }

  // The next event of `stream`, which this driver's session owns, to any completion token:
  //   masflow::ProcessEvent e = co_await driver.AsyncNext(*processes, asio::use_awaitable);
  // Signature void(boost::system::error_code, Stream::Event). Errors: eof, the stream ended;
  // operation_aborted, it was destroyed; already_started, one is outstanding on it (one at
  // a time). From the first call on the stream's callbacks are not called any more, and
  // its records wait in the ring for the next call: a slow consumer loses what overflows
  // it, counted as ring full. One that is outstanding when the driver is destroyed
  // completes when the stream ends.
  template <class Stream, class CompletionToken>
  auto AsyncNext(Stream& stream, CompletionToken&& token) {
    using Event = typename Stream::Event;
    return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code, Event)>(
        [executor = get_executor()](auto handler, Stream* from) {
          using Operation = internal::AsioNextOperation<Event, decltype(handler)>;
          from->StartNext(std::make_unique<Operation>(std::move(handler), executor));
        },
        token, &stream);
  }

 private:
  std::shared_ptr<internal::AsioLoop> loop_;
};

}  // namespace v0
}  // namespace masflow

#endif  // MASFLOW_ASIO_H_
