// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the driver relies on, of every target in the table.
#include "compiler/Target/Targets.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "llvm/Support/FileSystem.h"
#include <gtest/gtest.h>

using namespace mlir;
using namespace hone;

namespace {

/// y = x + x, which every device can run.
constexpr StringLiteral kModel = R"(
  func.func @main(
      %x: tensor<?x8xf32> {hone.name = "x", hone.type = "float", hone.dims = ["n", 8]})
      -> (tensor<?x8xf32> {hone.name = "y", hone.type = "float", hone.dims = ["n", 8]}) {
    %n = hone.dim "n"
    %0 = hone.map ins(%x : tensor<?x8xf32>) dims(%n) -> tensor<?x8xf32> {
    ^bb0(%a: f32):
      %s = arith.addf %a, %a : f32
      hone.yield %s : f32
    }
    return %0 : tensor<?x8xf32>
  }
)";

void ignore(StringRef) {}

Targets make(const Twine &list) {
  TargetOptions options;
  options.files = false;
  llvm::Expected<Targets> targets =
      Targets::create(list.str(), options, ignore);
  if (!targets)
    llvm::report_fatal_error(targets.takeError());
  return std::move(*targets);
}

class TargetsTest : public testing::TestWithParam<const TargetInfo *> {
protected:
  TargetsTest() {
    DialectRegistry registry;
    registerDialects(registry);
    registerTargetDialects(registry);
    registerBuiltinDialectTranslation(registry);
    registerLLVMDialectTranslation(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
  }

  /// The model with the plan of its host, and its only kernel.
  func::FuncOp plan(const Targets &targets) {
    model = parseSourceString<ModuleOp>(kModel, ParserConfig(&context));
    EXPECT_TRUE(succeeded(runPhase(*model, [&](OpPassManager &pm) {
      buildGraphPipeline(pm, targets.graphOptions(Precision::F32));
      buildHostBufferPipeline(pm);
    })));
    for (auto function : model->getOps<func::FuncOp>())
      if (function->hasAttr(rt::kKernelAttr))
        return function;
    return {};
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> model;
};

TEST_P(TargetsTest, NamesTellItApart) {
  const TargetInfo &info = *GetParam();
  EXPECT_FALSE(info.name.empty());
  EXPECT_FALSE(info.name.contains(','));
  EXPECT_NE(info.name, CpuBackend::kName);
  EXPECT_EQ(llvm::count_if(deviceTargets(),
                           [&](const TargetInfo *other) {
                             return other->name == info.name;
                           }),
            1);
  EXPECT_EQ(info.listed, StringRef(targetNames()).contains(info.name));
  if (info.form.empty())
    return;
  EXPECT_EQ(targetOfForm(info.form), &info);
  EXPECT_FALSE(parsePhase(info.form)) << "is a phase";
  EXPECT_TRUE(StringRef(emitNames()).contains(info.form));
}

TEST_P(TargetsTest, HostHasTheKernelsThatNoDeviceRuns) {
  const TargetInfo &info = *GetParam();
  Targets alone = make(info.name), both = make(info.name + ",cpu");
  func::FuncOp kernel = plan(alone);
  const Backend *device = alone.find(info), *cpu = &both.host();
  EXPECT_EQ(alone.of(kernel), SmallVector<const Backend *>({device}));
  EXPECT_EQ(both.of(kernel),
            SmallVector<const Backend *>({cpu, both.find(info)}));
  kernel->removeAttr(rt::kDeviceAttr);
  EXPECT_EQ(alone.of(kernel), SmallVector<const Backend *>({&alone.host()}));
  EXPECT_EQ(both.of(kernel), SmallVector<const Backend *>({cpu}));
}

TEST_P(TargetsTest, KernelsGoThroughAllPhases) {
  Targets targets = make(GetParam()->name);
  func::FuncOp kernel = plan(targets);
  const Backend &device = *targets.find(*GetParam());
  for (Phase last : {Phase::Linalg, Phase::Buffer, Phase::Llvm})
    EXPECT_TRUE(
        device.lower(kernel, last, device.machine(&context, /*variant=*/0)))
        << phaseName(last).str();
}

TEST_P(TargetsTest, CodeIsDescribed) {
  Targets targets = make(GetParam()->name);
  func::FuncOp kernel = plan(targets);
  const Backend &device = *targets.find(*GetParam());
  SmallString<128> folder;
  ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("targets", folder));
  ModelInfo info;
  info.kernels.emplace_back();
  for (const Backend *backend : targets.all())
    backend->describe(info);
  ASSERT_EQ(info.levels.size(), targets.host().variants(CodeForm::Object));
  ASSERT_TRUE(info.device);
  EXPECT_FALSE(info.device->driver.empty());
  ASSERT_EQ(info.device->kernels.size(), 1u);
  EXPECT_TRUE(info.device->kernels[0].stub.empty());
  ASSERT_GE(device.variants(CodeForm::Object), 1u);
  for (size_t i = 0; i < device.variants(CodeForm::Object); ++i) {
    SmallVector<char, 0> code;
    KernelReport report;
    if (llvm::Error error = device.compile(
            {kernel, i, CodeForm::Object, targets.host(), folder.str().str()},
            code, report))
      FAIL() << llvm::toString(std::move(error));
    EXPECT_FALSE(code.empty());
    device.describeKernel(0, i, report, info);
  }
  EXPECT_FALSE(info.device->kernels[0].stub.empty());
  EXPECT_FALSE(info.device->kernels[0].functions.empty());
  EXPECT_FALSE(info.device->kernels[0].images.empty());
  EXPECT_FALSE(info.kernels[0].onCpu);
  if (!GetParam()->form.empty()) {
    llvm::Expected<std::string> text = device.emitText(*model);
    ASSERT_TRUE(bool(text));
    EXPECT_FALSE(text->empty());
  }
  // Temporary files are gone.
  EXPECT_FALSE(llvm::sys::fs::remove(folder));
}

INSTANTIATE_TEST_SUITE_P(All, TargetsTest, testing::ValuesIn(deviceTargets()),
                         [](const auto &info) {
                           std::string name = info.param->name.str();
                           for (char &c : name)
                             c = llvm::isAlnum(c) ? c : '_';
                           return name;
                         });

TEST(TargetsListTest, ACpuAloneHasNoDevice) {
  Targets targets = make("cpu");
  EXPECT_EQ(targets.all(), SmallVector<const Backend *>({&targets.host()}));
  for (const TargetInfo *info : deviceTargets())
    EXPECT_EQ(targets.find(*info), nullptr);
  EXPECT_EQ(targetOfForm(""), nullptr);
}

TEST(TargetsListTest, ALibraryHasOneDevice) {
  // More than once is once.
  std::string first = deviceTargets()[0]->name.str(),
              second = deviceTargets()[1]->name.str();
  EXPECT_EQ(make(first + "," + first).all().size(), 2u);
  llvm::Expected<Targets> both =
      Targets::create(first + ",cpu," + second, TargetOptions(), ignore);
  ASSERT_FALSE(bool(both));
  EXPECT_EQ(llvm::toString(both.takeError()), "a library is made for " + first +
                                                  " or for " + second +
                                                  ", not for both");
}

} // namespace
