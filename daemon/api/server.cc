#include "daemon/api/server.h"

#include <httplib.h>

#include "daemon/api/http/connection_pool.h"
#include "daemon/api/http/users.h"
#include "daemon/api/request/refusals.h"
#include "daemon/api/routes/routes.h"
#include "daemon/base/log.h"

namespace taskd {
namespace {

// The stream between the library and a connection. Never blocks: the head is in memory, and the
// answer is buffered in the connection until the pool sends it.
class HeadStream final : public httplib::Stream {
 public:
  HeadStream(std::string_view head, HttpConnection& connection)
      : head_(head), connection_(connection) {}

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, std::size_t size) override {
    const std::size_t n = head_.copy(to, size);
    head_.remove_prefix(n);
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char* from, std::size_t size) override {
    connection_.queue({from, size});
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  // Not the real descriptor: the library refuses those that do not fit into an fd_set.
  socket_t socket() const override { return 0; }

 private:
  std::string_view head_;
  HttpConnection& connection_;
};

// One answer in progress.
struct Exchange {
  HttpConnection& connection;
  std::function<Reply(const httplib::Request&)> make_reply;
  bool chunked = true;
  std::int64_t write_time_ms = 0;
  int stop_fd = -1;  // aborts a stream that waits for its reader
};

// The library cannot pass our own data to its handlers.
thread_local Exchange* current_exchange = nullptr;

bool pump(const Reply& reply, Exchange& exchange, httplib::DataSink& sink) {
  const auto flush = [&] {
    return exchange.connection.send_all(exchange.write_time_ms, exchange.stop_fd);
  };
  const auto write = [&](std::string_view bytes) {
    return sink.write(bytes.data(), bytes.size()) && flush();
  };
  try {
    if (!flush() || !reply.stream(write)) return false;
  } catch (const std::exception& error) {
    log::error("a stream failed", {{"error", error.what()}});
    return false;
  }
  sink.done();
  return true;
}

void fill_response(Reply reply, Exchange& exchange, httplib::Response& response) {
  response.status = reply.status;
  for (const auto& [name, value] : reply.headers) response.set_header(name, value);
  if (!reply.stream) {
    response.body = std::move(reply.body);
    response.set_header("Content-Type", reply.content_type);
    return;
  }
  const std::string content_type = reply.content_type;
  auto provider = [reply = std::move(reply), &exchange](std::size_t, httplib::DataSink& sink) {
    return pump(reply, exchange, sink);
  };
  if (exchange.chunked) {
    response.set_chunked_content_provider(content_type, std::move(provider));
  } else {
    response.set_content_provider(content_type, std::move(provider));
  }
}

// cpp-httplib without its sockets and threads: it reads a head that was checked before, and writes
// the answer.
class HttpLibrary final : private httplib::Server {
 public:
  HttpLibrary() {
    svr_sock_ = 0;  // while it has none, the library aborts streams
    set_pre_routing_handler([](const httplib::Request& request, httplib::Response& response) {
      fill_response(current_exchange->make_reply(request), *current_exchange, response);
      return HandlerResponse::Handled;
    });
    set_post_routing_handler([](const httplib::Request&, httplib::Response& response) {
      // Headers about the library's own connections, and ranges that we do not support.
      response.headers.erase("Keep-Alive");
      response.headers.erase("Accept-Ranges");
    });
  }

  // Returns false if the connection must be closed.
  bool answer(const std::string& head, bool close, Exchange& exchange) {
    HeadStream stream(head, exchange.connection);
    bool closed = false;
    current_exchange = &exchange;
    const bool written = process(*this, stream, close, closed);
    current_exchange = nullptr;
    return written;
  }

 private:
  // The library's signature differs between 0.11 (Debian 12) and 0.18 (Debian 13). A template, so
  // that only the existing one has to compile.
  template <class Library>
  static bool process(Library& library, httplib::Stream& stream, bool close, bool& closed) {
    if constexpr (requires { library.process_request(stream, close, closed, nullptr); }) {
      return library.process_request(stream, close, closed, nullptr);
    } else {
      return library.process_request(stream, "", 0, "", 0, close, closed, nullptr);
    }
  }
};

Reply reply_to(const ProblemError& error) {
  Reply reply = problem_reply(error.problem, error.retry_after_s);
  if (!error.allow.empty()) reply.headers.emplace_back("Allow", error.allow);
  return reply;
}

Reply reply_to_failure(const std::exception& error) {
  log::error("a request failed", {{"error", error.what()}});
  return problem_reply({500, "internal_error", "see the daemon's log", {}});
}

// The only place where exceptions of routes become answers.
Reply dispatch_safely(const ApiContext& context, const Call& call) {
  try {
    if (call.method != "GET" && call.method != "HEAD") refuse_copy(context);
    return dispatch(context, call);
  } catch (const ProblemError& error) {
    return reply_to(error);
  } catch (const StoreBusy& error) {
    log::warn("the store is temporarily unavailable", {{"error", error.what()}});
    return problem_reply({503, "store_busy", error.what(), {}});
  } catch (const DiskFull& error) {
    return problem_reply({507, "disk_full", error.what(), {}});
  } catch (const std::system_error& error) {
    if (error.code().value() != EMFILE && error.code().value() != ENFILE) {
      return reply_to_failure(error);
    }
    log::warn("out of descriptors for a request", {{"error", error.what()}});
    return problem_reply({503, "too_many_requests", "the daemon is out of descriptors", {}});
  } catch (const std::exception& error) {
    return reply_to_failure(error);
  }
}

}  // namespace

struct ApiServer::Impl final : ConnectionPool::Answerer {
  Impl(ApiContext api_context, ServerLimits server_limits)
      : context(std::move(api_context)),
        limits(server_limits),
        pool(*this, context.clock, limits) {}

  void answer(HttpConnection& connection, const HttpRequest& request,
              ConnectionPool::Turn& turn) noexcept override {
    const HttpHead& head = request.head;
    Reply reply = reply_of(connection, request, turn);
    if (reply.waits) return;
    Exchange exchange{
        connection, {}, head.minor_version == 1, limits.write_time_ms, pool.stop_fd()};
    exchange.make_reply = [&](const httplib::Request&) { return std::move(reply); };
    write(head.method + ' ' + head.path + " HTTP/1.1\r\n\r\n", !head.keep_alive, exchange);
  }

  void refuse(HttpConnection& connection, const ProblemError& error) noexcept override {
    Exchange exchange{connection, {}, true, limits.write_time_ms, pool.stop_fd()};
    exchange.make_reply = [&](const httplib::Request&) { return reply_to(error); };
    write("GET / HTTP/1.1\r\n\r\n", /*close=*/true, exchange);
  }

  void write(const std::string& head, bool close, Exchange& exchange) noexcept {
    try {
      if (library.answer(head, close, exchange)) return;
    } catch (const std::exception& error) {
      log::error("an answer failed", {{"error", error.what()}});
    }
    exchange.connection.close_after_output();
  }

  Reply reply_of(HttpConnection& connection, const HttpRequest& request,
                 ConnectionPool::Turn& turn) noexcept {
    const HttpHead& head = request.head;
    Reply reply;
    try {
      HttpQuery query(head.query);
      const Call call{
          actor_of(connection.peer()), head.method,   head.path,  {},   query, request.body,
          head.idempotency_key,        head.if_match, connection, pool, turn};
      reply = dispatch_safely(context, call);
    } catch (const ProblemError& error) {
      reply = reply_to(error);
    } catch (const std::exception& error) {
      reply = reply_to_failure(error);
    }
    log::debug("request", {{"method", head.method},
                           {"path", head.path},
                           {"status", reply.waits ? 0 : reply.status},
                           {"uid", connection.peer().uid}});
    return reply;
  }

  const ApiContext context;
  const ServerLimits limits;
  HttpLibrary library;
  ConnectionPool pool;
};

ApiServer::ApiServer(ApiContext context, ServerLimits limits)
    : impl_(std::make_unique<Impl>(std::move(context), limits)) {}
ApiServer::~ApiServer() = default;

void ApiServer::serve(int listen_fd) {
  impl_->pool.serve(listen_fd);
}
void ApiServer::stop() {
  impl_->pool.stop();
}

}  // namespace taskd
