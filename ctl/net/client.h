// taskctl's side of the API: finds the daemon, sends requests, and turns refusals into exit codes.
//
// One connection per request: a Unix connect costs microseconds, and no idle connection can go
// stale. Not thread-safe.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ctl/base/context.h"
#include "ctl/base/failure.h"
#include "ctl/net/http.h"
#include "wire/wire.h"

namespace taskd::ctl {

// The daemon could not be reached, or went away before it answered (69 or 75). Waiting verbs keep
// trying for a while, since jobs outlive a restart of the daemon.
struct DaemonAway : Failure {
  using Failure::Failure;
  bool outcome_unknown = false;  // the request may have been carried out
};

// The daemon refused the request.
struct Refused : Failure {
  Refused(int code, const std::string& what, Problem p)
      : Failure(code, what), problem(std::move(p)) {}
  Problem problem;
};

inline constexpr char kSystemSocket[] = "/run/taskctl/taskctl.sock";

// The path of the daemon's socket: the option, TASKD_SOCKET, the user's runtime directory if it
// contains a socket, or kSystemSocket. Throws UsageError for a path that no socket can have.
std::string find_socket(const std::optional<std::string>& option, const Environment& env);

// The user whose daemon is trusted in addition to root's and our own: the option,
// TASKD_DAEMON_USER, or nobody. Throws UsageError for an unknown user.
std::optional<std::uint32_t> find_daemon_user(const std::optional<std::string>& option,
                                              const Environment& env);

// Advice for a user without permission for this socket.
std::string how_to_be_let_in(const std::string& socket);

// The exit code for a problem document.
int exit_code_of(const Problem& problem);

inline constexpr int kAnswerMs = 60'000;

class Client {
 public:
  // ask(), call(), get() and post() fail with Failure (75) if the daemon sends nothing for
  // `answer_ms`. `trusted_uid`: see Exchange.
  explicit Client(std::string socket_path, int answer_ms = kAnswerMs,
                  std::optional<std::uint32_t> trusted_uid = {})
      : socket_path_(std::move(socket_path)), answer_ms_(answer_ms), trusted_uid_(trusted_uid) {}
  const std::string& socket_path() const { return socket_path_; }

  // Sends the request and waits for the whole answer, which must be 2xx. The body of a 200 goes to
  // `sink`, if set. A restarting daemon drops its connections while its socket may keep listening:
  // so a GET, or a request with an Idempotency-Key, is sent once more if the connection ends before
  // the answer begins. Throws Refused, DaemonAway or Failure.
  Exchange ask(const HttpRequest& request, const ResponseParser::BodySink& sink = {}) const;
  // The same, and parses the JSON of the answer.
  nlohmann::json call(const HttpRequest& request) const;
  nlohmann::json get(const std::string& target) const;
  nlohmann::json post(const std::string& target, const nlohmann::json& body) const;

  // The same in two steps, for callers that wait for many answers at once.
  Exchange begin(const HttpRequest& request, ResponseParser::BodySink sink = {}) const;
  // `exchange` must be complete. Throws as call() does.
  nlohmann::json result_of(const Exchange& exchange) const;
  // Throws the refusal of `exchange` unless its status is 2xx.
  void check_status(const Exchange& exchange) const;

  // Runs step() or finish() of an Exchange, turning its exceptions into Failures.
  bool step(Exchange& exchange) const;
  void finish(Exchange& exchange, int quiet_ms) const;

 private:
  std::string socket_path_;
  int answer_ms_;
  std::optional<std::uint32_t> trusted_uid_;
};

inline constexpr std::int64_t kReconnectMs = 15'000;

// How long a verb waits for a daemon that restarts: `limit_ms` from the first failure until
// reset(). 0: not at all.
class ReconnectBackoff {
 public:
  explicit ReconnectBackoff(Context& context, std::int64_t limit_ms = kReconnectMs)
      : context_(context), limit_ms_(limit_ms) {}
  // Pauses, each time longer, or rethrows `failure` when the time is over. Says once that it waits.
  void after(const DaemonAway& failure);
  void reset();

 private:
  Context& context_;
  const std::int64_t limit_ms_;
  std::optional<BootTime> since_;
  std::int64_t next_pause_ms_ = 0;
};

// Sleeps.
void pause_ms(int ms);

}  // namespace taskd::ctl
