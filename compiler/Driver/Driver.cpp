// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The phases of a compilation, one after another.
#include "compiler/Driver/Driver.h"
#include "compiler/Driver/CompileKernels.h"
#include "compiler/Driver/Files.h"
#include "compiler/Driver/Header.h"
#include "compiler/Driver/ModelTables.h"
#include "compiler/Driver/PhaseDump.h"
#include "compiler/Driver/PhaseIr.h"
#include "compiler/Driver/Report/Data.h"
#include "compiler/Driver/Report/Page.h"
#include "compiler/Driver/Session.h"
#include "compiler/Driver/Tuning.h"
#include "compiler/Import/Onnx/OnnxImporter.h"
#include "compiler/Target/Cpu/Descriptor.h"
#include "compiler/Target/Cpu/Link.h"
#include "compiler/Target/Cpu/Weights.h"
#include "compiler/Target/Targets.h"
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Rt/Rt.h"
#include "hone/abi.h"
#include "mlir/Support/ToolUtilities.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "passes/Analysis/Sizes.h"
#include "passes/Cpu/ContractionPasses.h"
#include "passes/Graph/Passes.h"
#include "runtime/loader/ArithmeticSummary.h"
#include "runtime/loader/ReportBlocks.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace hone;

namespace {

/// Larger weights are in a separate file: code reaches a library's sections by
/// 32-bit offsets.
constexpr int64_t kLargestInlineWeights = int64_t(1) << 31;

/// Of the names of files with bytecode of MLIR.
constexpr StringLiteral kBytecodeEnding = ".mlirbc";

class Compile {
public:
  /// `texts`: the backend whose textual code is requested; null otherwise.
  Compile(Session &session, Targets targets, Precision precision, Phase last,
          const Backend *texts)
      : session(session), options(session.options), targets(std::move(targets)),
        precision(precision), last(last), texts(texts),
        tuning(session.context()), dump(session, this->targets) {}

  Outcome run();
  Outcome estimate();

private:
  Outcome importModel();
  Outcome runPipelines(Phase phase);
  Outcome lowerGraph();
  Outcome printPhase();
  Outcome checkKernel();
  Outcome noCode();
  Outcome planHost();
  SmallVector<Attribute> cpuMachines();
  Outcome readTuning();
  Outcome listSchedules();
  void countPlaces();
  Outcome writeWeights();
  Outcome compileKernels();
  Outcome printText();
  Outcome compileHost();
  Outcome linkAll();
  Outcome publishAll();
  SmallVector<std::string> inputFiles() const;
  Outcome findPlaces();
  Outcome emitText(StringRef text);
  Outcome emitModule();
  Outcome internal(StringRef what) { return session.internal(what); }
  Outcome status() const {
    return session.isCancelled() ? Outcome::Cancelled : Outcome::Done;
  }

  bool isArchive() const { return StringRef(options.output).ends_with(".a"); }
  /// What is written beside the output.
  std::string headerPath() const {
    SmallString<128> path(options.output);
    llvm::sys::path::replace_extension(path, "h");
    return path.str().str();
  }
  std::string weightsPath() const { return place.path + ".weights"; }
  bool toStandardOutput() const {
    return options.output.empty() || options.output == "-";
  }

  Session &session;
  const CompileOptions &options;
  Targets targets;
  Precision precision;
  Phase last;
  const Backend *texts;
  Tuning tuning;
  uint32_t roundedWeights = 0; ///< HONE_PLAN_*
  OwningOpRef<ModuleOp> module;
  ModelInfo info;
  ReportData report;
  OutputPlace place, headerPlace, reportPlace;
  TemporaryFolder folder;
  PhaseDump dump;
  std::vector<std::string> objects;
  std::string assembly;
  bool hasWeightsObject = false;
};

} // namespace

/// Code and text of an error.
static std::pair<std::error_code, std::string> describe(llvm::Error error) {
  std::error_code code;
  std::string text;
  llvm::handleAllErrors(std::move(error), [&](const llvm::ErrorInfoBase &info) {
    code = info.convertToErrorCode();
    text = info.message();
  });
  return {code, text};
}

/// Runs the user's pipelines after a phase of the model.
Outcome Compile::runPipelines(Phase phase) {
  return failed(session.pipelines().run(phase, *module)) ? Outcome::UserError
                                                         : Outcome::Done;
}

/// The files of the model; before the import only the one that is given.
SmallVector<std::string> Compile::inputFiles() const {
  SmallVector<std::string> inputs(session.inputs());
  if (!options.bytes)
    inputs.push_back(options.input);
  return inputs;
}

/// Determines where the files go. Called before the import and again after it,
/// which knows all files of the model.
Outcome Compile::findPlaces() {
  SmallVector<std::string> inputs = inputFiles();
  auto find = [&](StringRef output, OutputPlace &found) {
    llvm::Expected<OutputPlace> result = findPlace(output, inputs);
    if (result) {
      found = *result;
      return Outcome::Done;
    }
    auto [code, text] = describe(result.takeError());
    session.error(text);
    return code == std::errc::invalid_argument ? Outcome::WrongUsage
                                               : Outcome::CannotWrite;
  };
  Outcome outcome = find(options.output, place);
  if (outcome == Outcome::Done && options.header)
    outcome = find(headerPath(), headerPlace);
  if (outcome == Outcome::Done && !options.report.empty())
    outcome = find(options.report, reportPlace);
  headerPlace.discard |= place.discard;
  if (outcome != Outcome::Done || options.report.empty())
    return outcome;
  for (const std::string &other : {place.path, headerPlace.path, weightsPath()})
    if (reportPlace.path == other && !reportPlace.discard) {
      session.error("the report would replace '" + other +
                    "': give it another name");
      return Outcome::WrongUsage;
    }
  return outcome;
}

Outcome Compile::emitText(StringRef text) {
  if (toStandardOutput()) {
    llvm::outs() << text;
    return Outcome::Done;
  }
  std::string file = folder.file("text");
  if (llvm::Error error = writeFile(file, text))
    return session.fail(std::move(error), Outcome::CannotWrite);
  if (!session.mayPublish())
    return Outcome::Cancelled;
  if (llvm::Error error = publish(file, place))
    return session.fail(std::move(error), Outcome::CannotWrite);
  return Outcome::Done;
}

/// As text without the values of weights, or as bytecode with them.
Outcome Compile::emitModule() {
  if (!StringRef(options.output).ends_with(kBytecodeEnding))
    return emitText(printIr(*module));
  std::string bytes = writeBytecode(*module);
  return bytes.empty() ? internal("the model could not be written as bytecode")
                       : emitText(bytes);
}

Outcome Compile::run() {
  bool files = last >= Phase::Obj;
  // An unwritable location is reported before the work, not after it.
  if (!toStandardOutput()) {
    if (Outcome outcome = findPlaces(); outcome != Outcome::Done)
      return outcome;
    if (llvm::Error error = session.makeFolder(folder, place))
      return session.fail(std::move(error), Outcome::CannotWrite);
  }
  if (Outcome outcome = dump.open(); outcome != Outcome::Done)
    return outcome;
  if (Outcome outcome = readTuning(); outcome != Outcome::Done)
    return outcome;
  if (Outcome outcome = importModel(); outcome != Outcome::Done)
    return outcome;
  if (!toStandardOutput())
    if (Outcome outcome = findPlaces(); outcome != Outcome::Done)
      return outcome;
  if (Outcome outcome = dump.addImported(*module, inputFiles());
      outcome != Outcome::Done)
    return outcome;
  if (last == Phase::Import)
    return emitModule();
  if (Outcome outcome = lowerGraph(); outcome != Outcome::Done)
    return outcome;
  if (Outcome outcome = dump.addGraph(*module); outcome != Outcome::Done)
    return outcome;
  if (!options.kernel.empty())
    if (Outcome outcome = checkKernel(); outcome != Outcome::Done)
      return outcome;
  if (last <= Phase::Llvm)
    return printPhase();
  if (texts)
    return printText();
  using Step = Outcome (Compile::*)();
  SmallVector<Step> steps = {&Compile::planHost, &Compile::compileKernels};
  if (options.kernel.empty())
    steps.push_back(&Compile::compileHost);
  if (!options.schedules.empty())
    steps.insert(steps.begin() + 1, &Compile::listSchedules);
  if (files) {
    steps.insert(steps.begin() + 1, &Compile::writeWeights);
    steps.push_back(&Compile::linkAll);
  }
  for (auto step : steps)
    if (Outcome outcome = (this->*step)(); outcome != Outcome::Done)
      return outcome;
  if (files)
    return Outcome::Done;
  return assembly.empty() ? noCode() : emitText(assembly);
}

Outcome Compile::estimate() {
  if (Outcome outcome = importModel(); outcome != Outcome::Done)
    return outcome;
  if (Outcome outcome = lowerGraph(); outcome != Outcome::Done)
    return outcome;
  return planHost();
}

Outcome Compile::importModel() {
  if (!session.begin("import", 0))
    return Outcome::Cancelled;
  module = session.import();
  return module ? runPipelines(Phase::Import) : Outcome::UserError;
}

Outcome Compile::lowerGraph() {
  if (!session.begin("graph", 0.1))
    return Outcome::Cancelled;
  auto build = [&](OpPassManager &pm) {
    buildGraphPipeline(pm, targets.graphOptions(precision));
  };
  if (failed(runPhase(*module, build, options.instrument)))
    return internal("the graph phase failed");
  if (Outcome outcome = runPipelines(Phase::Graph); outcome != Outcome::Done)
    return outcome;
  for (auto function : module->getOps<func::FuncOp>()) {
    session.stats.kernels += function->hasAttr(rt::kKernelAttr);
    if (auto formats = function->getAttrOfType<ArrayAttr>(kRoundedWeightsAttr))
      for (auto format : formats.getAsValueRange<StringAttr>())
        roundedWeights |= format == "bf16" ? HONE_PLAN_BF16 : HONE_PLAN_F16;
  }
  if (precision != Precision::F32 && !roundedWeights)
    session.note("all weights are left in f32: --explain says why");
  module->walk([&](rt::CallOp) { ++session.stats.calls; });
  return status();
}

/// IR of the host and of every kernel, or of one, as modules with separators.
Outcome Compile::printPhase() {
  if (last == Phase::Graph && options.kernel.empty())
    return emitText(printIr(*module));
  // Planning decides where kernels run; the linalg phase shows the host before.
  OwningOpRef<ModuleOp> unplanned;
  if (last == Phase::Linalg)
    unplanned = module->clone();
  if (last > Phase::Graph)
    if (Outcome outcome = planHost(); outcome != Outcome::Done)
      return outcome;
  SmallVector<std::string> parts;
  if (options.kernel.empty()) {
    OwningOpRef<ModuleOp> host =
        hostAfter(unplanned ? *unplanned : *module, last, options.instrument);
    if (!host)
      return internal("the host function could not be lowered");
    parts.push_back(printIr(*host));
  }
  for (func::FuncOp kernel : kernelsOf(*module)) {
    if (!options.kernel.empty() && kernel.getSymName() != options.kernel)
      continue;
    OwningOpRef<ModuleOp> lowered = kernelAfter(kernel, last, targets);
    if (!lowered)
      return internal(
          ("kernel '" + kernel.getSymName() + "' could not be lowered").str());
    parts.push_back(printIr(*lowered));
  }
  return emitText(llvm::join(parts, kDefaultSplitMarker + std::string("\n")));
}

/// Whether the model has the kernel that is wanted.
Outcome Compile::checkKernel() {
  llvm::Expected<func::FuncOp> kernel = findKernel(*module, options.kernel);
  if (kernel)
    return Outcome::Done;
  session.error(options.input + ": " + llvm::toString(kernel.takeError()));
  return Outcome::UserError;
}

/// About the only kernel that is wanted, if it runs elsewhere.
Outcome Compile::noCode() {
  if (options.kernel.empty())
    return emitText("");
  session.error(options.input + ": kernel '" + options.kernel +
                "' has no code that --emit=" + options.emit +
                " could print: it runs elsewhere");
  return Outcome::UserError;
}

/// All kernels of a target in its own form.
Outcome Compile::printText() {
  if (Outcome outcome = planHost(); outcome != Outcome::Done)
    return outcome;
  for (func::FuncOp kernel : kernelsOf(*module))
    if (!options.kernel.empty() && kernel.getSymName() != options.kernel)
      kernel.erase();
  llvm::Expected<std::string> text = texts->emitText(*module);
  if (!text)
    return internal(llvm::toString(text.takeError()));
  return text->empty() ? noCode() : emitText(*text);
}

/// The work of all launches; -1 if it depends on sizes.
static int64_t sumOverSteps(const ModelInfo &info,
                            WorkTerms KernelInfo::*work) {
  int64_t sum = 0;
  for (const StepInfo &step : info.steps) {
    if (step.kernel < 0)
      continue;
    int64_t part = knownSum(info.kernels[step.kernel].*work);
    if (part < 0 || llvm::AddOverflow(sum, part, sum))
      return -1;
  }
  return sum;
}

Outcome Compile::planHost() {
  if (!session.begin("plan", 0.2))
    return Outcome::Cancelled;
  if (failed(runPhase(*module, buildHostBufferPipeline, options.instrument)))
    return internal("the memory of the model could not be planned");
  info = readModelInfo(*module);
  info.plan |= roundedWeights;
  info.symbol = options.symbol;
  info.name = llvm::sys::path::stem(options.input).str();
  info.producer = "hone " HONE_VERSION;
  for (const Backend *backend : targets.all())
    backend->describe(info);
  session.stats.arenaBytes = info.arena.bytes;
  session.stats.lowerBoundBytes = info.arena.lowerBoundBytes;
  session.stats.weightBytes = info.weightBytes;
  session.stats.levels = info.levels.size();
  session.stats.flop = sumOverSteps(info, &KernelInfo::flop);
  session.stats.movedBytes = sumOverSteps(info, &KernelInfo::bytes);
  if (!options.tuned.empty())
    tuning.attach(*module, cpuMachines());
  if (info.device)
    countPlaces();
  if (!options.report.empty())
    report.readPlan(*module);
  if (Outcome outcome = dump.addParts(*module, last); outcome != Outcome::Done)
    return outcome;
  return status();
}

/// The CPU levels' machines.
SmallVector<Attribute> Compile::cpuMachines() {
  SmallVector<Attribute> machines;
  for (size_t i = 0; i < targets.host().variants(CodeForm::Object); ++i)
    machines.push_back(
        targets.host().machine(&session.context(), i).getValue());
  return machines;
}

Outcome Compile::readTuning() {
  for (const std::string &path : options.tuned)
    if (llvm::Error error = tuning.read(path))
      return session.fail(std::move(error), Outcome::UserError);
  if (options.tuned.empty() || tuning.hasMachine(cpuMachines()))
    return Outcome::Done;
  std::string text = options.tuned.front();
  if (options.tuned.size() > 1)
    text += " and the other tuning files";
  text += ": no entry is for this machine";
  std::string nearest = tuning.describeNearest(cpuMachines());
  if (!nearest.empty())
    text += "; the nearest is for one with " + nearest;
  if (StringRef(nearest).contains("threads = "))
    text += " (--threads)";
  session.note(text);
  return Outcome::Done;
}

/// Lists the schedules that could be measured instead of those the kernels
/// have.
Outcome Compile::listSchedules() {
  SmallVector<OwningOpRef<ModuleOp>> lowered;
  SmallVector<ModuleOp> kernels;
  NamedAttribute machine = targets.host().machine(&session.context(), 0);
  for (func::FuncOp kernel : kernelsOf(*module)) {
    lowered.push_back(targets.host().lower(kernel, Phase::Linalg, machine));
    if (!lowered.back() ||
        failed(runPhase(
            *lowered.back(),
            [](OpPassManager &pm) {
              pm.addNestedPass<func::FuncOp>(createApplyTuningPass());
            },
            options.instrument)))
      return internal(
          ("kernel '" + kernel.getSymName() + "' could not be lowered").str());
    kernels.push_back(*lowered.back());
  }
  if (llvm::Error error = writeFile(
          options.schedules, hone::listSchedules(kernels, machine.getValue())))
    return session.fail(std::move(error), Outcome::CannotWrite);
  return status();
}

/// How the model is split between host and device.
void Compile::countPlaces() {
  CompileStats &stats = session.stats;
  stats.deviceArenaBytes = info.deviceArena.bytes;
  for (func::FuncOp kernel : kernelsOf(*module)) {
    if (kernel->hasAttr(rt::kDeviceAttr))
      ++stats.deviceKernels;
    else
      stats.hostKernels.push_back(kernel.getSymName().str());
  }
  SymbolTable symbols(*module);
  module->walk([&](Operation *op) {
    if (auto dispatch = dyn_cast<rt::DispatchOp>(op))
      stats.deviceCalls +=
          symbols.lookup(dispatch.getKernel())->hasAttr(rt::kDeviceAttr);
    if (auto copy = dyn_cast<rt::CopyOp>(op))
      stats.placeCopies += rt::isOnDevice(copy.getSource().getType()) !=
                           rt::isOnDevice(copy.getTarget().getType());
  });
}

/// Writes `bytes` of a constant. False if it has fewer or more.
static bool writeConstant(WeightsWriter &writer, uint64_t offset,
                          ElementsAttr value, int64_t bytes) {
  std::optional<graph::ConstantBytes> data = graph::constantBytes(value);
  if (!data || data->data.empty())
    return false;
  if (!data->splat) {
    writer.write(offset, data->data);
    return int64_t(data->data.size()) == bytes;
  }
  // A splat: in chunks, whatever the total size.
  int64_t pieceBytes = std::min<int64_t>(bytes, int64_t(data->width) << 12);
  std::vector<char> piece(pieceBytes);
  for (int64_t i = 0; i + data->width <= pieceBytes; i += data->width)
    memcpy(piece.data() + i, data->data.data(), data->width);
  for (int64_t i = 0; i < bytes; i += pieceBytes)
    writer.write(offset + i, ArrayRef<char>(piece).take_front(bytes - i));
  return bytes % data->width == 0;
}

Outcome Compile::writeWeights() {
  struct Placed {
    int64_t offset;
    MemRefType type;
    ElementsAttr value;
  };
  SmallVector<Placed> constants;
  module->walk([&](rt::ConstantOp constant) {
    if (!isa<graph::StringType>(constant.getType().getElementType()))
      constants.push_back({static_cast<int64_t>(constant.getOffset()),
                           constant.getType(), constant.getValue()});
  });
  for (const DefaultValue &value : defaultValues(*module))
    constants.push_back(
        {value.offset,
         MemRefType::get(value.elements.getShapedType().getShape(),
                         value.elements.getElementType()),
         value.elements});
  if (info.weightBytes == 0)
    return Outcome::Done;
  if (!session.begin("weights", 0.25))
    return Outcome::Cancelled;
  llvm::sort(constants, [](const Placed &a, const Placed &b) {
    return a.offset < b.offset;
  });
  bool raw = info.weightBytes >= kLargestInlineWeights;
  if (raw)
    info.weightsFile = llvm::sys::path::filename(weightsPath()).str();
  std::string path = folder.file("weights.o");
  auto writer = WeightsWriter::create(
      path, raw ? WeightsWriter::Form::Raw : WeightsWriter::Form::Object,
      info.weightBytes);
  if (!writer)
    return session.fail(writer.takeError(), Outcome::CannotWrite);
  int64_t position = 0;
  for (auto [index, constant] : llvm::enumerate(constants)) {
    int64_t offset = constant.offset,
            bytes = staticBytes(constant.type).value_or(-1);
    if (bytes != 0 &&
        offset >=
            position) { // otherwise its storage was written as another type
      if (offset + bytes > info.weightBytes ||
          !writeConstant(*writer, offset, constant.value, bytes))
        return internal("a constant has no data of its type");
      position = offset + bytes;
    }
    if (index + 1 == constants.size() || constants[index + 1].offset != offset)
      graph::releaseConstant(constant.value);
  }
  if (llvm::Error error = writer->finish())
    return session.fail(std::move(error), Outcome::CannotWrite);
  info.weightsChecksum = writer->checksum();
  hasWeightsObject = !raw;
  if (hasWeightsObject)
    objects.push_back(path);
  return status();
}

/// What the kernels of a level compute with.
static std::string summary(const ModelInfo &info, const LevelInfo &level) {
  ArithmeticSummary summary;
  for (const StepInfo &step : info.steps)
    if (step.kernel >= 0 && info.kernels[step.kernel].onCpu)
      summary.add(step.kernel, level.arithmetic[step.kernel],
                  knownSum(info.kernels[step.kernel].flop));
  return summary.text();
}

Outcome Compile::compileKernels() {
  if (!session.begin("kernels", 0.3))
    return Outcome::Cancelled;
  KernelsResult result;
  Outcome outcome = hone::compileKernels(
      session,
      {*module, targets,
       last >= Phase::Obj ? CodeForm::Object : CodeForm::Assembly, folder,
       options.kernel},
      info, result);
  if (outcome == Outcome::Internal)
    return internal(result.problem);
  llvm::append_range(objects, result.objects);
  assembly += result.assembly;
  if (!options.report.empty())
    report.readCode(result, info);
  for (const LevelInfo &level : info.levels)
    session.stats.arithmetic.push_back({level.name, summary(info, level)});
  return outcome == Outcome::Done ? status() : outcome;
}

Outcome Compile::compileHost() {
  if (!session.begin("host", 0.9))
    return Outcome::Cancelled;
  if (failed(runPhase(*module, buildHostLlvmPipeline, options.instrument)))
    return internal("the host function could not be lowered");
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code =
      translateModuleToLLVMIR(*module, context, "host");
  if (!code)
    return internal("the host function could not be translated");
  // Nothing reads the IR any more, and linking needs memory.
  module = {};
  session.dropContext();
  addDescriptor(*code, info);
  addCustomNodes(*code, info);
  if (last == Phase::So && !isArchive())
    addSeal(*code, info);
  bool files = last >= Phase::Obj;
  SmallVector<char, 0> out;
  if (llvm::Error error = targets.host().emitHost(
          *code, files ? CodeForm::Object : CodeForm::Assembly, out))
    return internal(llvm::toString(std::move(error)));
  session.stats.codeBytes += out.size();
  StringRef text(out.data(), out.size());
  if (!files) {
    assembly += text;
    return Outcome::Done;
  }
  objects.push_back(folder.file("host.o"));
  if (llvm::Error error = writeFile(objects.back(), text))
    return session.fail(std::move(error), Outcome::CannotWrite);
  if (session.customCode().empty())
    return status();
  objects.push_back(folder.file("custom.o"));
  if (llvm::Error error = writeFile(objects.back(), session.customCode()))
    return session.fail(std::move(error), Outcome::CannotWrite);
  return status();
}

Outcome Compile::linkAll() {
  if (!session.begin("link", 0.95))
    return Outcome::Cancelled;
  LinkJob job;
  job.objects = objects;
  job.output = folder.file("out");
  job.symbol = options.symbol;
  job.soname = llvm::sys::path::filename(options.output).str();
  job.directory = folder.path();
  job.form = last == Phase::Obj ? LinkJob::Form::Object
             : isArchive()      ? LinkJob::Form::Archive
                                : LinkJob::Form::Library;
  if (llvm::Error error = link(job)) {
    auto [code, text] = describe(std::move(error));
    if (code == llvm::inconvertibleErrorCode())
      return internal(text);
    session.error(options.output + ": " + text);
    return Outcome::CannotWrite;
  }
  uint64_t size = 0;
  if (!llvm::sys::fs::file_size(job.output, size))
    session.stats.outputBytes = size;
  if (options.header)
    if (llvm::Error error = writeFile(folder.file("header"), makeHeader(info)))
      return session.fail(std::move(error), Outcome::CannotWrite);
  if (!options.report.empty()) {
    if (!session.begin("report", 0.99))
      return Outcome::Cancelled;
    if (job.form == LinkJob::Form::Library) {
      llvm::Expected<uint64_t> checksum = checksumOf(job.output);
      if (!checksum)
        return internal(llvm::toString(checksum.takeError()));
      report.library = libraryName(*checksum);
    }
    if (llvm::Error error = writeFile(
            folder.file("report"),
            reportPage(reportJson(options, session.stats, info,
                                  session.remarks(), std::move(report)))))
      return session.fail(std::move(error), Outcome::CannotWrite);
  }
  return publishAll();
}

Outcome Compile::publishAll() {
  if (!session.mayPublish())
    return Outcome::Cancelled;
  if (options.header)
    if (llvm::Error error = publish(folder.file("header"), headerPlace))
      return session.fail(std::move(error), Outcome::CannotWrite);
  if (!options.report.empty())
    if (llvm::Error error = publish(folder.file("report"), reportPlace))
      return session.fail(std::move(error), Outcome::CannotWrite);
  if (!info.weightsFile.empty())
    if (llvm::Error error =
            publish(folder.file("weights.o"), {weightsPath(), place.discard}))
      return session.fail(std::move(error), Outcome::CannotWrite);
  if (llvm::Error error = publish(folder.file("out"), place))
    return session.fail(std::move(error), Outcome::CannotWrite);
  return Outcome::Done;
}

/// A name that C can call and a seal can hold.
static bool isIdentifier(StringRef name) {
  auto isLetter = [](char c) { return llvm::isAlpha(c) || c == '_'; };
  return !name.empty() && name.size() < sizeof(hone_seal::symbol) &&
         isLetter(name.front()) &&
         llvm::all_of(
             name, [&](char c) { return isLetter(c) || llvm::isDigit(c); });
}

/// Reads the options, and does what is wanted with them.
static Outcome compileWith(Session &session,
                           llvm::function_ref<Outcome(Compile &)> action) {
  const CompileOptions &options = session.options;
  // A target's own forms are textual code, as assembly is.
  const TargetInfo *form = targetOfForm(options.emit);
  std::optional<Phase> last = form ? Phase::Asm : parsePhase(options.emit);
  if (!last) {
    session.error("unknown phase '" + options.emit + "'");
    return Outcome::WrongUsage;
  }
  if (!isIdentifier(options.symbol)) {
    session.error("'" + options.symbol +
                  "' is not a C identifier of at most 127 characters");
    return Outcome::WrongUsage;
  }
  if (*last >= Phase::Obj &&
      (options.output.empty() || options.output == "-")) {
    session.error("an output file is needed");
    return Outcome::WrongUsage;
  }
  if (!options.report.empty() && *last < Phase::Obj) {
    session.error("a report is about machine code: leave out --report, or "
                  "--emit=" +
                  options.emit);
    return Outcome::WrongUsage;
  }
  if (*last != Phase::Import &&
      StringRef(options.output).ends_with(kBytecodeEnding)) {
    session.error("'" + options.output +
                  "' would be bytecode, which --emit=import writes");
    return Outcome::WrongUsage;
  }
  if (!options.kernel.empty() && (*last < Phase::Graph || *last > Phase::Asm)) {
    session.error("--kernel is for what --emit prints of kernels: graph, "
                  "linalg, buffer, llvm or code, not " +
                  options.emit);
    return Outcome::WrongUsage;
  }
  if (llvm::Error error = session.readPipelines())
    return session.fail(std::move(error), Outcome::WrongUsage);
  llvm::Expected<Precision> precision = parsePrecision(options.precision);
  if (!precision)
    return session.fail(precision.takeError(), Outcome::WrongUsage);
  llvm::Expected<Targets> targets = Targets::create(
      options.target,
      {options.cpu, options.gpu, options.threads, *precision,
       *last >= Phase::Obj, options.instrument, &session.pipelines()},
      [&](StringRef text) { session.note(text); });
  if (!targets)
    return session.fail(targets.takeError(), Outcome::WrongUsage);
  const Backend *texts = form ? targets->find(*form) : nullptr;
  if (form && !texts) {
    session.error(
        ("--emit=" + form->form + " needs --target=" + form->name).str());
    return Outcome::WrongUsage;
  }
  Compile compile(session, std::move(*targets), *precision, *last, texts);
  return action(compile);
}

Outcome hone::compile(const CompileOptions &options,
                      const CompileCallbacks &callbacks, CompileStats *stats) {
  Session session(options, callbacks, stats);
  return compileWith(session, [](Compile &compile) { return compile.run(); });
}

Outcome hone::estimate(const CompileOptions &options,
                       const CompileCallbacks &callbacks, CompileStats &stats) {
  CompileOptions own = options;
  own.emit = "graph"; // no file
  Session session(own, callbacks, &stats);
  return compileWith(session,
                     [](Compile &compile) { return compile.estimate(); });
}

Outcome hone::check(const CompileOptions &options,
                    const CompileCallbacks &callbacks) {
  Session session(options, callbacks, nullptr);
  return session.import() ? Outcome::Done : Outcome::UserError;
}
