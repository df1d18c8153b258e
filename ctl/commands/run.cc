#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>

#include "ctl/commands/verbs.h"
#include "ctl/follow/follow.h"
#include "ctl/follow/job_output.h"
#include "ctl/options/selector.h"
#include "ctl/options/submit_options.h"
#include "ctl/options/when.h"
#include "ctl/terminal/interrupts.h"
#include "ctl/view/outcome.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

constexpr HelpText kRunHelp{
    .usage = "[OPTIONS] -- COMMAND [ARG…]\n       taskctl run [OPTIONS] --shell LINE",
    .paragraph =
        R"(Submits a command, shows its output live, and exits with its code, as if it had been
started here; but it waits its turn, is tried again as asked, and continues when this
terminal dies. Ctrl-C asks whether to cancel the task; a second one cancels it. Where
nobody can be asked, SIGINT and SIGTERM cancel the task, and taskctl waits for its end.)",
    .examples =
        R"(  taskctl run -- make check
  taskctl run --queue gpu --timeout 2h -- ./train.sh
  taskctl run --max-attempts 3 --retry-delay 5s -- rsync -a src/ host:dst/
)"};

constexpr int kLookMs = 1000;       // between two checks of a waiting task
constexpr int kHintAfterMs = 1000;  // of waiting, before a message says so
constexpr int kMaxDelayMs = 50;     // between the end of the output and the end of the task

class Runner {
 public:
  Runner(Context& context, const Client& client, TaskId id, JobOutput& output)
      : context_(context),
        client_(client),
        id_(id),
        output_(output),
        backoff_(context),
        begun_(context.clock.boot_now()) {}

  // Returns once the task has ended, with its exit code.
  int run() {
    for (int attempt = 1;; ++attempt) {
      follow(attempt);
      const Task task = wait_for_next(attempt);
      if (task.attempt <= attempt) return finish(task);
    }
  }

 private:
  void follow(int attempt) {
    AttemptFollower follower(context_, client_, id_, attempt, {output_.out_sink(), 0},
                             {output_.err_sink(), 0});
    while (!follower.done()) {
      const bool hint_due = !hinted_ && ::isatty(STDERR_FILENO) == 1;
      if (follower.step(hint_due ? kHintAfterMs : kLookMs * 60, interrupts_.fd(), POLLIN))
        interrupted();
      output_.flush();
      if (hint_due) hint();
    }
  }

  // Returns the task once it has ended or its next attempt has begun.
  Task wait_for_next(int attempt) {
    int pause = 1;
    bool said = false;
    while (true) {
      const std::optional<Task> task = look();
      if (task && (is_end(task->state) || task->attempt > attempt)) return *task;
      const bool between = task && task->state != State::running;
      if (between && !said) say_retry(*task);
      said = said || between;
      pause = std::min(pause * 2, between ? kLookMs : kMaxDelayMs);
      wait_for_interrupt(pause);
    }
  }

  std::optional<Task> look() {
    try {
      Task task = get_task(client_, id_);
      backoff_.reset();
      return task;
    } catch (const DaemonAway& away) {
      backoff_.after(away);
      return std::nullopt;
    }
  }

  void wait_for_interrupt(int ms) {
    if (interrupts_.wait(ms)) interrupted();
  }

  void say_retry(const Task& task) {
    std::string text = "task " + std::to_string(id_) + ": attempt " + std::to_string(task.attempt) +
                       " ended (" +
                       (task.last_outcome ? describe_outcome(*task.last_outcome) : "lost") + ")";
    if (task.state == State::scheduled && task.due_at)
      text += "; the next begins " + format_relative(*task.due_at, context_.clock.wall_now());
    output_.flush();
    context_.say(text);
  }

  // On a terminal, says once why there is no output yet.
  void hint() {
    if (context_.clock.boot_now() - begun_ < kHintAfterMs) return;
    hinted_ = true;
    const std::optional<Task> task = look();
    if (!task || task->attempt > 0 || is_end(task->state)) return;
    context_.say("task " + std::to_string(id_) + " is " + std::string(to_string(task->state)) +
                 " in queue " + escape_for_humans(task->spec.queue) + "; waiting for it to start");
  }

  void interrupted() {
    const int signal = interrupts_.take();
    if (signal == 0) return;
    if (cancelled_)
      throw Failure(128 + signal,
                    "task " + std::to_string(id_) + " is still being stopped; not waiting for it");
    if (signal == SIGINT) {
      const Answer answer =
          ask_on_terminal("cancel task " + std::to_string(id_) + "?", interrupts_);
      if (answer == Answer::no)
        return context_.say("task " + std::to_string(id_) + " keeps running");
    }
    try {
      client_.post("/v1/tasks/" + std::to_string(id_) + "/cancel", nlohmann::json::object());
    } catch (const Refused& refused) {
      if (refused.problem.code != "wrong_state") throw;
      return;  // it has just ended by itself
    }
    cancelled_ = true;
    context_.say("cancelling task " + std::to_string(id_));
  }

  int finish(const Task& task) {
    output_.finish();
    // If the command failed with its own exit code, that needs no message. (A cancelled task may
    // also have a code from its last attempt.)
    const bool own_code = task.state == State::failed && task.reason == Reason::exit;
    if (task.state != State::succeeded && !own_code) {
      const std::string reason = describe_reason(task);
      context_.say("task " + std::to_string(id_) + " " + std::string(to_string(task.state)) +
                   (reason.empty() ? "" : ": " + reason));
    }
    return exit_code_of(task);
  }

  Context& context_;
  const Client& client_;
  const TaskId id_;
  JobOutput& output_;
  ReconnectBackoff backoff_;
  const BootTime begun_;
  Interrupts interrupts_;
  bool hinted_ = false;
  bool cancelled_ = false;
};

}  // namespace

int run_command(Context& context, const Words& argv) {
  CommonOptions common;
  SubmitOptions options;
  bool raw = false;
  Args args("run", kRunHelp);
  options.declare(args);
  args.flag("--raw", raw, "do not escape control characters on a terminal");
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;

  const Painter paint = make_painter(context, common, STDERR_FILENO);
  nlohmann::json body = options.to_body(context);
  if (options.array()) throw UsageError(kExitUsage, "run is for one task; see \"taskctl submit\"");
  const Client client = connect(context, common);
  const TaskId id = read_task(options.submit(context, client, std::move(body))).id;
  if (::isatty(STDERR_FILENO) == 1)
    write_all(STDERR_FILENO, paint(Color::dim, "task " + std::to_string(id)) + "\n");
  JobOutput output(context, raw, common.color.value_or("auto") != "never");
  return Runner(context, client, id, output).run();
}

}  // namespace taskd::ctl
