// Runs a function in a process of its own: SystemC allows one simulation a process, and many a test
// wants to compare two.
//
// To be called before the calling process makes any object of SystemC. The function's expectations
// do not count: it says what it found in the text that it returns.
#pragma once

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "base/check.hpp"

namespace ioasim::test {

struct Forked {
  std::string text{};       // what the function returned
  std::string complaint{};  // what the process wrote to standard error
  int status = 0;           // as waitpid() gives it

  bool ok() const { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }
  // How the process ended, unless well.
  std::string why() const {
    if (ok()) return {};
    const auto how = WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                                         : fmt::format("exit status {}", WEXITSTATUS(status));
    return fmt::format("ended by {}\n{}", how, complaint);
  }
};

namespace detail {

inline void write_all(int fd, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const auto n = ::write(fd, text.data() + done, text.size() - done);
    CHECK(n > 0);
    done += static_cast<std::size_t>(n);
  }
}

inline std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(fd, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return text;
}

template <class Function>
[[noreturn]] void child(Function& function, int result, int complaints) {
  ::dup2(complaints, STDERR_FILENO);
  int status = 0;
  try {
    write_all(result, function());
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    status = 1;
  }
  std::fflush(nullptr);
  std::_Exit(status);
}

}  // namespace detail

// `function` returns a string. Its process is ended after `seconds` of wall time.
template <class Function>
Forked in_fork(Function function, unsigned seconds = 120) {
  std::fflush(nullptr);
  int result[2];
  CHECK(::pipe(result) == 0);
  std::FILE* const complaints = std::tmpfile();
  CHECK(complaints != nullptr);
  const auto child = ::fork();
  CHECK(child >= 0);
  if (child == 0) {
    ::alarm(seconds);
    ::close(result[0]);
    detail::child(function, result[1], ::fileno(complaints));
  }
  ::close(result[1]);
  Forked forked{.text = detail::read_all(result[0])};
  ::close(result[0]);
  CHECK(::waitpid(child, &forked.status, 0) == child);
  std::rewind(complaints);
  forked.complaint = detail::read_all(::fileno(complaints));
  std::fclose(complaints);
  return forked;
}

}  // namespace ioasim::test
