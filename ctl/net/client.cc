#include "ctl/net/client.h"

#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "ctl/base/users.h"
#include "ctl/net/problem_text.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

constexpr int kMaxDepth = 64;
constexpr std::int64_t kFirstPauseMs = 50;
constexpr std::int64_t kMaxPauseMs = 1000;

const std::string& checked_path(const std::string& path, int exit_code, std::string_view origin) {
  constexpr std::size_t kMax = sizeof(sockaddr_un{}.sun_path) - 1;
  if (path.empty()) throw UsageError(exit_code, std::string(origin) + " is empty");
  if (path.size() > kMax)
    throw UsageError(exit_code, std::string(origin) + " is a path of " +
                                    std::to_string(path.size()) +
                                    " bytes; a socket path has at most " + std::to_string(kMax));
  return path;
}

// Describes what is in place of a socket, or "". connect() only says that it refuses, or that we
// lack permission.
std::string_view not_a_socket(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0 || S_ISSOCK(info.st_mode)) return "";
  if (S_ISDIR(info.st_mode)) return "a folder, ";
  return S_ISREG(info.st_mode) ? "an ordinary file, " : "a special file, ";
}

}  // namespace

std::string how_to_be_let_in(const std::string& socket) {
  struct stat info;
  if (::stat(socket.c_str(), &info) != 0)
    return "you may not enter its folder; ask whoever runs the daemon";
  const bool is_for_group = (info.st_mode & S_IWGRP) != 0 && info.st_gid != 0;
  if (is_for_group)
    return "become a member of the group " + short_group(info.st_gid) + " and log in again";
  return "only " + describe_user(info.st_uid) +
         " may use it, and can open it to a group (socket_mode, or SocketGroup= of its unit)";
}

namespace {

DaemonAway explain(const ConnectFailed& e) {
  const std::string at = "no daemon at " + escape_for_humans(e.what()) + ": ";
  const std::string remedy =
      "; start one with \"systemctl start taskctl\" (as root) or \"taskctl daemon &\" (your own), "
      "or name its socket with --socket or TASKD_SOCKET";
  if (const std::string_view other = not_a_socket(e.what()); !other.empty())
    return {kExitNoDaemon, at + "it is " + std::string(other) + "not a socket" + remedy};
  switch (e.error) {
    case EACCES:
    case EPERM:
      return {kExitNotAllowed,
              "you may not use " + escape_for_humans(e.what()) + ": " + how_to_be_let_in(e.what())};
    case ENOENT:
      return {kExitNoDaemon, at + "there is no such socket" + remedy};
    case ECONNREFUSED:
      return {kExitNoDaemon, at + "the socket is there, but nobody listens" + remedy};
    case EAGAIN:
      return {kExitTryLater, "the daemon at " + escape_for_humans(e.what()) +
                                 " is too busy to accept a connection; try again"};
    default:
      return {kExitNoDaemon, at + std::strerror(e.error) + remedy};
  }
}

Failure explain(const UntrustedPeer& e) {
  const std::string user = short_user(e.uid);
  return {kExitNotAllowed, "the daemon at " + escape_for_humans(e.what()) + " is run by " +
                               describe_user(e.uid) +
                               ", not by root or you, so nothing was sent to it. If you trust " +
                               user + ": --daemon-user " + user + ", or TASKD_DAEMON_USER=" + user};
}

Failure explain(const ProtocolError& e, const std::string& path) {
  return {kExitBadAnswer,
          "the server at " + escape_for_humans(path) + " is not taskd: it sent " + e.what()};
}

DaemonAway explain(const ConnectionLost& e) {
  if (e.answer_begun)
    return DaemonAway(kExitBadAnswer, std::string("the answer is cut short: ") + e.what());
  DaemonAway away(kExitTryLater, std::string("the daemon went away: ") + e.what() +
                                     "; it may or may not have done what was asked");
  away.outcome_unknown = true;
  return away;
}

// Runs `f`, turning the exceptions of an Exchange into Failures.
template <class F>
auto translated(const std::string& path, F f) {
  try {
    return f();
  } catch (const ConnectFailed& e) {
    throw explain(e);
  } catch (const UntrustedPeer& e) {
    throw explain(e);
  } catch (const ConnectionLost& e) {
    throw explain(e);
  } catch (const AnswerTimeout& e) {
    throw Failure(kExitTryLater, std::string("the daemon does not answer: ") + e.what());
  } catch (const ProtocolError& e) {
    throw explain(e, path);
  }
}

// Deeper documents would overflow the stack when printed. Checked on the text, because the parser's
// callback takes time quadratic in an array's length.
bool is_shallow(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return false;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return true;
}

nlohmann::json parse_answer(const std::string& text) {
  nlohmann::json answer;
  if (is_shallow(text))
    answer = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  else
    answer = nlohmann::json::value_t::discarded;
  if (answer.is_discarded()) throw Failure(kExitBadAnswer, "the daemon's answer is not JSON");
  return answer;
}

Problem read_problem(const Exchange& exchange) {
  const int status = exchange.answer().status();
  try {
    Problem problem = problem_from_json(parse_answer(exchange.answer().body()));
    problem.status = status;
    return problem;
  } catch (const std::exception&) {
    throw Failure(kExitBadAnswer, "the daemon answered " + std::to_string(status) +
                                      " without saying why; is it another version?");
  }
}

// Whether sending the request twice has the same effect as once.
bool may_be_repeated(const HttpRequest& request) {
  return request.method == "GET" ||
         std::any_of(request.headers.begin(), request.headers.end(),
                     [](const auto& header) { return header.first == "Idempotency-Key"; });
}

}  // namespace

std::string find_socket(const std::optional<std::string>& option, const Environment& env) {
  if (option) return checked_path(*option, kExitUsage, "--socket");
  if (const char* const variable = env.get("TASKD_SOCKET"))
    return checked_path(variable, kExitBadConfig, "TASKD_SOCKET");
  if (const char* const runtime = env.get("XDG_RUNTIME_DIR"); runtime != nullptr && *runtime) {
    const std::string path = std::string(runtime) + "/taskctl/taskctl.sock";
    struct stat info;
    if (::stat(path.c_str(), &info) == 0)
      return checked_path(path, kExitBadConfig, "$XDG_RUNTIME_DIR/taskctl/taskctl.sock");
  }
  return kSystemSocket;
}

std::optional<std::uint32_t> find_daemon_user(const std::optional<std::string>& option,
                                              const Environment& env) {
  const char* const variable = env.get("TASKD_DAEMON_USER");
  if (!option && variable == nullptr) return std::nullopt;
  const std::string name = option ? *option : variable;
  if (const auto uid = uid_in("/etc/passwd", name)) return uid;
  throw UsageError(option ? kExitUsage : kExitBadConfig,
                   std::string(option ? "--daemon-user" : "TASKD_DAEMON_USER") +
                       ": there is no user \"" + escape_for_humans(name) + "\"");
}

int exit_code_of(const Problem& problem) {
  if (problem.code == "no_such_path" || problem.code == "method_not_allowed")
    return kExitBadAnswer;  // a daemon that lacks this verb
  if (problem.code.starts_with("unknown_"))
    return kExitNoSuchTask;  // something named in the request does not exist, wherever the name is
  switch (problem.status) {
    case 403:
      return kExitNotAllowed;
    case 404:
      return kExitNoSuchTask;
    case 408:
    case 429:
    case 503:
      return kExitTryLater;
    case 409:
    case 412:
    case 507:
      return kExitConflict;
    case 500:
      return kExitInternal;
    default:
      break;
  }
  return problem.status >= 400 && problem.status < 500 ? kExitBadData : kExitBadAnswer;
}

nlohmann::json Client::call(const HttpRequest& request) const {
  return parse_answer(ask(request).answer().body());
}

nlohmann::json Client::get(const std::string& target) const {
  HttpRequest request;
  request.target = target;
  return call(request);
}

nlohmann::json Client::post(const std::string& target, const nlohmann::json& body) const {
  HttpRequest request;
  request.method = "POST";
  request.target = target;
  request.body = body.dump();
  return call(request);
}

Exchange Client::ask(const HttpRequest& request, const ResponseParser::BodySink& sink) const {
  const auto ask_once = [&] {
    Exchange exchange = begin(request, sink);
    finish(exchange, answer_ms_);
    check_status(exchange);
    return exchange;
  };
  try {
    return ask_once();
  } catch (const DaemonAway& away) {
    if (!away.outcome_unknown || !may_be_repeated(request)) throw;
    if (request.method == "GET") return ask_once();
    // Until the daemon answers, it is unknown whether the first request was carried out.
    try {
      return ask_once();
    } catch (const Refused& refused) {
      const bool may_pass =
          refused.exit_code == kExitTryLater || refused.problem.code == "request_in_progress";
      if (!may_pass) throw;
    } catch (const Failure&) {
    }
    throw;
  }
}

Exchange Client::begin(const HttpRequest& request, ResponseParser::BodySink sink) const {
  return translated(socket_path_,
                    [&] { return Exchange(socket_path_, request, std::move(sink), trusted_uid_); });
}

bool Client::step(Exchange& exchange) const {
  return translated(socket_path_, [&] { return exchange.step(); });
}

void Client::finish(Exchange& exchange, int quiet_ms) const {
  translated(socket_path_, [&] { exchange.finish(quiet_ms); });
}

void Client::check_status(const Exchange& exchange) const {
  const int status = exchange.answer().status();
  if (status >= 200 && status < 300) return;
  Problem problem = read_problem(exchange);
  const std::string* const after = exchange.answer().header("retry-after");
  const std::string what =
      describe_problem(problem, after ? std::optional<std::string_view>(*after) : std::nullopt);
  if (problem.code == "shutting_down") throw DaemonAway(kExitTryLater, what);
  const int exit_code = exit_code_of(problem);
  throw Refused(exit_code, what, std::move(problem));
}

nlohmann::json Client::result_of(const Exchange& exchange) const {
  check_status(exchange);
  return parse_answer(exchange.answer().body());
}

void ReconnectBackoff::after(const DaemonAway& failure) {
  if (failure.exit_code == kExitNotAllowed) throw failure;
  const BootTime now = context_.clock.boot_now();
  if (!since_) {
    if (limit_ms_ == 0) throw failure;
    since_ = now;
    next_pause_ms_ = kFirstPauseMs;
    context_.say("the daemon is away; waiting up to " + format_duration_ms(limit_ms_) +
                 " for it to come back");
  }
  const std::int64_t left = limit_ms_ - (now - *since_);
  if (left <= 0) throw failure;
  pause_ms(static_cast<int>(std::min(next_pause_ms_, left)));
  next_pause_ms_ = std::min(2 * next_pause_ms_, kMaxPauseMs);
}

void ReconnectBackoff::reset() {
  since_.reset();
}

void pause_ms(int ms) {
  ::poll(nullptr, 0, ms);  // a signal may shorten it, which harms no caller
}

}  // namespace taskd::ctl
