#include "daemon/hooks/webhook.h"

#include <httplib.h>

#include "daemon/base/text.h"
#include "daemon/hooks/signature.h"
#include "daemon/version.h"

namespace taskd {
namespace {

constexpr std::size_t kMaxAnswerBytes = 16 * 1024;

// The stream between the library and a channel. Its exceptions must not pass through the library,
// so they are stored here.
class ChannelStream final : public httplib::Stream {
 public:
  explicit ChannelStream(Channel& channel) : channel_(channel) {}

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, std::size_t size) override {
    // The library reads single bytes.
    if (next_ == buffered_.size() && !fill()) return failure_ ? -1 : 0;
    const std::size_t n = buffered_.copy(to, size, next_);
    next_ += n;
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char* from, std::size_t size) override {
    try {
      return static_cast<ssize_t>(channel_.write(from, size));
    } catch (...) {
      failure_ = std::current_exception();
      return -1;
    }
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return 0; }

  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  bool fill() {
    try {
      if (read_bytes_ >= kMaxAnswerBytes) throw HookFailure("the head of its answer is too long");
      buffered_.resize(kMaxAnswerBytes - read_bytes_);
      buffered_.resize(channel_.read(buffered_.data(), buffered_.size()));
      next_ = 0;
      read_bytes_ += buffered_.size();
      return !buffered_.empty();
    } catch (...) {
      buffered_.clear();
      next_ = 0;
      failure_ = std::current_exception();
      return false;
    }
  }

  Channel& channel_;
  std::string buffered_;
  std::size_t next_ = 0;
  std::size_t read_bytes_ = 0;
  std::exception_ptr failure_;
};

// cpp-httplib's client without its sockets, timeouts and redirects: it writes a request and reads
// the head of an answer.
class HttpClientLibrary final : private httplib::ClientImpl {
 public:
  HttpClientLibrary() : httplib::ClientImpl("localhost") { set_url_encode(false); }

  // The status of the answer; 0 if there was none.
  int exchange(httplib::Request& request, httplib::Stream& stream) {
    httplib::Response response;
    httplib::Error error = httplib::Error::Success;
    request.response_handler = [](const httplib::Response&) { return false; };  // no body
    process_request(stream, request, response, /*close_connection=*/true, error);
    const bool answered = error == httplib::Error::Canceled || error == httplib::Error::Success;
    return answered ? response.status : 0;
  }
};

SendResult result_of(int status) {
  if (status >= 200 && status <= 299) return {};
  if (status == 410) return {SendOutcome::gone, "410: it is gone for good", ""};
  const bool redirect = status >= 300 && status <= 399;
  const bool down = status == 429 || status >= 500;
  return {down ? SendOutcome::down : SendOutcome::refused,
          "it answered " + std::to_string(status) +
              (redirect ? ", and redirects are not followed" : ""),
          ""};
}

HookUrl checked_url(const std::string& text) {
  auto url = parse_hook_url(text);
  if (const auto* wrong = std::get_if<std::string>(&url)) throw std::runtime_error(*wrong);
  return std::get<HookUrl>(std::move(url));
}

}  // namespace

Webhook::Webhook(const Hook& hook) : hook_(hook), url_(checked_url(hook.url)) {
  if (url_.scheme == HookUrl::Scheme::https) trust_ = std::make_unique<TlsTrust>();
}

int Webhook::ask(const HookMessage& message, WallTime now, int stop_fd) const {
  const HookDeadline deadline(hook_.timeout_ms, stop_fd);
  UniqueFd socket = dial(url_, deadline);
  const std::unique_ptr<Channel> channel =
      trust_ ? open_tls_channel(std::move(socket), url_.host, *trust_, deadline)
             : open_plain_channel(std::move(socket), deadline);
  httplib::Request request;
  request.method = "POST";
  request.path = url_.target;
  request.body = document_of(message);
  request.set_header("Host", url_.authority());
  request.set_header("User-Agent", std::string("taskd/") + kVersion);
  request.set_header("Content-Type", "application/json");
  request.set_header("Taskd-Hook", message.hook);
  request.set_header("Taskd-Event", message.event);
  request.set_header("Taskd-Delivery", message.delivery);
  const std::string timestamp = std::to_string(now.ms / 1000);
  request.set_header("Taskd-Timestamp", timestamp);
  if (!hook_.secret.empty()) {
    request.set_header("Taskd-Signature", hook_signature(hook_.secret, timestamp, request.body));
  }
  ChannelStream stream(*channel);
  const int status = HttpClientLibrary().exchange(request, stream);
  if (status == 0) stream.rethrow();
  if (status == 0) throw HookFailure("its answer is not HTTP, or was cut off");
  return status;
}

SendResult Webhook::post(const HookMessage& message, WallTime now, int stop_fd) const noexcept {
  try {
    return result_of(ask(message, now, stop_fd));
  } catch (const HookInterrupted& e) {
    return {SendOutcome::interrupted, e.what(), ""};
  } catch (const std::exception& e) {
    return {SendOutcome::down, e.what(), ""};
  }
}

}  // namespace taskd
