// Built into every program under ThreadSanitizer, because another user might not be able to read a
// file.

// Debian's libcpp-httplib is built without ThreadSanitizer, which therefore cannot see the guard of
// the library's static tables and reports their initialisation as a race.
extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:libcpp-httplib.so\n";
}
