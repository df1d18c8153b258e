#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "ctl/base/failure.h"
#include "ctl/base/users.h"
#include "ctl/commands/sub_verbs.h"
#include "ctl/options/flag_values.h"
#include "ctl/options/when.h"
#include "ctl/view/lines.h"
#include "ctl/view/outcome.h"
#include "ctl/view/table.h"
#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

using nlohmann::json;

constexpr char kKeysPath[] = "/v1/keys?";
constexpr int kKeysAtOnce = 1000;

// The options shared by all three.
struct KeyOptions {
  std::optional<std::string> user;
  bool as_json = false;
  CommonOptions common;

  void declare(Args& args, std::string_view json_help) {
    args.option("--user", "USER", user, "of this user (root only)");
    args.flag("--json", as_json, json_help);
    add_common(args, common);
  }
  std::string query() const {
    return user ? "user=" + percent_encode(checked("--user", *user)) + "&" : "";
  }
};

KeyInfo read_key(const json& item) {
  try {
    return key_from_json(item);
  } catch (const std::exception& e) {
    throw Failure(kExitBadAnswer, std::string("this taskctl cannot read the daemon's key: ") +
                                      escape_for_humans(e.what()));
  }
}

// Fetches all pages; `query` ends with "&" unless it is empty.
json get_keys(const Client& client, const std::string& query) {
  json all = json::array();
  std::string cursor;
  do {
    json page = client.get(kKeysPath + query + "limit=" + std::to_string(kKeysAtOnce) + cursor);
    for (json& item : page.at("keys")) all.push_back(std::move(item));
    const json next = page.value("next_cursor", json());
    cursor = next.is_string() ? "&cursor=" + percent_encode(next.get<std::string>()) : "";
  } while (!cursor.empty());
  return all;
}

const std::string& one_name(const Words& words) {
  if (words.size() != 1 || words[0].empty()) throw UsageError(kExitUsage, "name one key");
  return checked("the key", words[0]);
}

std::string limit_text(const KeyInfo& key) {
  return key.limit ? "at most " + std::to_string(*key.limit) : std::string("no limit");
}

void print_keys(Context& context, const Painter& paint, const std::vector<KeyInfo>& keys) {
  const bool one_user = std::all_of(
      keys.begin(), keys.end(), [&](const KeyInfo& key) { return key.uid == keys.front().uid; });
  std::vector<Column> columns = {{"KEY", false, true}};
  if (!one_user) columns.push_back({"USER", false, true, 1});
  columns.push_back({"RUNNING", true});
  columns.push_back({"QUEUED", true, false, 2});
  columns.push_back({"BLOCKED", true});
  columns.push_back({"RATE", true, false, 3});
  Table table(std::move(columns));
  for (const KeyInfo& key : keys) {
    std::vector<Cell> row = {{escape_for_humans(key.name)}};
    if (!one_user) row.push_back({short_user(key.uid)});
    std::string running = std::to_string(key.running);
    if (key.limit) running += "/" + std::to_string(*key.limit);
    row.push_back({running, key.running > 0 ? color_of(State::running) : Color::none});
    row.push_back({std::to_string(key.queued)});
    row.push_back({std::to_string(key.blocked), key.blocked > 0 ? Color::yellow : Color::none});
    row.push_back({key.rate ? format_rate(*key.rate) : "-"});
    table.add(std::move(row));
  }
  const int width = terminal_columns(context.out.fd(), context.env.get("COLUMNS"));
  context.out.write(table.render(static_cast<std::size_t>(width), paint));
}

void print_key(Context& context, const Painter& paint, const KeyInfo& key) {
  Lines lines(context.out, paint);
  context.out.line(paint(Color::bold, "Key " + escape_for_humans(key.name)));
  lines.add("user", describe_user(key.uid));
  lines.add("running", std::to_string(key.running) + ", " + limit_text(key));
  lines.add("queued", std::to_string(key.queued) + ", as soon as a worker is free");
  lines.add("blocked", std::to_string(key.blocked) + " by this key");
  std::string starts =
      key.rate ? "at most " + format_rate(*key.rate) : "as fast as workers become free";
  if (key.next_start_at) starts += "; the next " + format_local(*key.next_start_at);
  lines.add("starts", starts);
}

int list_keys(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS]",
      .paragraph =
          R"(Lists the keys that have tasks running, queued or blocked by them; --all lists every key.
RUNNING has the limit after a slash, QUEUED wait for a worker, BLOCKED are held back by the
key itself. An array with a limit of its own, such as 1-100%4, has a key of its own:
#array- and its id.)",
      .examples = R"(  taskctl key list
  taskctl key list --json | jq -r '.keys[] | select(.blocked > 100) | .name'
)"};
  KeyOptions options;
  bool all = false;
  Args args("key list", kHelp);
  args.flag("--all", all,
            "all keys, even if their tasks have all ended or wait\nfor something else");
  options.declare(args, "{\"version\":1,\"keys\":[…],\"next_cursor\":null}");
  if (!args.parse(argv, context.out)) return kExitOk;

  const Painter paint = make_painter(context, options.common);
  const std::string query = options.query() + (all ? "" : "active=true&");
  json list = get_keys(connect(context, options.common), query);
  if (options.as_json) {
    print_document(context, {{"keys", std::move(list)}, {"next_cursor", nullptr}});
    return kExitOk;
  }
  std::vector<KeyInfo> keys;
  for (const json& item : list) keys.push_back(read_key(item));
  std::sort(keys.begin(), keys.end(), [](const KeyInfo& a, const KeyInfo& b) {
    return std::tie(a.name, a.uid) < std::tie(b.name, b.uid);
  });
  if (keys.empty())
    context.say(all ? "no task has a key"
                    : "no key has running, queued or blocked tasks; --all shows "
                      "all keys");
  else
    print_keys(context, paint, keys);
  return kExitOk;
}

int show_key(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS] NAME",
      .paragraph = R"(Shows a key: its limits, and what they hold back.)",
      .examples = R"(  taskctl key show customer-7
  taskctl list --key customer-7 --state running     # its tasks
)"};
  KeyOptions options;
  Words words;
  Args args("key show", kHelp);
  args.words(words);
  options.declare(args, "print the answer as JSON");
  if (!args.parse(argv, context.out)) return kExitOk;

  const std::string& name = one_name(words);
  const Painter paint = make_painter(context, options.common);
  json list = get_keys(connect(context, options.common),
                       options.query() + "name=" + percent_encode(name) + "&");
  if (list.empty()) throw Failure(kExitNoSuchTask, "no task has the key " + in_quotes(name));
  if (list.size() > 1)
    throw Failure(kExitConflict, std::to_string(list.size()) + " users have a key " +
                                     in_quotes(name) + "; choose one with --user");
  if (options.as_json)
    print_document(context, std::move(list[0]));
  else
    print_key(context, paint, read_key(list[0]));
  return kExitOk;
}

int set_key(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS] NAME",
      .paragraph =
          R"(Changes the limits of a key, at once for all tasks that have it. What runs is never
stopped. The first submit that names a key (--key) creates it, it goes with the last of
its tasks, and a submit with --key-limit or --key-rate sets its limits again.)",
      .examples = R"(  taskctl key set customer-7 --limit 3
  taskctl key set customer-7 --limit none --rate 10/1m
  taskctl key set '#array-120' --limit 8     # of the array that begins with 120
)"};
  std::optional<std::string> limit, rate;
  KeyOptions options;
  bool quiet = false;
  Words words;
  Args args("key set", kHelp);
  args.words(words);
  args.option("--limit", "N", limit, "how many of its tasks may run at once, or none");
  args.option("--rate", "N/TIME", rate,
              "how many may start per interval, such as 10/1m or\n5/s; none for no limit");
  args.flag("--quiet", quiet, "print nothing on success");
  options.declare(args, "print the answer as JSON");
  if (!args.parse(argv, context.out)) return kExitOk;

  const std::string& name = one_name(words);
  if (!limit && !rate) throw UsageError(kExitUsage, "nothing to change; give --limit or --rate");
  json body = json::object();
  if (limit) body["limit"] = limit_flag("--limit", *limit);
  if (rate) body["rate"] = rate_flag("--rate", *rate);
  json answer = ask(connect(context, options.common), "PATCH",
                    kKeysPath + options.query() + "name=" + percent_encode(name), body);
  const KeyInfo key = read_key(answer);
  if (options.as_json) print_document(context, std::move(answer));
  if (quiet) return kExitOk;
  context.say("key " + escape_for_humans(name) + " set: " + limit_text(key) +
              (key.rate ? ", " + format_rate(*key.rate) : "") + "; " + std::to_string(key.blocked) +
              " blocked by it");
  return kExitOk;
}

constexpr Verb kKeySubVerbs[] = {
    {"list", "", "list keys and what they hold back", list_keys},
    {"show", "", "show one key in detail", show_key},
    {"set", "", "change the limits of a key", set_key},
};

constexpr VerbFamily kKeyFamily = {
    .noun = "key",
    .paragraph =
        "Shows keys and changes their limits. Tasks of one user that were submitted with the\n"
        "same --key share its limits, whatever their queues.\n",
    .verbs = kKeySubVerbs,
    .examples =
        "  taskctl submit --key customer-7 --key-limit 2 -- ./sync.sh\n"
        "  taskctl key list\n"
        "  taskctl key set customer-7 --limit 5\n"};

}  // namespace

int key_command(Context& context, const Words& argv) {
  return run_sub_verb(context, kKeyFamily, argv);
}

}  // namespace taskd::ctl
