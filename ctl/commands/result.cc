#include <algorithm>
#include <nlohmann/json.hpp>

#include "ctl/commands/job_report.h"
#include "ctl/commands/verbs.h"
#include "ctl/options/selector.h"
#include "ctl/options/text_input.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"
#include "daemon/task/spec_json.h"
#include "daemon/task/task_name.h"

namespace taskd::ctl {
namespace {

constexpr HelpText kResultHelp{
    .usage = "[OPTIONS] ID | last\n       taskctl result [OPTIONS] JSON | -",
    .paragraph =
        R"(Prints the result of a task; or, inside a job, reports it: any JSON of at most 64 KiB,
as an argument or on standard input (-). What looks like a task, such as 12 or 12[3],
means that task, so give a result that is a number on standard input. A later result
replaces an earlier one, and what the job wrote into $TASKD_RESULT_FILE, if anything,
replaces both at its end; if that is not JSON or over 64 KiB, the task fails (see submit
--on-bad-result). A job's report waits out a restart of the daemon.)",
    .examples =
        R"(  taskctl result 12 | jq .rows
  taskctl result '{"rows": 17}'            # in the job
  ./count | taskctl result -               # in the job
)"};

bool is_name(const std::string& word) {
  return parse_task_name(word).has_value();
}

nlohmann::json parse_result(const std::string& text) {
  auto parsed = parse_strict_value(text);
  if (const auto* error = std::get_if<JsonError>(&parsed))
    throw UsageError(kExitBadData, "the result is not JSON: at byte " +
                                       std::to_string(error->offset_bytes) + ": " + error->detail);
  return std::get<nlohmann::json>(std::move(parsed));
}

void report_result(Context& context, const CommonOptions& common, const Report& report,
                   const std::string& word) {
  const AttemptKey attempt = own_attempt(context.env, "to report a result");
  nlohmann::json body = report_of(attempt);
  body["result"] =
      parse_result(word == "-" ? read_text(word, 4 * kMaxResultBytes, "standard input") : word);
  report.send(context, common, attempt, "result", body);
}

}  // namespace

int result_command(Context& context, const Words& argv) {
  CommonOptions common;
  Words words;
  bool json = false;
  Report report;
  Args args("result", kResultHelp);
  args.words(words);
  args.flag("--json", json, "also print when and by which attempt it was reported");
  report.declare(args);
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;

  if (words.size() != 1)
    throw UsageError(kExitUsage, "name one task, or, inside a job, give one result in JSON");
  if (!is_name(words[0])) {
    report_result(context, common, report, words[0]);
    return kExitOk;
  }
  if (report.names_timeout())
    throw UsageError(kExitUsage, "--timeout is for reporting a result, not for reading one");
  const Client client = connect(context, common);
  const TaskId id = resolve_one(client, one_task(words));
  nlohmann::json answer = client.get("/v1/tasks/" + std::to_string(id) + "/result");
  if (!json && !answer.contains("result"))
    throw Failure(kExitBadAnswer, "this taskctl cannot read the daemon's answer");
  if (json) answer["version"] = 1;
  context.out.line(print_json(json ? answer : answer.at("result")));
  return kExitOk;
}

}  // namespace taskd::ctl
