// A small HTTP server on loopback (or a Unix socket) that receives webhook posts and answers as the
// test says: with any bytes, slowly, or not at all.
#pragma once

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "daemon/base/event_fd.h"
#include "daemon/base/unique_fd.h"

namespace taskd::test {

class HttpReceiver {
 public:
  struct Received {
    std::string line;  // "POST /x HTTP/1.1"
    std::map<std::string, std::string> headers;
    std::string body;
  };
  struct Answer {
    std::string bytes;
    bool hang = false;  // stay connected and send nothing afterwards
    int drip_ms = 0;    // send one byte, wait this long, send the next …
  };
  using Answerer = std::function<Answer(const Received&, std::size_t index)>;

  static Answer status(int code, const std::string& headers = "") {
    return {"HTTP/1.1 " + std::to_string(code) + " Word\r\n" + headers +
            "Content-Length: 0\r\n\r\n"};
  }

  explicit HttpReceiver(
      Answerer answerer = [](const Received&, std::size_t) { return status(204); },
      const std::string& unix_path = "")
      : answerer_(std::move(answerer)) {
    if (unix_path.empty()) {
      listen_on_loopback(0);
    } else {
      listener_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      std::memcpy(address.sun_path, unix_path.data(), unix_path.size());
      REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    }
    REQUIRE(::listen(listener_.get(), 100) == 0);
    thread_ = std::thread([this] { accept_all(); });
  }
  ~HttpReceiver() {
    stop_.raise();
    thread_.join();
    for (std::thread& thread : connections_) thread.join();
  }
  HttpReceiver(const HttpReceiver&) = delete;

  int port() const { return port_; }
  std::string url(const std::string& target = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + target;
  }

  // Waits for `count` requests and returns all received. Fails the test if they do not arrive.
  std::vector<Received> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, std::chrono::seconds(60),
                                        [&] { return received_.size() >= count; });
    REQUIRE_MESSAGE(came, "only ", received_.size(), " of ", count, " requests came in a minute");
    return received_;
  }
  std::vector<Received> received() {
    const std::lock_guard lock(mutex_);
    return received_;
  }

 private:
  void listen_on_loopback(int port) {
    listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }

  void accept_all() {
    while (readable(listener_.get())) {
      const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd >= 0) connections_.emplace_back([this, fd] { serve(UniqueFd(fd)); });
    }
  }

  // Returns false once the server stops.
  bool readable(int fd) {
    pollfd fds[] = {{stop_.get(), POLLIN, 0}, {fd, POLLIN, 0}};
    return ::poll(fds, 2, -1) > 0 && fds[0].revents == 0;
  }

  bool read_until(int fd, std::string& input, const std::function<bool()>& enough) {
    while (!enough()) {
      if (!readable(fd)) return false;
      char buffer[4096];
      const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
      if (n <= 0) return false;
      input.append(buffer, static_cast<std::size_t>(n));
    }
    return true;
  }

  void serve(const UniqueFd& fd) {
    std::string input;
    if (!read_until(fd.get(), input, [&] { return input.find("\r\n\r\n") != input.npos; })) return;
    Received request;
    std::size_t at = input.find("\r\n");
    request.line = input.substr(0, at);
    const std::size_t head_end = input.find("\r\n\r\n");
    while (at < head_end) {
      const std::size_t end = input.find("\r\n", at + 2);
      const std::string header = input.substr(at + 2, end - at - 2);
      const std::size_t colon = header.find(": ");
      request.headers[header.substr(0, colon)] = header.substr(colon + 2);
      at = end;
    }
    const std::size_t length = std::stoul(request.headers.at("Content-Length"));
    if (!read_until(fd.get(), input, [&] { return input.size() >= head_end + 4 + length; })) return;
    request.body = input.substr(head_end + 4, length);
    std::size_t index = 0;
    {
      const std::lock_guard lock(mutex_);
      index = received_.size();
      received_.push_back(request);
      changed_.notify_all();
    }
    respond(fd.get(), answerer_(request, index));
  }

  void respond(int fd, const Answer& answer) {
    if (answer.drip_ms == 0) {
      ::send(fd, answer.bytes.data(), answer.bytes.size(), MSG_NOSIGNAL);
    } else {
      for (const char c : answer.bytes) {
        pollfd stop{stop_.get(), POLLIN, 0};
        if (::poll(&stop, 1, answer.drip_ms) != 0) return;
        if (::send(fd, &c, 1, MSG_NOSIGNAL) != 1) return;
      }
    }
    if (answer.hang) readable(fd);  // or until the client disconnects
  }

  const Answerer answerer_;
  UniqueFd listener_;
  int port_ = 0;
  EventFd stop_;
  std::thread thread_;
  std::vector<std::thread> connections_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Received> received_;
};

}  // namespace taskd::test
