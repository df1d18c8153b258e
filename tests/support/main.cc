#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <sys/stat.h>

int main(int argc, char** argv) {
  ::umask(022);  // tasks keep the umask of who submits them, and tests tell what they expect to see
  return doctest::Context(argc, argv).run();
}
