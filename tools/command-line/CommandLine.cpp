// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The command lines of all programs.
#include "tools/command-line/CommandLine.h"
#include "tools/command-line/Commands.h"

#include <cstdio>
#include <cstring>
#include <filesystem>

using namespace hone;

//===- Help ---------------------------------------------------------------===//

namespace {

/// Columns of the help.
constexpr size_t kColumn = 26, kWidth = 80;

class Formatter : public CLI::Formatter {
public:
  Formatter() {
    column_width(kColumn);
    label("Positionals", "Arguments");
  }
  std::string make_option_opts(const CLI::Option *option) const override;
  std::string make_option_desc(const CLI::Option *option) const override;
  std::string make_usage(const CLI::App *app, std::string name) const override;
};

} // namespace

/// `text` in lines of at most `width` columns.
static std::string wrap(const std::string &text, size_t width) {
  std::string lines;
  size_t column = 0;
  std::istringstream words(text);
  for (std::string word; words >> word; column += word.size()) {
    if (column > 0 && column + 1 + word.size() > width) {
      lines += '\n';
      column = 0;
    } else if (column > 0) {
      lines += ' ';
      ++column;
    }
    lines += word;
  }
  return lines;
}

/// The kind of value alone: descriptions say what goes together.
std::string Formatter::make_option_opts(const CLI::Option *option) const {
  std::string text = option->get_option_text();
  return text.empty() ? "" : " " + text;
}

std::string Formatter::make_option_desc(const CLI::Option *option) const {
  std::string text = option->get_description();
  if (!option->get_default_str().empty())
    text += " (default: " + option->get_default_str() + ")";
  return wrap(text, kWidth - kColumn);
}

std::string Formatter::make_usage(const CLI::App *app, std::string) const {
  std::string text = "usage: " + app->get_name();
  for (const CLI::Option *option : app->get_options(
           [](const CLI::Option *option) { return option->get_positional(); }))
    text += " " + make_option_usage(option);
  return text + " [OPTION...]\n";
}

//===- Errors -------------------------------------------------------------===//

/// Letters to insert, delete or replace to get from `a` to `b`.
static size_t editDistance(const std::string &a, const std::string &b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

/// About the first argument that belongs to nothing.
std::string CommandLine::describeUnexpected() const {
  std::vector<std::string> words = parser.remaining();
  std::string word = words.front();
  if (word == "--" && words.size() > 1) // what follows is no option
    return "'" + words[1] + "' is one argument too many";
  if (word.empty() || word.front() != '-')
    return "'" + word + "' is one argument too many";
  std::string name = word.substr(0, word.find('=')), nearest;
  size_t least = name.size() / 2;
  for (const CLI::Option *option :
       parser.get_options([](const CLI::Option *option) {
         return option->nonpositional() && !option->get_group().empty();
       })) {
    std::string other = option->get_lnames().empty()
                            ? "-" + option->get_snames().front()
                            : "--" + option->get_lnames().front();
    if (size_t distance = editDistance(name, other); distance < least) {
      least = distance;
      nearest = other;
    }
  }
  return "there is no option '" + name + "'" +
         (nearest.empty() ? "" : "; did you mean '" + nearest + "'?");
}

std::string CommandLine::describe(const CLI::ParseError &error) const {
  if (dynamic_cast<const CLI::ExtrasError *>(&error))
    return describeUnexpected();
  return error.what();
}

//===- Parsing ------------------------------------------------------------===//

int hone::runCommand(std::initializer_list<Command> commands, int argc,
                     char **argv) {
  std::string known;
  for (const Command &command : commands) {
    if (argc > 1 && !strcmp(argv[1], command.name))
      return command.run(argc, argv);
    known += (known.empty() ? "'" : ", '") + std::string(command.name) + "'";
  }
  const char *given = argc > 1 ? argv[1] : "";
  if (!strcmp(given, "--help") || !strcmp(given, "-h")) {
    printf("usage: %s COMMAND ..., where COMMAND is one of %s\n", argv[0],
           known.c_str());
    return 0;
  }
  if (!strcmp(given, "--version")) {
    puts("hone " HONE_VERSION);
    return 0;
  }
  fprintf(stderr, "error: the first argument is to be one of %s\n",
          known.c_str());
  return 2;
}

CommandLine::CommandLine(const std::string &command, const std::string &summary)
    : parser(wrap(summary, kWidth), "hone " + command) {
  parser.formatter(std::make_shared<Formatter>());
  parser.set_help_flag("-h,--help", "print this help");
}

std::optional<int> CommandLine::parse(int argc, char **argv) {
  // CLI11 takes words from the last to the first, and an empty value after
  // "--option=" for none.
  std::vector<std::string> words;
  bool options = true;
  for (int i = 2; i < argc; ++i) {
    std::string word = argv[i];
    options &= word != "--";
    bool empty = options && word.size() > 3 && word.compare(0, 2, "--") == 0 &&
                 word.find('=') == word.size() - 1;
    if (empty)
      word.pop_back();
    words.push_back(word);
    if (empty)
      words.push_back("");
  }
  std::reverse(words.begin(), words.end());
  try {
    parser.parse(std::move(words));
    return std::nullopt;
  } catch (const CLI::CallForHelp &) {
    std::string help = parser.help();
    help.erase(help.find_last_not_of('\n') + 2);
    fputs(help.c_str(), stdout);
    return fflush(stdout) ? 74 : 0;
  } catch (const CLI::ParseError &error) {
    std::string message = describe(error);
    fprintf(stderr, "error: %s\nnote: '%s --help' lists the options\n",
            message.c_str(), parser.get_name().c_str());
    return 2;
  }
}

//===- Shared options -----------------------------------------------------===//

CLI::Option *CommandLine::addList(const std::string &name,
                                  std::vector<std::string> &list,
                                  const std::string &help) {
  // Otherwise a MODEL after it would be one of its values.
  return parser.add_option(name, list, help)->allow_extra_args(false);
}

/// A size in decimal digits.
static bool parseSize(const std::string &text, int64_t &size) {
  char *end = nullptr;
  errno = 0;
  size = strtoll(text.c_str(), &end, 10);
  return !text.empty() && isdigit(text.front()) && !*end && errno == 0;
}

/// "NAME=REST"; names may contain '=', as those of models do.
static bool split(const std::string &text, std::string &name,
                  std::string &rest) {
  size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0)
    return false;
  name = text.substr(0, equals);
  rest = text.substr(equals + 1);
  return true;
}

static void addDim(GivenSizes &sizes, const std::string &text) {
  std::string name, number;
  int64_t size;
  if (!split(text, name, number) || !parseSize(number, size))
    failUsage("--dim wants NAME=N, not '" + text + "'");
  sizes.dims.push_back({name, size});
}

static void addShape(GivenSizes &sizes, const std::string &text) {
  std::string name, list;
  std::vector<int64_t> shape;
  bool fits = split(text, name, list);
  std::istringstream numbers(list);
  for (std::string number; std::getline(numbers, number, ',');)
    fits &= parseSize(number, shape.emplace_back());
  if (!fits || (!list.empty() && list.back() == ','))
    failUsage("--shape wants NAME=N,N,..., not '" + text + "'");
  sizes.shapes.push_back({name, std::move(shape)});
}

void CommandLine::addModel(std::string &model, const char *help) {
  parser.add_option("MODEL", model, help)->required();
}

void CommandLine::addSizes(GivenSizes &sizes, const char *help) {
  auto add = [&](const char *name,
                 void (*one)(GivenSizes &, const std::string &),
                 const std::string &description) {
    return parser
        .add_option_function<std::vector<std::string>>(
            name,
            [&sizes, one](const std::vector<std::string> &texts) {
              for (const std::string &text : texts)
                one(sizes, text);
            },
            description)
        ->allow_extra_args(false);
  };
  add("--dim", addDim, std::string("the size of a free dimension") + help)
      ->option_text("NAME=N");
  add("--shape", addShape,
      "the sizes of all dimensions of an input, as in x=1,3,224,224")
      ->option_text("NAME=N,...");
}

CLI::Option *CommandLine::addOutput(std::string &output, const char *help) {
  return parser.add_option("-o,--output", output, help)->option_text("FILE");
}

CLI::Option *CommandLine::addThreads(int &threads, int least,
                                     const char *help) {
  return parser.add_option("--threads", threads, help)
      ->option_text("N")
      ->check(CLI::Range(least, 1024));
}

void CommandLine::addCpu(std::string &cpu, const char *help) {
  parser.add_option("--cpu", cpu, help)
      ->option_text("LEVEL")
      ->capture_default_str();
}

void CommandLine::addPrecision(std::string &precision) {
  parser
      .add_option("--precision", precision,
                  "type of f32 weights in products: f32, bf16, f16, or auto: "
                  "for each the one that is faster at all CPU levels and loses "
                  "little; sums are f32")
      ->option_text("TYPE")
      ->capture_default_str();
}

CLI::Option *CommandLine::addSymbol(std::string &symbol, const char *help) {
  return parser.add_option("--symbol", symbol, help)->option_text("NAME");
}

void CommandLine::addJson(bool &json) {
  parser.add_flag("--json", json, "print one JSON object");
}

std::string hone::defaultOutput(const std::string &model, const char *ending) {
  return std::filesystem::path(model).stem().string() + ending;
}
