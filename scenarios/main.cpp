// The program: exit status 0 if every claim held, 1 if one did not, 2 for a mistake of the user,
// 3 for one of ours.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>

#include "base/check.hpp"
#include "scenarios/command_line.hpp"
#include "scenarios/output.hpp"
#include "scenarios/usage_error.hpp"

namespace {

using namespace ioasim;

// A stream that the caller has closed must not come back as one of our files. What is opened in
// its place is for the other direction, so that using it fails.
void guard_streams() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) >= 0) continue;
    const int mode = descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (::open("/dev/null", mode) != descriptor) std::_Exit(scenarios::exit_usage);
  }
}

int complain(int status, std::string_view message) {
  // Not fmt::print, which throws where standard error is closed.
  std::fputs(fmt::format("ioasim: {}\n", message).c_str(), stderr);
  return status;
}

int run(int argc, char** argv) {
  const scenarios::Program program{.scenarios = scenarios::scenarios(), .run = scenarios::simulate};
  const auto answer = scenarios::command_line(program, argc, argv);
  scenarios::write_stdout(answer.text);
  std::fputs(answer.complaint.c_str(), stderr);
  return answer.status;
}

}  // namespace

int main(int argc, char** argv) {
  guard_streams();
  // A reader that goes away is then an error of the write, which is reported.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return run(argc, argv);
  } catch (const scenarios::UsageError& error) {
    return complain(scenarios::exit_usage, error.what());
  } catch (const config::ConfigError& error) {
    return complain(scenarios::exit_usage, error.what());
  } catch (const std::exception& error) {
    return complain(check_exit_status, fmt::format("internal error: {}", error.what()));
  }
}
