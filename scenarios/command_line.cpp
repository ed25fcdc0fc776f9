#include "scenarios/command_line.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

#include "scenarios/usage_error.hpp"
#include "scenarios/verbs.hpp"
#include "scenarios/version.hpp"

namespace ioasim::scenarios {
namespace {

constexpr std::string_view short_help =
    "ioasim simulates PCIe devices, an IOMMU, caches and a kernel, with real data.\n"
    "\n"
    "  ioasim list                   scenarios, platforms and devices\n"
    "  ioasim run first-dma          a first answer\n"
    "  ioasim describe first-dma     what a scenario asks, and its parameters\n"
    "  ioasim params                 every parameter of a platform\n"
    "  ioasim --help                 all verbs; ioasim VERB --help: its options\n";

// All that any verb takes.
struct Arguments {
  RunCommand run;
  std::string name;  // what to list, describe, check or report
  std::vector<std::string> vary;
  std::string repeat;
  std::string jobs;
  std::string output;
};

void one_each(CLI::App& verb, const std::string& name, std::vector<std::string>& values,
              const std::string& form, const std::string& doc) {
  verb.add_option(name, values, doc)->type_name(form)->allow_extra_args(false);
}

void one(CLI::App& verb, const std::string& name, std::string& value, const std::string& form,
         const std::string& doc) {
  verb.add_option(name, value, doc)->type_name(form)->expected(1);
}

void add_platform(CLI::App& verb, Arguments& arguments, const std::string& fallback) {
  one(verb, "--platform", arguments.run.platform, "NAME|FILE",
      "the machine: a shipped one or a file; default: " + fallback);
  one_each(verb, "--set", arguments.run.settings, "PATH=VALUE",
           "set a parameter; may be repeated, the last wins");
}

void add_format(CLI::App& verb, Arguments& arguments) {
  one(verb, "--format", arguments.run.format, "FORMAT", "text, json or csv; default: text");
}

void add_run(CLI::App& app, Arguments& arguments) {
  CLI::App& verb = *app.add_subcommand("run", "run a scenario");
  verb.add_option("SCENARIO", arguments.run.scenario, "its name")->required();
  add_platform(verb, arguments, "the scenario's");
  verb.add_option("--seed", arguments.run.seed, "seed of all random draws; default: 1")
      ->type_name("N");
  verb.add_option("--out", arguments.run.out, "write results into this directory")
      ->type_name("DIR");
  add_format(verb, arguments);
  one_each(verb, "--trace", arguments.run.traces, "KIND[:FILE]",
           "write a trace: text; without a file it goes to DIR, else to stderr");
  verb.add_flag("--quiet", arguments.run.quiet, "figures and claims only");
}

void add_sweep(CLI::App& app, Arguments& arguments) {
  CLI::App& verb = *app.add_subcommand("sweep", "run a scenario over many values (comes later)");
  verb.add_option("SCENARIO", arguments.run.scenario, "its name")->required();
  add_platform(verb, arguments, "the scenario's");
  one_each(verb, "--vary", arguments.vary, "PATH=V1,V2,...", "values to go through");
  one(verb, "--repeat", arguments.repeat, "N", "runs of each, with different seeds");
  one(verb, "--jobs", arguments.jobs, "N", "processes at a time");
  verb.add_option("--seed", arguments.run.seed, "first seed")->type_name("N");
  verb.add_option("--out", arguments.run.out, "write results here")->type_name("DIR");
  add_format(verb, arguments);
  verb.add_flag("--quiet", arguments.run.quiet, "figures only");
}

void add_others(CLI::App& app, Arguments& arguments) {
  app.add_subcommand("list", "list scenarios, platforms or devices")
      ->add_option("WHAT", arguments.name, "scenarios, platforms or devices; default: all");
  app.add_subcommand("describe", "describe a scenario, a platform or a device")
      ->add_option("NAME", arguments.name, "its name")
      ->required();
  CLI::App& params = *app.add_subcommand("params", "print every parameter of a platform");
  add_platform(params, arguments, "server");
  add_format(params, arguments);
  app.add_subcommand("check", "check a machine file")
      ->add_option("FILE", arguments.name, "the file")
      ->required();
  CLI::App& report = *app.add_subcommand("report", "write a report as HTML (comes later)");
  report.add_option("DIR", arguments.name, "a directory that --out wrote")->required();
  one(report, "--output", arguments.output, "FILE.html", "default: DIR/report.html");
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_lnames().empty()) names.push_back("--" + option->get_lnames().front());
  }
  return names;
}

std::vector<std::string> verb_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(verb->get_name());
  }
  return names;
}

// What no option took: a misspelt option or verb, or an argument too many.
void refuse_extras(const CLI::App& app, const CLI::App* verb) {
  const auto extras = (verb ? *verb : app).remaining();
  if (extras.empty()) return;
  const std::string& word = extras.front();
  const std::string where = verb ? verb->get_name() + ": " : "";
  if (word.starts_with('-')) {
    const auto name = word.substr(0, word.find('='));
    throw UsageError{fmt::format("{}unknown option {}{}", where, name,
                                 config::offer(name, option_names(verb ? *verb : app)))};
  }
  if (verb) throw UsageError{fmt::format("{}one argument too many: {}", where, word)};
  throw UsageError{
      fmt::format("unknown verb \"{}\"{}", word, config::offer(word, verb_names(app)))};
}

// The library's messages, in our words where they name no cure.
std::string reworded(const CLI::ParseError& error, const CLI::App* verb) {
  const std::string where = verb ? verb->get_name() + ": " : "";
  std::string text = error.what();
  std::replace(text.begin(), text.end(), '\n', ' ');
  if (const auto* missing = dynamic_cast<const CLI::RequiredError*>(&error)) {
    return fmt::format("{}{} (see ioasim {}--help)", where, missing->what(),
                       verb ? verb->get_name() + " " : "");
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    return fmt::format("{}{} takes exactly one value", where, text.substr(0, text.find(':')));
  }
  return where + text;
}

bool has_colour() {
  const auto set = [](const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0';
  };
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal != nullptr && std::string_view{terminal} == "dumb";
  return ::isatty(STDOUT_FILENO) == 1 && !set("NO_COLOR") && !dumb;
}

Answer carry_out(const Program& program, const std::string& verb, Arguments& arguments) {
  if (verb == "run") return run(program, arguments.run);
  if (verb == "list") return {.text = list(program, arguments.name)};
  if (verb == "describe") return {.text = describe(program, arguments.name)};
  if (verb == "check") return {.text = check(program, arguments.name)};
  if (verb == "params") {
    const auto& platform = arguments.run.platform;
    return {.text = params(program, platform.empty() ? "server" : platform, arguments.run.settings,
                           arguments.run.format)};
  }
  if (verb == "sweep") {
    throw UsageError{"sweep comes later; today use ioasim run, once for each value"};
  }
  throw UsageError{"report comes later; today use ioasim run --out DIR and read its files"};
}

}  // namespace

Answer command_line(const Program& program, int argc, const char* const* argv) {
  if (argc < 2) return {.status = exit_usage, .complaint = std::string{short_help}};
  Arguments arguments;
  arguments.run.command_line.assign(argv, argv + argc);
  arguments.run.colour = has_colour();

  CLI::App app{"PCIe, IOMMU, cache and kernel in simulated time", "ioasim"};
  app.set_help_flag("--help,-h", "print this and exit");
  bool version_asked = false;
  app.add_flag("--version", version_asked, "print the version and exit");
  app.allow_extras();
  add_run(app, arguments);
  add_sweep(app, arguments);
  add_others(app, arguments);
  for (CLI::App* verb : app.get_subcommands([](CLI::App*) { return true; })) {
    verb->set_help_flag("--help,-h", "print this and exit");
    verb->allow_extras();
  }

  const auto chosen = [&]() -> const CLI::App* {
    const auto verbs = app.get_subcommands();
    return verbs.empty() ? nullptr : verbs.front();
  };
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return {.text = app.help()};
  } catch (const CLI::ParseError& error) {
    refuse_extras(app, chosen());
    throw UsageError{reworded(error, chosen())};
  }
  refuse_extras(app, chosen());
  if (version_asked) return {.text = fmt::format("ioasim {}\n", version)};
  if (!chosen())
    throw UsageError{"name a verb; known: " + fmt::format("{}", fmt::join(verb_names(app), ", "))};
  return carry_out(program, chosen()->get_name(), arguments);
}

}  // namespace ioasim::scenarios
