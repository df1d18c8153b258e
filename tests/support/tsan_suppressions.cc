// Built into every program under ThreadSanitizer, so that it needs no file that another user could
// not read.

// Debian's libcpp-httplib is built without ThreadSanitizer: it cannot see the guard of the
// library's static tables, and takes the first thread's making of them and the next one's reading
// for a race.
extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:libcpp-httplib.so\n";
}
