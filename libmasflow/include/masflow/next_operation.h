// SPDX-License-Identifier: Apache-2.0
//
// How an asynchronous read crosses from the library, which knows no Asio, to the
// inline code of masflow/asio.h, which is compiled by the host. Not for direct use.
#ifndef MASFLOW_NEXT_OPERATION_H_
#define MASFLOW_NEXT_OPERATION_H_

namespace masflow::internal {

// One outstanding "next event". Exactly one of the two is called, once, on the driving
// thread or on the thread that stops the session or starts the operation; neither may
// call back into the library nor throw.
template <class Event>
class NextOperation {
 public:
  enum class Failure {
    kEnded,    // the stream ended
    kBusy,     // another one is outstanding on this stream
    kAborted,  // the stream was destroyed
  };

  virtual ~NextOperation() = default;
  virtual void Complete(Event event) = 0;
  virtual void Fail(Failure failure) = 0;
};

}  // namespace masflow::internal

#endif  // MASFLOW_NEXT_OPERATION_H_
