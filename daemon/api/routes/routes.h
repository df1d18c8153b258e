// Every path of API.md. All of it is thread-safe and throws ProblemError for what it refuses.
#pragma once

#include "daemon/api/request/call.h"

namespace taskd {

class Page;

// Throws where the store is a copy of another: it may be looked at, no more.
void refuse_copy(const ApiContext& context);

// Finds the route and answers. no_such_path, method_not_allowed; what admit() refuses.
Reply dispatch(const ApiContext& context, const Call& call);
// Answers a POST that has an Idempotency-Key: it is done at most once, and repeated is answered as
// before. `pattern` is the route's. bad_idempotency_key, idempotency_key_reused,
// request_in_progress, and what the route throws.
Reply answer_once(const ApiContext& context, const Call& call, std::string_view pattern,
                  Route route);

struct RouteName {
  std::string_view method;
  std::string_view pattern;
};
// All of them, for the tests that ask each: "GET", "/v1/tasks/{id}".
std::vector<RouteName> all_routes();

// One function per route, in the .cc of its resource.
Reply submit_tasks(const ApiContext& context, const Call& call);
Reply list_tasks(const ApiContext& context, const Call& call);
Reply show_task(const ApiContext& context, const Call& call);
Reply show_why(const ApiContext& context, const Call& call);
Reply show_attempts(const ApiContext& context, const Call& call);
template <Verb verb>
Reply control_task(const ApiContext& context, const Call& call);
Reply edit_task(const ApiContext& context, const Call& call);
Reply retry_task(const ApiContext& context, const Call& call);
Reply remove_task(const ApiContext& context, const Call& call);
template <Verb verb>
Reply control_tasks(const ApiContext& context, const Call& call);
Reply signal_task(const ApiContext& context, const Call& call);
Reply signal_tasks(const ApiContext& context, const Call& call);
Reply report_progress(const ApiContext& context, const Call& call);
Reply report_result(const ApiContext& context, const Call& call);
Reply show_result(const ApiContext& context, const Call& call);
Reply wait_for_task(const ApiContext& context, const Call& call);
Reply wait_for_tasks(const ApiContext& context, const Call& call);
Reply show_logs(const ApiContext& context, const Call& call);
Reply submit_workflow(const ApiContext& context, const Call& call);
Reply list_workflows(const ApiContext& context, const Call& call);
Reply show_workflow(const ApiContext& context, const Call& call);
Reply cancel_workflow(const ApiContext& context, const Call& call);
Reply retry_workflow(const ApiContext& context, const Call& call);
Reply list_queues(const ApiContext& context, const Call& call);
Reply show_queue(const ApiContext& context, const Call& call);
Reply put_queue(const ApiContext& context, const Call& call);
Reply patch_queue(const ApiContext& context, const Call& call);
Reply remove_queue(const ApiContext& context, const Call& call);
template <QueueVerb verb>
Reply control_queue(const ApiContext& context, const Call& call);
Reply list_keys(const ApiContext& context, const Call& call);
Reply patch_key(const ApiContext& context, const Call& call);
Reply list_schedules(const ApiContext& context, const Call& call);
Reply show_schedule(const ApiContext& context, const Call& call);
Reply put_schedule(const ApiContext& context, const Call& call);
Reply remove_schedule(const ApiContext& context, const Call& call);
Reply pause_schedule(const ApiContext& context, const Call& call);
Reply resume_schedule(const ApiContext& context, const Call& call);
Reply trigger_schedule(const ApiContext& context, const Call& call);
Reply preview_schedule(const ApiContext& context, const Call& call);
Reply list_hooks(const ApiContext& context, const Call& call);
Reply test_hook(const ApiContext& context, const Call& call);
Reply show_deliveries(const ApiContext& context, const Call& call);
Reply list_handlers(const ApiContext& context, const Call& call);
Reply show_stats(const ApiContext& context, const Call& call);
Reply show_integrity(const ApiContext& context, const Call& call);
Reply show_health(const ApiContext& context, const Call& call);

// --- what they share ----------------------------------------------------------------------------

[[noreturn]] void no_such_task(TaskId id);
// array_being_submitted. Not all of its tasks are there yet, so it cannot be named; `why` follows.
[[noreturn]] void being_submitted(TaskId array, const std::string& why = "");
// Says when there will be room, where that can be told.
[[noreturn]] void queue_full(const ApiContext& context, const QueueFull& full);
[[noreturn]] void invalid_request(const std::string& pointer, const std::string& detail);
[[noreturn]] void unknown_queue(const std::string& queue, const std::vector<std::string>& pointers);
[[noreturn]] void wrong_state(std::string_view verb, const WrongState& wrong);
// Adds to the page up to `limit` tasks of the request, fewer where they are long. The cursor after
// them, bound to `list`; null at the end.
nlohmann::json add_tasks(const ApiContext& context, ListRequest request, std::size_t limit,
                         const std::string& list, Page& page);
// The ETag of a task: another one once it was edited.
std::string etag_of(const Task& task);
// The task that {id} names; it may be `last`. bad_id, no_such_task, names_an_array.
TaskId task_id_of(const ApiContext& context, const Call& call);
Task task_of(const ApiContext& context, const Call& call);
// A body that must be one strict JSON object. bad_json.
nlohmann::json parse_body(std::string_view body);
// The ids, names or filter in the body of a bulk verb, an object, and whether it is a dry run, for
// `request`, whose actor and verb are set. invalid_request, no_such_task, unknown_queue,
// unknown_user, unknown_key, unknown_workflow, unknown_array, array_being_submitted.
void read_targets(const ApiContext& context, const nlohmann::json& body, ControlRequest& request);
// Of named ranges and arrays what the verb does not apply to, as [{"state","count"}]. Before it is
// done.
nlohmann::json unchanged_of(const ApiContext& context, const ControlRequest& request);
// What was changed: the first of it, since a filter may change millions; request.on_commit is told of
// all. no_such_task, wrong_state, queue_full.
std::vector<ControlChange> control(const ApiContext& context, const ControlRequest& request);
// The answer to a dry run. The same.
Reply preview_reply(const ApiContext& context, const ControlRequest& request);
// The task of a submit's body whose `like` names a task that is there: that one's spec, without
// what binds it to others, patched by the other fields. `pointer` is the task's; `read_bytes` is set
// to how much text that one has. unknown_task.
std::variant<NewTask, FieldErrors> task_like(const ApiContext& context, const Actor& actor,
                                             const nlohmann::json& item,
                                             const std::string& pointer, std::size_t& read_bytes);
// Turns the user's name into a uid, and refuses what may not run as that one (may_run_as()).
// `owner` is whose the task or the schedule is. `pointer` is the task's. unknown_user, not_allowed.
void check_user(const ApiContext& context, const Actor& actor, std::uint32_t owner,
                const std::string& pointer, TaskSpec& spec);
// Before every route: remembers who has the uid. If it was another's before, what that one left is
// set aside first, so that nothing of it is seen. uid_without_user, no_user_database, not_allowed.
void admit(const ApiContext& context, const Call& call);
// The same for the owner of what an admin makes for somebody else.
void know_owner(const ApiContext& context, std::uint32_t uid);
// Whose thing the path names, by the query's `user`, if there is one; else it is the actor's.
// unknown_user; not_allowed where somebody else than an admin names another.
std::optional<std::uint32_t> take_named_owner(const Call& call);
// Adds an error for each entry of a `notify` whose hook is not declared. `pointer` is that of the
// object around it.
void check_notify(const ApiContext& context, const std::string& pointer,
                  const std::vector<Notify>& list, FieldErrors& errors);
// The call's key, once it is known to be one. 400.
const std::string& checked_key(const Call& call);
// What the call asks for: where, and its body by what it means, so that neither the order of fields
// nor blanks count.
std::string meaning_of(const Call& call, const nlohmann::json& body);
// From the call's header. 400.
void set_idempotency_key(const Call& call, const nlohmann::json& body, SubmitRequest& request);
// `pointer_to` tells where the task of that index stands in the body. Every way a submit can fail.
Submitted submit_or_refuse(const ApiContext& context, const SubmitRequest& request,
                           const std::function<std::string(std::size_t)>& pointer_to);
// Refuses what can never start on this machine. `pointer` is the task's. does_not_fit.
void check_needs(const Machine& machine, const std::string& pointer, const TaskSpec& spec);
// Gives a task's object in a body, where it stands at `pointer`, what it leaves to its
// handler and its queue. What is no task is left alone, for its reader to name. unknown_handler.
void complete_task(const ApiContext& context, const std::string& pointer, nlohmann::json& task);
[[noreturn]] void unknown_handler(const std::string& name, const std::string& pointer);
// What every task must be, whichever way it comes and whoever its owner is: refuses what cannot or
// may not start. handlers_only, unknown_handler; check_user(), check_needs().
void check_task(const ApiContext& context, const Actor& actor, std::uint32_t owner,
                const std::string& pointer, TaskSpec& spec);
// handlers_only, if the task has a command of its own.
void check_command(const ApiContext& context, const TaskSpec& spec);
// The same of the tasks with these ids, before they are retried or released; of very large ones, of
// the first.
void check_commands(const ApiContext& context, const Actor& actor, const std::vector<TaskId>& ids);
// The same for what a patch would make of a task. unknown_handler, handlers_only.
void check_command_patch(const ApiContext& context, const std::string& pointer,
                         const nlohmann::json& patch);
// The reason in the body of a pause; verbs that are none take no fields. 400, 422.
std::string read_reason(const Call& call, bool is_pause);
// 422; its detail is the first error's.
[[noreturn]] void invalid_fields(const std::string& code, FieldErrors errors);

}  // namespace taskd
