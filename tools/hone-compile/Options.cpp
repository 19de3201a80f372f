// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The command lines of hone-compile. Compiled with exceptions, which CLI11
// throws.
#include "tools/hone-compile/Options.h"
#include "compiler/Target/Targets.h"
#include "tools/command-line/CommandLine.h"
#include "tools/hone-compile/MlirOptions.h"

using namespace hone;

static constexpr char kModelHelp[] =
    "the model: an ONNX file, or MLIR (.mlir, .mlirbc)";

namespace {
/// What options have in other types than CompileOptions.
struct Given {
  GivenSizes sizes;
  int threads = 0;
};
} // namespace

/// What a model's import depends on, and what a calling process adds.
static void addImport(CommandLine &line, CommandOptions &options,
                      GivenSizes &sizes) {
  line.addSizes(sizes, "");
  line.app()
      .add_option_function<std::vector<std::string>>(
          "--override",
          [&](const std::vector<std::string> &names) {
            options.compile.overrides.emplace();
            for (const std::string &name : names)
              if (!name.empty())
                options.compile.overrides->push_back(name);
          },
          "an initializer that becomes an input with a default value; empty: "
          "none (default: small ones that the model lists as inputs)")
      ->option_text("NAME")
      ->allow_extra_args(false);
  line.addList("--custom-ops", options.compile.customOperators,
               "object files and archives with operators that Hone does not "
               "have (hone/custom.h)")
      ->option_text("FILE");
  line.addList("--session-op", options.compile.sessionOperators,
               "an operator whose code the program gives that runs the model")
      ->option_text("DOMAIN:NAME")
      ->check([](const std::string &text) {
        return text.find(':') == text.npos
                   ? "it wants DOMAIN:NAME, not '" + text + "'"
                   : std::string();
      });
  line.app().add_flag("--worker-report", options.reporting)->group("");
  line.app().add_flag("--worker-model", options.givenModel)->group("");
}

/// The phase and the pipeline of PHASE=PIPELINE.
static std::pair<std::string, std::string>
splitPipeline(const std::string &text) {
  size_t split = text.find('=');
  if (split == text.npos)
    failUsage("--pipeline-after wants PHASE=PIPELINE, not '" + text + "'");
  return {text.substr(0, split), text.substr(split + 1)};
}

/// The options of MLIR are parsed by MLIR, and mentioned here.
static void addMlirHelp(CLI::App &app) {
  app.add_flag("--mlir-...", "options of MLIR, with '=' before values: "
                             "--mlir-print-ir-after-all, --mlir-timing, "
                             "--mlir-print-debuginfo and others that "
                             "hone-opt --help lists; passes then run on one "
                             "thread");
}

/// What a model's code depends on.
static void addCode(CommandLine &line, CompileOptions &compile, int &threads) {
  CLI::App &app = line.app();
  app.add_option("--target", compile.target,
                 "where the model runs: " + targetNames() +
                     ", or a device with the CPU as fallback, as in " +
                     targetExample())
      ->option_text("DEVICE")
      ->capture_default_str();
  line.addCpu(compile.cpu,
              "CPU levels: native, x86-64-v2, x86-64-v3, x86-64-v4, or LLVM's "
              "names, separated by commas");
  app.add_option_function<std::string>(
         "--gpu", [&](const std::string &chips) { compile.gpu = chips; },
         "GPUs to include machine code for; newer ones get PTX")
      ->option_text("CHIP,...");
  line.addPrecision(compile.precision);
  line.addThreads(threads, 0, "threads that runs will use; 0: unknown");
  line.addList("--tuned", compile.tuned,
               "schedules found by hone tune; if several files have one for a "
               "kernel, the best wins")
      ->option_text("FILE");
  line.addList("--load-pass-plugin", compile.passPlugins,
               "a library with passes for --pipeline-after")
      ->option_text("FILE");
  app.add_option_function<std::vector<std::string>>(
         "--pipeline-after",
         [&](const std::vector<std::string> &given) {
           for (const std::string &text : given)
             compile.pipelines.push_back(splitPipeline(text));
         },
         "passes to run after a phase (import, graph, linalg, buffer, llvm), "
         "as in graph='builtin.module(func.func(canonicalize))'")
      ->option_text("PHASE=PIPELINE")
      ->allow_extra_args(false);
}

/// Parses the command line, and takes over what was given.
static std::optional<int> parse(CommandLine &line, int argc, char **argv,
                                Given &given, CompileOptions &options) {
  if (std::optional<int> code = line.parse(argc, argv))
    return code;
  options.dims = std::move(given.sizes.dims);
  options.shapes = std::move(given.sizes.shapes);
  options.threads = given.threads;
  return std::nullopt;
}

std::optional<int> hone::parseCompile(int argc, char **argv,
                                      CommandOptions &options) {
  CompileOptions &compile = options.compile;
  std::vector<char *> words(argv, argv + argc);
  if (std::optional<int> code = takeMlirOptions(words, options))
    return code;
  CommandLine line("compile", "Compiles a model file to a shared library.");
  CLI::App &app = line.app();
  Given given;
  line.addModel(compile.input, kModelHelp);
  CLI::Option *output = line.addOutput(
      compile.output, "the library; FILE.a is an archive to link statically "
                      "(default: MODEL.so in the working folder)");
  addImport(line, options, given.sizes);
  addCode(line, compile, given.threads);
  line.addSymbol(compile.symbol, "the function that the library exports")
      ->capture_default_str();
  app.add_flag("--header", compile.header,
               "write a C header beside the library");
  app.add_flag("--stats", options.stats, "print times and sizes");
  app.add_flag("--explain", compile.explain,
               "print what is slower than it could be, and why");
  app.add_option("--report", compile.report,
                 "write a page about the library: its kernels as a graph, "
                 "their cost and schedules, and the arena over time")
      ->option_text("FILE.html");
  app.add_flag("-q,--quiet", options.quiet,
               "print nothing about a library that was made");
  app.add_option("--jobs", compile.jobs,
                 "threads of the compiler; 0: one per processor")
      ->option_text("N");
  app.add_option("--emit", compile.emit,
                 "stop after a phase and print: " + emitNames())
      ->option_text("PHASE")
      ->capture_default_str();
  app.add_option("--kernel", compile.kernel,
                 "with --emit: print only the IR or the code of this kernel; "
                 "hone info --kernels lists them")
      ->option_text("NAME");
  app.add_option("--dump-phases", compile.dumpPhases,
                 "write the IR after each phase to files in a folder")
      ->option_text("DIR");
  addMlirHelp(app);
  app.add_flag("--random-weights", compile.randomWeights,
               "give arbitrary values to weights that the text of a module "
               "leaves out");
  app.add_flag("--reproducer-with-weights", compile.reproducerWithWeights,
               "keep weight values in the file written after an internal "
               "error");
  app.add_option("--worker-reproducer", options.reproducer)->group("");
  app.add_option("--worker-schedules", compile.schedules)->group("");
  if (std::optional<int> code =
          parse(line, words.size(), words.data(), given, compile))
    return code;
  if (compile.instrument)
    compile.jobs = 1; // passes print one after another
  if (!output->count() && (compile.emit == "so" || compile.emit == "obj"))
    compile.output =
        defaultOutput(compile.input, compile.emit == "so" ? ".so" : ".o");
  return std::nullopt;
}

std::optional<int> hone::parseCheck(int argc, char **argv,
                                    CommandOptions &options) {
  CommandLine line("check",
                   "Lists everything in models that would not compile.");
  Given given;
  CLI::Option *models = line.app().add_option(
      "MODEL", options.models, "the models, ONNX files or modules of MLIR");
  addImport(line, options, given.sizes);
  CLI::Option *operators =
      line.app().add_flag("--operators", options.operators,
                          "print the supported operators, as Markdown");
  line.addJson(options.json);
  line.app().callback([&] {
    if (!models->count() && !operators->count())
      failUsage("MODEL is required");
    if (models->count() && operators->count())
      failUsage("--operators takes no MODEL");
    if (options.json && operators->count())
      failUsage("--operators is not for --json");
  });
  if (std::optional<int> code = parse(line, argc, argv, given, options.compile))
    return code;
  // A model that was passed has its name in messages.
  if (!options.models.empty())
    options.compile.input = options.models.front();
  return std::nullopt;
}

std::optional<int> hone::parseInspect(int argc, char **argv,
                                      CommandOptions &options) {
  CommandLine line("inspect", "Describes a model file: what it takes and "
                              "returns, consists of, and needs to run.");
  Given given;
  line.addModel(options.compile.input, "the model, an ONNX file");
  addImport(line, options, given.sizes);
  line.addJson(options.json);
  return parse(line, argc, argv, given, options.compile);
}

std::optional<int> hone::parseReduce(int argc, char **argv,
                                     CommandOptions &options) {
  CompileOptions &compile = options.compile;
  CommandLine line("reduce",
                   "Makes a model that fails to compile smaller, as long as it "
                   "fails in the same way. The other options are those of the "
                   "compilation that fails.");
  Given given;
  line.addModel(compile.input, kModelHelp);
  CLI::Option *output = line.addOutput(
      compile.output, "the smallest model so far, as text (default: "
                      "MODEL.reduced.mlir in the working folder)");
  line.app()
      .add_option("--test", options.test,
                  "a shell command that ends with 0 if the file that is its "
                  "argument has the failure (default: hone compile ends with "
                  "the same errors)")
      ->option_text("COMMAND");
  line.app()
      .add_option("--timeout", options.timeout,
                  "seconds after which a test is ended; for the default one, "
                  "lasting longer is a failure")
      ->option_text("N")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  addImport(line, options, given.sizes);
  addCode(line, compile, given.threads);
  if (std::optional<int> code = parse(line, argc, argv, given, compile))
    return code;
  if (!output->count())
    compile.output = defaultOutput(compile.input, ".reduced.mlir");
  return std::nullopt;
}
