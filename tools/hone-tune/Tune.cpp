// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rounds of a search: every kernel gets its next candidate, the model is
// compiled once, and its kernels are compared with those of the untuned one.
#include "tools/hone-tune/Tune.h"
#include "compiler/Worker/Worker.h"
#include "tools/hone-tune/Measure.h"
#include "tools/hone-tune/Search.h"
#include "tools/hone/Signals.h"
#include "tools/hone/Terminal.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <unistd.h>

using namespace hone;
using namespace hone::tune;
using hone::run::Failure;
using hone::run::Model;

namespace {

/// Kernels with a smaller share of a run are ignored.
constexpr double kLeastShare = 0.001;
/// The minimum time libraries run per round, also relative to that of a
/// compilation.
constexpr double kLeastSeconds = 0.3, kShareOfCompile = 0.75;

/// A folder for libraries, removed at the end.
class Folder {
public:
  Folder() {
    std::string made =
        (std::filesystem::temp_directory_path() / "hone-tune-XXXXXX").string();
    if (!mkdtemp(made.data()))
      throw Failure{74, made + ": " + strerror(errno)};
    path = made;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  Folder(const Folder &) = delete;
  std::string file(const char *name) const { return path + "/" + name; }

private:
  std::string path;
};

/// Thrown when a signal asks the program to end.
struct Stopped {};

class Tuner {
public:
  explicit Tuner(const Options &options)
      : options(options), pool(options.threads), begin(secondsNow()) {}

  int run();

private:
  struct Built {
    Listing listing;
    double seconds;
  };

  Built compile(const char *library, const std::string &tuned);
  std::unique_ptr<Model> load(const char *library);
  void checkDims(const Model &model) const;
  void prepare();
  bool hasCandidates();
  void measureRound();
  void compileBest(const char *library);
  void finish();
  bool dropWhatDoesNotPay(const WholeRuns &whole, const ProfiledRuns &profiled);
  void save();
  void show() const;

  double elapsed() const { return secondsNow() - begin; }
  /// The time of this many runs of both libraries, or `seconds` if that is
  /// more.
  double secondsOf(int64_t runs, double seconds) const {
    return std::max(seconds, 2 * double(runs) * runSeconds);
  }
  /// The time of a round, and of the end.
  double roundSeconds() const {
    return compileSeconds + 2 * secondsOf(kFewestRuns, measureSeconds);
  }
  double finishSeconds() const {
    return compileSeconds + secondsOf(kFewestRuns, 2 * measureSeconds) +
           secondsOf(kFewestWholeRuns, 2 * measureSeconds);
  }
  bool proceed(const std::string &what) const {
    showProgress(what, std::min(elapsed() / options.budget, 1.0));
    return !isStopped();
  }
  GoesOn goesOn(std::string what) const {
    return [this, what] { return proceed(what); };
  }
  KernelTimes timesOf(const KernelSearch &kernel,
                      const ProfiledRuns &profiled) const;

  const Options &options;
  Folder folder;
  hone::run::SharedPool pool;
  double begin;
  TuningFile file;
  std::string machine;
  std::unique_ptr<Model> untuned;
  std::vector<KernelSearch> kernels;
  /// Steps of equal kernels, by their key.
  std::map<std::string, std::vector<std::string>> names;
  double compileSeconds = 0, measureSeconds = kLeastSeconds, runSeconds = 0;
  int rounds = 0;
  WholeRuns whole;
};

} // namespace

/// Compiles the model with the schedules of a file, or without one with its
/// own.
Tuner::Built Tuner::compile(const char *library, const std::string &tuned) {
  double start = secondsNow();
  std::string list = folder.file("schedules.json");
  WorkerCall call;
  call.program = options.compiler;
  call.arguments = {"hone",
                    "compile",
                    "--cpu=" + options.cpu,
                    "--precision=" + options.precision,
                    "--threads=" + std::to_string(options.threads),
                    "--worker-schedules=" + list,
                    "--quiet",
                    "-o",
                    folder.file(library)};
  if (!tuned.empty())
    call.arguments.push_back("--tuned=" + tuned);
  call.arguments.insert(call.arguments.end(), {"--", options.model});
  std::vector<std::string> messages;
  WorkerCallbacks callbacks;
  callbacks.message = [&](const std::string &text) {
    messages.push_back(text);
  };
  callbacks.progress = [&](const std::string &what, double) {
    return proceed("round " + std::to_string(rounds) + ": " + what);
  };
  callbacks.started = setWorker;
  CompileStatus status = runWorker(call, callbacks);
  if (status == CompileStatus::Cancelled)
    throw Stopped{};
  if (status != CompileStatus::Done) {
    for (const std::string &text : messages)
      showMessage(text);
    throw Failure{static_cast<int>(status), ""};
  }
  return {Listing::read(list), secondsNow() - start};
}

std::unique_ptr<Model> Tuner::load(const char *library) {
  run::Options asked;
  asked.model = folder.file(library);
  asked.sizes = options.sizes;
  asked.pool = &pool.pool;
  asked.random = true;
  try {
    auto model = std::make_unique<Model>(asked);
    model->setInputs(asked);
    checkDims(*model);
    model->prepare();
    model->run();
    return model;
  } catch (Failure &failure) {
    // The user does not know the library.
    if (failure.message.compare(0, asked.model.size(), asked.model) == 0)
      failure.message.replace(0, asked.model.size(), options.model);
    throw;
  }
}

/// All free dimensions need a size.
void Tuner::checkDims(const Model &model) const {
  for (const std::string &name : model.unsizedDims())
    throw Failure{1, options.model + ": dimension '" + name +
                         "' is free: use --dim '" + name +
                         "=N' to set the size to measure with"};
}

/// Compiles and loads the untuned model, and selects the kernels to tune.
void Tuner::prepare() {
  file = TuningFile::load(options.output);
  bool resumes = std::filesystem::exists(options.output);
  std::filesystem::path place = options.output;
  std::string parent =
      place.has_parent_path() ? place.parent_path().string() : ".";
  if (access(parent.c_str(), W_OK) != 0)
    throw Failure{74,
                  "cannot write '" + options.output + "': " + strerror(errno)};
  std::optional<Listing> before;
  if (resumes)
    before = compile("tuned.so", options.output).listing;
  Built built = compile("untuned.so", "");
  compileSeconds = built.seconds;
  measureSeconds = std::max(kLeastSeconds, kShareOfCompile * compileSeconds);
  machine = built.listing.machine;
  untuned = load("untuned.so");

  std::vector<Entry> entries = file.entriesOf(machine);
  const Listing &listing = before ? *before : built.listing;
  std::map<std::string, const Entry *> known;
  for (const Entry &entry : entries)
    known[entry.key] = &entry;
  std::vector<const ListedKernel *> firsts;
  for (const ListedKernel &kernel : listing.kernels) {
    std::vector<std::string> &alike = names[kernel.key];
    alike.push_back(kernel.name);
    if (alike.size() == 1)
      firsts.push_back(&kernel);
  }
  // Too short to be worth a round.
  ProfiledRuns profiled =
      profileBoth(*untuned, *untuned, kLeastSeconds, goesOn("measuring"));
  runSeconds = profiled.untunedRun;
  for (const ListedKernel *kernel : firsts) {
    auto found = known.find(kernel->key);
    KernelSearch search(*kernel,
                        found == known.end() ? nullptr : found->second);
    if (timesOf(search, profiled).untuned >= kLeastShare * profiled.untunedRun)
      kernels.push_back(std::move(search));
  }
}

KernelTimes Tuner::timesOf(const KernelSearch &kernel,
                           const ProfiledRuns &profiled) const {
  KernelTimes sum;
  for (const std::string &name : names.at(kernel.key())) {
    auto found = profiled.kernels.find(name);
    if (found == profiled.kernels.end())
      continue;
    sum.untuned += found->second.untuned;
    sum.tuned += found->second.tuned;
  }
  return sum;
}

bool Tuner::hasCandidates() {
  bool any = false;
  for (KernelSearch &kernel : kernels)
    any |= kernel.candidate() != nullptr;
  return any;
}

/// Compiles the candidates of all kernels, or their best, and measures.
void Tuner::measureRound() {
  ++rounds;
  TuningFile candidates;
  std::vector<Entry> entries;
  for (KernelSearch &kernel : kernels) {
    Entry entry = kernel.entry();
    if (const Schedules *candidate = kernel.candidate())
      entry.schedules = *candidate;
    if (entry.schedules)
      entries.push_back(std::move(entry));
  }
  candidates.update(machine, entries);
  run::writeFile(folder.file("round.json"), {candidates.text()});
  Built built = compile("candidate.so", folder.file("round.json"));
  compileSeconds = built.seconds;
  std::map<std::string, const ListedKernel *> listed;
  for (const ListedKernel &kernel : built.listing.kernels)
    listed[kernel.key] = &kernel;
  for (KernelSearch &kernel : kernels)
    if (kernel.candidate())
      kernel.compiled(*listed.at(kernel.key()));
  // If one of them crashes this process, it is not measured again.
  save();

  std::unique_ptr<Model> candidate = load("candidate.so");
  GoesOn on = goesOn("round " + std::to_string(rounds) + ": measuring");
  auto measure = [&] {
    ProfiledRuns profiled =
        profileBoth(*untuned, *candidate, measureSeconds, on);
    if (isStopped())
      throw Stopped{};
    return profiled;
  };
  auto ratioOf = [&](const KernelSearch &kernel, const ProfiledRuns &profiled) {
    KernelTimes times = timesOf(kernel, profiled);
    return times.untuned > 0 ? times.tuned / times.untuned : 1;
  };
  ProfiledRuns profiled = measure();
  bool isNews = std::any_of(kernels.begin(), kernels.end(),
                            [&](const KernelSearch &kernel) {
                              return kernel.isBetter(ratioOf(kernel, profiled));
                            });
  // Among many candidates some are lucky: an improvement has to show twice.
  ProfiledRuns again;
  if (isNews)
    again = measure();
  for (KernelSearch &kernel : kernels) {
    double ratio = ratioOf(kernel, profiled);
    if (isNews)
      ratio = std::max(ratio, ratioOf(kernel, again));
    kernel.take(ratio, timesOf(kernel, profiled).untuned,
                profiled.runs + again.runs);
  }
}

void Tuner::compileBest(const char *library) {
  TuningFile best;
  std::vector<Entry> entries;
  for (const KernelSearch &kernel : kernels)
    if (kernel.best())
      entries.push_back(kernel.entry());
  best.update(machine, entries);
  run::writeFile(folder.file("best.json"), {best.text()});
  compile(library, folder.file("best.json"));
}

/// Discards what did not pay: if everything together is not clearly faster,
/// whatever is not faster by itself. False: everything is kept.
bool Tuner::dropWhatDoesNotPay(const WholeRuns &measured,
                               const ProfiledRuns &profiled) {
  bool dropped = false;
  double bar = measured.ratio() > kGain ? kGain : 1;
  for (KernelSearch &kernel : kernels) {
    if (!kernel.best())
      continue;
    KernelTimes times = timesOf(kernel, profiled);
    if (times.tuned > bar * times.untuned) {
      kernel.drop();
      dropped = true;
    } else if (times.untuned > 0) {
      kernel.confirm(times.untuned, times.tuned, profiled.runs);
    }
  }
  return dropped;
}

/// Measures the whole model with everything that was found, and without.
void Tuner::finish() {
  for (;;) {
    bool any = std::any_of(
        kernels.begin(), kernels.end(),
        [](const KernelSearch &kernel) { return kernel.best() != nullptr; });
    if (!any) {
      untuned = load("untuned.so"); // without a profile
      whole = timeBoth(*untuned, *untuned, kLeastSeconds, goesOn("measuring"));
      whole.tuned = whole.untuned; // the same
      return;
    }
    compileBest("best.so");
    std::unique_ptr<Model> tuned = load("best.so");
    untuned = load("untuned.so"); // without a profile
    whole = timeBoth(*untuned, *tuned, 2 * measureSeconds,
                     goesOn("measuring the whole model"));
    ProfiledRuns profiled = profileBoth(*untuned, *tuned, 2 * measureSeconds,
                                        goesOn("measuring the whole model"));
    if (isStopped())
      throw Stopped{};
    if (dropWhatDoesNotPay(whole, profiled))
      continue;
    if (whole.ratio() <= 1)
      return;
    for (KernelSearch &kernel : kernels)
      kernel.drop();
  }
}

void Tuner::save() {
  std::vector<Entry> entries;
  for (const KernelSearch &kernel : kernels)
    entries.push_back(kernel.entry());
  file.update(machine, entries);
  run::writeFile(options.output, {file.text()});
}

void Tuner::show() const {
  size_t faster = std::count_if(
      kernels.begin(), kernels.end(),
      [](const KernelSearch &kernel) { return kernel.best() != nullptr; });
  if (options.json) {
    Json json;
    json["file"] = options.output;
    json["machine"] = machine;
    json["threads"] = pool.pool.threads;
    json["seconds"] = elapsed();
    json["rounds"] = rounds;
    json["runs"] = whole.runs;
    json["untuned_ms"] = whole.untuned * 1e3;
    json["tuned_ms"] = whole.tuned * 1e3;
    json["ratio"] = whole.ratio();
    json["kernels"] = Json::array();
    for (const KernelSearch &kernel : kernels) {
      Entry entry = kernel.entry();
      Json row = {{"name", entry.name}, {"key", entry.key}};
      row["tried"] = entry.tried.size();
      row["tuned"] = kernel.best() != nullptr;
      if (kernel.best()) {
        row["untuned_us"] = entry.untunedSeconds * 1e6;
        row["tuned_us"] = entry.tunedSeconds * 1e6;
      }
      json["kernels"].push_back(std::move(row));
    }
    printf("%s\n",
           json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    return;
  }
  printf("%zu of %zu kernels are faster, after %d rounds in %.0f s\n", faster,
         kernels.size(), rounds, elapsed());
  if (faster)
    printf("%11s %11s %6s  %-24s %s\n", "us before", "us after", "gain",
           "kernel", "schedule");
  for (const KernelSearch &kernel : kernels) {
    if (!kernel.best())
      continue;
    Entry entry = kernel.entry();
    printf("%11.2f %11.2f %5.1f%%  %-24s %s\n", entry.untunedSeconds * 1e6,
           entry.tunedSeconds * 1e6,
           100 * (1 - entry.tunedSeconds / entry.untunedSeconds),
           run::shown(entry.name).c_str(), textOf(*kernel.best()).c_str());
  }
  if (faster)
    printf(
        "a run takes %.4f ms, and %.4f ms untuned: a quarter of %lld runs of "
        "each in turn, on %lld threads, takes less\n",
        whole.tuned * 1e3, whole.untuned * 1e3,
        static_cast<long long>(whole.runs),
        static_cast<long long>(pool.pool.threads));
  printf("%s: for hone compile --tuned\n", run::shown(options.output).c_str());
}

int Tuner::run() {
  try {
    prepare();
    // At least one round; then as many as leave time for the end.
    while (hasCandidates() &&
           (rounds == 0 ||
            elapsed() + roundSeconds() + finishSeconds() <= options.budget)) {
      measureRound();
      save();
    }
    finish();
    save();
  } catch (const Stopped &) {
    endProgress();
    if (!machine.empty())
      save();
    showMessage("note: stopped after " + std::to_string(rounds) + " rounds; " +
                options.output + " has what was found");
    return 130;
  }
  endProgress();
  show();
  return 0;
}

int hone::tune::tune(const Options &options) { return Tuner(options).run(); }
