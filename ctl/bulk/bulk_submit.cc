#include "ctl/bulk/bulk_submit.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "ctl/base/count_text.h"
#include "ctl/bulk/digest.h"
#include "ctl/bulk/task_lines.h"
#include "ctl/net/problem_text.h"
#include "ctl/options/selector.h"
#include "ctl/terminal/interrupts.h"
#include "ctl/view/progress_bar.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"
#include "daemon/task/array_range.h"
#include "daemon/task/spec_merge.h"

namespace taskd::ctl {
namespace {

constexpr std::size_t kMaxBodyBytes = std::size_t{4} << 20;  // the daemon's limit
constexpr std::size_t kShownErrors = 5;
constexpr int kSignalExit = 128;
constexpr std::int64_t kLongestPauseMs = 5'000;

class BulkSubmitter {
 public:
  BulkSubmitter(Context& context, const Client& client, const BulkSubmit& bulk)
      : context_(context),
        client_(client),
        bulk_(bulk),
        source_(bulk.path, interrupts_, bulk.ends),
        lines_(source_, bulk.command),
        defaults_(bulk.defaults.dump()),
        part_defaults_(defaults_of_part(bulk.defaults)),
        bar_(context, !bulk.quiet) {
    content_.add(bulk.identity);
  }

  int run() {
    try {
      for (Chunk chunk = lines_.next(); !chunk.tasks.empty(); chunk = lines_.next()) submit(chunk);
    } catch (const Interrupted& interrupted) {
      bar_.clear();
      context_.say("stopped" + so_far() + how_to_go_on());
      return kSignalExit + interrupted.signal;
    } catch (const Failure& failure) {
      bar_.clear();
      if (failure.exit_code == kExitClosedPipe) throw;
      const bool later = failure.exit_code == kExitTryLater || failure.exit_code == kExitNoDaemon;
      throw Failure(failure.exit_code, failure.what() + so_far() + (later ? how_to_go_on() : ""));
    }
    bar_.clear();
    if (!bulk_.quiet) sum_up();
    return kExitOk;
  }

 private:
  void submit(const Chunk& chunk) {
    for (const std::string& task : chunk.tasks) content_.add(task);
    const std::string key = bulk_.key ? *bulk_.key + ":" + std::to_string(chunk.lines.front())
                                      : "lines:" + content_.hex();
    submit_part(chunk, 0, chunk.tasks.size(), key);
  }

  // Submits the tasks [begin, end) of the chunk. If a queue can never hold that many at once,
  // submits the first half under the same key, and then the rest under a key of its own. So a
  // repeated command sees from the used key how the chunk was split, whatever the queue's capacity
  // is by then.
  void submit_part(const Chunk& chunk, std::size_t begin, std::size_t end, const std::string& key) {
    const std::string own_key = begin == 0 ? key : key + ":" + std::to_string(begin);
    const Chunk part = part_of(chunk, begin, end);
    if (try_submit(part, own_key, chunk)) return;
    const std::size_t middle = begin + (end - begin) / 2;
    submit_part(chunk, begin, middle, key);
    submit_part(chunk, middle, end, key);
  }

  // The defaults for a part, which mean the same but make another request. Otherwise a chunk that
  // was submitted whole, from a file that has grown since, could be taken for half of the current
  // chunk.
  static std::string defaults_of_part(nlohmann::json defaults) {
    for (const char* field : {"array", "key", "unique"}) {
      if (defaults.contains(field)) continue;
      defaults[field] = nullptr;
      break;
    }
    return defaults.dump();
  }

  static Chunk part_of(const Chunk& chunk, std::size_t begin, std::size_t end) {
    const auto from = static_cast<std::ptrdiff_t>(begin);
    const auto to = static_cast<std::ptrdiff_t>(end);
    return {{chunk.tasks.begin() + from, chunk.tasks.begin() + to},
            {chunk.lines.begin() + from, chunk.lines.begin() + to}};
  }

  // Submits the tasks, waiting while the daemon restarts or the queue is full. Returns false if
  // they cannot be submitted together. `whole` is the chunk that they are part of.
  bool try_submit(const Chunk& chunk, const std::string& key, const Chunk& whole) {
    const HttpRequest request = make_request(
        chunk, key, chunk.tasks.size() < whole.tasks.size() ? part_defaults_ : defaults_);
    ReconnectBackoff backoff(context_);
    std::optional<BootTime> full_since;
    while (true) {
      bar_.show(source_.part_read(), format_count(all()) + " tasks");
      try {
        take_answer(ask(request), chunk);
        return true;
      } catch (const DaemonAway& away) {
        bar_.clear();
        backoff.after(away);  // the key makes repeating safe
      } catch (const Refused& refused) {
        if (refused.problem.code == "queue_full") {
          wait_for_room(refused, full_since);
        } else if (chunk.tasks.size() > 1 && may_be_parted(refused.problem)) {
          return false;
        } else {
          const bool is_taken = refused.problem.code == "idempotency_key_reused";
          throw Failure(refused.exit_code, explain(refused, is_taken ? whole : chunk));
        }
      }
    }
  }

  bool may_be_parted(const Problem& problem) const {
    if (problem.code == "idempotency_key_reused") return true;  // it may have been
    return problem.code == "does_not_fit" && problem.errors.empty() && bulk_.wait_for_room_ms > 0;
  }

  HttpRequest make_request(const Chunk& chunk, const std::string& key,
                           const std::string& defaults) const {
    HttpRequest request{.method = "POST", .target = "/v1/tasks", .headers = {}, .body = {}};
    request.body = "{\"defaults\":" + defaults + ",\"tasks\":[";
    for (const std::string& task : chunk.tasks) request.body.append(task).push_back(',');
    request.body.back() = ']';
    request.body.push_back('}');
    if (request.body.size() > kMaxBodyBytes)
      throw Failure(kExitBadData, where(chunk) +
                                      ": with the options it exceeds the daemon's limit of " +
                                      format_count(kMaxBodyBytes) + " bytes");
    request.headers.emplace_back("Idempotency-Key", key);
    return request;
  }

  Exchange ask(const HttpRequest& request) {
    Exchange exchange = client_.begin(request);
    while (true) {
      pollfd fds[] = {{exchange.fd(), POLLIN, 0}, {interrupts_.fd(), POLLIN, 0}};
      const int ready = ::poll(fds, 2, kAnswerMs);
      if (ready < 0 && errno != EINTR) throw_errno("poll");
      if (ready == 0) throw Failure(kExitTryLater, "the daemon does not answer");
      if (ready > 0 && fds[1].revents != 0) throw Interrupted{interrupts_.take()};
      if (ready > 0 && client_.step(exchange)) return exchange;
    }
  }

  void take_answer(const Exchange& exchange, const Chunk& chunk) {
    nlohmann::json answer = client_.result_of(exchange);
    std::size_t count = chunk.tasks.size();
    std::size_t existing = 0;
    try {
      nlohmann::json& tasks = answer.at("tasks");
      const std::vector<std::int64_t> sizes = array_sizes(tasks, chunk);
      auto size = sizes.begin();
      for (nlohmann::json& task : tasks) {
        const bool sized = size != sizes.end() && begins_array(task);
        const std::int64_t tasks_of_line = sized ? *size++ : 1;
        count += static_cast<std::size_t>(tasks_of_line - 1);
        if (task.contains("existing")) ++existing;
        print(task, sized ? std::optional(tasks_of_line) : std::nullopt);
      }
    } catch (const nlohmann::json::exception&) {
      throw Failure(kExitBadAnswer, "this taskctl cannot read the daemon's answer");
    }
    // Nothing new: the chunk's key was used before, or every task exists by its unique key.
    const bool repeated = exchange.answer().status() == 200 && existing == 0;
    (repeated ? repeated_ : tasks_) += count - existing;
    existing_ += existing;
    context_.out.flush();
  }

  // Prints a task like `submit`, or an array with that many tasks.
  void print(nlohmann::json& task, std::optional<std::int64_t> array_size) {
    const auto first = task.at("id").get<std::int64_t>();
    const std::int64_t last = first + array_size.value_or(1) - 1;
    for (TaskId id = first; bulk_.ids != nullptr && id <= last; ++id) bulk_.ids->push_back(id);
    if (!bulk_.prints) return;
    if (bulk_.json) {
      task["version"] = 1;
      if (array_size) task["last_id"] = last;
      context_.out.line(print_json(task));
    } else {
      context_.out.line(std::to_string(first));
    }
  }

  static bool begins_array(const nlohmann::json& task) {
    const nlohmann::json& array = task.at("array");
    return !array.is_null() && array.at("id") == task.at("id");
  }

  // How many tasks each array of the answer has, in order. The answer does not say, but the lines
  // do. Empty if they cannot be matched, because some were removed in the meantime.
  std::vector<std::int64_t> array_sizes(const nlohmann::json& tasks, const Chunk& chunk) const {
    std::vector<std::int64_t> sizes;
    const auto arrays = std::count_if(tasks.begin(), tasks.end(), begins_array);
    if (arrays == 0) return sizes;
    for (const std::string& line : chunk.tasks) {
      nlohmann::json task = nlohmann::json::parse(line);
      fill_in(task, bulk_.defaults);
      const auto array = task.find("array");
      if (array == task.end() || array->is_null()) continue;
      sizes.push_back(ArrayRange{.first = array->at("first").get<std::int64_t>(),
                                 .last = array->at("last").get<std::int64_t>(),
                                 .step = array->value("step", std::int64_t{1})}
                          .count());
    }
    if (std::ssize(sizes) != arrays) sizes.clear();
    return sizes;
  }

  void wait_for_room(const Refused& refused, std::optional<BootTime>& since) {
    const BootTime now = context_.clock.boot_now();
    if (!since && bulk_.wait_for_room_ms > 0) {
      bar_.clear();
      context_.say(std::string(refused.problem.detail) + "; waiting for room");
    }
    if (!since) since = now;
    const std::int64_t left = bulk_.wait_for_room_ms - (now - *since);
    if (left <= 0) throw Failure(refused.exit_code, escape_for_table(refused.problem.detail));
    bar_.show(source_.part_read(), format_count(all()) + " tasks; waiting for room", true);
    if (interrupts_.wait(static_cast<int>(std::min(left, kLongestPauseMs))))
      throw Interrupted{interrupts_.take()};
  }

  std::string where(const Chunk& chunk) const {
    const std::string first = line_name(source_.name(), chunk.lines.front());
    return chunk.lines.size() == 1 ? first : first + "-" + std::to_string(chunk.lines.back());
  }

  // The problem, with the lines that it concerns.
  std::string explain(const Refused& refused, const Chunk& chunk) const {
    const Problem& problem = refused.problem;
    if (problem.code == "idempotency_key_reused")
      return where(chunk) +
             (bulk_.key ? ": other tasks were submitted under this --idempotency-key before"
                        : ": these lines were submitted before, with another environment or at "
                          "another time; to submit them again, use a new --idempotency-key");
    if (problem.errors.empty()) return where(chunk) + ": " + refused.what();
    std::string out;
    for (std::size_t i = 0; i < std::min(problem.errors.size(), kShownErrors); ++i) {
      if (i > 0) out += "\n";
      out += describe(problem.errors[i], chunk);
    }
    if (problem.errors.size() > kShownErrors)
      out += "\nand " + std::to_string(problem.errors.size() - kShownErrors) + " more";
    return out;
  }

  // "#/tasks/16/argv" -> "FILE:17: argv: …".
  std::string describe(const FieldError& error, const Chunk& chunk) const {
    constexpr std::string_view kTasks = "#/tasks/";
    const std::string detail = escape_for_table(error.detail);
    if (!error.pointer.starts_with(kTasks))
      return escape_for_humans(flag_of_pointer(error.pointer)) + ": " + detail;
    const std::string_view step = std::string_view(error.pointer).substr(kTasks.size());
    const std::size_t slash = std::min(step.find('/'), step.size());
    const auto index = parse_int(step.substr(0, slash));
    if (!index || std::cmp_greater_equal(*index, chunk.lines.size()))
      return escape_for_humans(error.pointer) + ": " + detail;
    std::string out =
        line_name(source_.name(), chunk.lines[static_cast<std::size_t>(*index)]) + ": ";
    if (slash < step.size()) out += escape_for_humans(step.substr(slash + 1)) + ": ";
    return out + detail;
  }

  std::string so_far() const {
    if (all() == 0) return "; nothing was submitted";
    return "; " + count_tasks(all()) + " of the lines before " + (all() == 1 ? "is" : "are") +
           " submitted";
  }
  std::string how_to_go_on() const {
    return bulk_.path == "-" ? "; repeat the command with the same input to continue from there"
                             : "; repeat the command to continue from there";
  }

  void sum_up() const {
    std::string out = "submitted " + count_tasks(tasks_);
    if (repeated_ > 0)
      out = "resumed: " + count_tasks(repeated_) + (repeated_ == 1 ? " was" : " were") +
            " there already; " + out;
    if (existing_ > 0)
      out += "; " + format_count(existing_) +
             (existing_ == 1 ? " already existed (same unique key)"
                             : " already existed (same unique keys)");
    if (repeated_ > 0 && tasks_ + existing_ == 0 && !bulk_.key)
      out += " (to submit them again, use a new --idempotency-key)";
    context_.say(out);
  }

  std::size_t all() const { return tasks_ + repeated_ + existing_; }

  Context& context_;
  const Client& client_;
  const BulkSubmit& bulk_;
  Interrupts interrupts_;
  LineSource source_;
  TaskLines lines_;
  const std::string defaults_;
  const std::string part_defaults_;
  ProgressBar bar_;
  Digest content_;  // so far
  std::size_t tasks_ = 0;
  std::size_t repeated_ = 0;  // existed already by the key of their chunk
  std::size_t existing_ = 0;  // existed already by their unique keys
};

}  // namespace

int submit_lines(Context& context, const Client& client, const BulkSubmit& bulk) {
  return BulkSubmitter(context, client, bulk).run();
}

}  // namespace taskd::ctl
