// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Device code as host code: the operations of one function, and the tables of
// the module.
#include "compiler/Target/Emulated/Emulated.h"
#include "compiler/Target/Emulated/Operations.h"
#include "compiler/Target/Emulated/Passes.h"
#include "compiler/Target/Emulated/Services.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "runtime/device/emulator/Emulated.h"
#include "llvm/ADT/STLExtras.h"

namespace hone {
#define GEN_PASS_DEF_TRANSLATEEMULATEDPASS
#include "compiler/Target/Emulated/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

static_assert(sizeof(hone_emulated_function) == 48 &&
              sizeof(hone_emulated_constant) == 16 &&
              sizeof(hone_emulated_module) == 72);

namespace {

constexpr int64_t kSharedAlignment = 16, kSharedGap = 64;
constexpr unsigned kShared = 3;

/// A function that the device's interface can launch.
struct Kernel {
  LLVM::LLVMFuncOp function, entry;
  int64_t blockSize = 0;
};

class Translator {
public:
  Translator(ModuleOp module, gpu::GPUModuleOp device, StringRef symbol)
      : module(module), device(device), symbol(symbol.str()),
        builder(module.getContext()), services(module, symbol), layout(module) {
  }

  LogicalResult run() {
    layOutShared();
    SmallVector<LLVM::LLVMFuncOp> functions(device.getOps<LLVM::LLVMFuncOp>());
    for (LLVM::LLVMFuncOp function : functions)
      if (!function.isExternal() &&
          failed(translateOperations(function, services, sharedOffsets)))
        return failure();
    retype();
    for (Operation &op :
         llvm::make_early_inc_range(device.getBody()->without_terminator())) {
      op.moveBefore(module.getBody(), module.getBody()->end());
      if (auto function = dyn_cast<LLVM::LLVMFuncOp>(op))
        takeFunction(function);
      else if (auto global = dyn_cast<LLVM::GlobalOp>(op))
        constants.push_back(global);
    }
    device.erase();
    makeTable();
    return success();
  }

private:
  /// Offsets of the arrays in the shared memory of a block, common to all
  /// functions of the module.
  void layOutShared() {
    for (auto global :
         llvm::make_early_inc_range(device.getOps<LLVM::GlobalOp>())) {
      if (global.getAddrSpace() != kShared)
        continue;
      int64_t alignment = std::max<int64_t>(kSharedAlignment,
                                            global.getAlignment().value_or(1));
      sharedBytes = llvm::alignTo(sharedBytes, alignment);
      int64_t bytes = layout.getTypeSize(global.getType()).getFixedValue();
      sharedOffsets[global.getSymName()] = sharedBytes;
      arrays.push_back(sharedBytes);
      arrays.push_back(sharedBytes + bytes);
      sharedBytes += bytes + kSharedGap;
      sharedGlobals.push_back(global);
    }
  }

  /// All pointers become host pointers.
  void retype() {
    for (LLVM::GlobalOp global : sharedGlobals)
      global.erase();
    device.walk([](LLVM::GlobalOp global) { global.setAddrSpace(0); });
    AttrTypeReplacer replacer;
    replacer.addReplacement([](LLVM::LLVMPointerType type) -> Type {
      return LLVM::LLVMPointerType::get(type.getContext());
    });
    replacer.recursivelyReplaceElementsIn(device, /*replaceAttrs=*/true,
                                          /*replaceLocs=*/false,
                                          /*replaceTypes=*/true);
    device.walk([](LLVM::AddrSpaceCastOp cast) {
      cast.replaceAllUsesWith(cast.getArg());
      cast.erase();
    });
  }

  /// Moves a device function to the host, and gives a kernel its entry.
  void takeFunction(LLVM::LLVMFuncOp function) {
    bool isKernel =
        function->hasAttr(NVVM::NVVMDialect::getKernelFuncAttrName());
    int64_t blockSize = 0;
    if (auto sizes =
            function->getAttrOfType<DenseI32ArrayAttr>("gpu.known_block_size"))
      blockSize = product(sizes.asArrayRef());
    for (NamedAttribute attr : llvm::to_vector(function->getDiscardableAttrs()))
      function->removeAttr(attr.getName());
    function.removeArgAttrsAttr();
    function.removeResAttrsAttr();
    function.setLinkage(LLVM::Linkage::Internal);
    if (!isKernel)
      return;
    builder.setInsertionPointAfter(function);
    Location loc = function.getLoc();
    Type nothing = LLVM::LLVMVoidType::get(builder.getContext());
    auto entry = LLVM::LLVMFuncOp::create(
        builder, loc, (function.getSymName() + ".thread").str(),
        LLVM::LLVMFunctionType::get(nothing, {services.ptrType}),
        LLVM::Linkage::Internal);
    Block *body = entry.addEntryBlock(builder);
    builder.setInsertionPointToStart(body);
    SmallVector<Value> arguments;
    for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
      Value place = LLVM::GEPOp::create(builder, loc, services.ptrType,
                                        services.ptrType, body->getArgument(0),
                                        ArrayRef<LLVM::GEPArg>{int32_t(i)});
      Value address =
          LLVM::LoadOp::create(builder, loc, services.ptrType, place);
      arguments.push_back(LLVM::LoadOp::create(builder, loc, type, address));
    }
    LLVM::CallOp::create(builder, loc, function, arguments);
    LLVM::ReturnOp::create(builder, loc, ValueRange());
    kernels.push_back({function, entry, blockSize});
  }

  static int64_t product(ArrayRef<int32_t> sizes) {
    int64_t result = 1;
    for (int32_t size : sizes)
      result *= size;
    return result;
  }

  //===- Tables ----------------------------------------------------------===//

  LLVM::GlobalOp global(const Twine &name, Type type, Attribute value) {
    builder.setInsertionPointToStart(module.getBody());
    return LLVM::GlobalOp::create(builder, module.getLoc(), type,
                                  /*isConstant=*/true, LLVM::Linkage::Internal,
                                  (symbol + "_" + name).str(), value);
  }

  LLVM::GlobalOp text(const Twine &name, StringRef value) {
    return global(name,
                  LLVM::LLVMArrayType::get(builder.getI8Type(), value.size()),
                  builder.getStringAttr(value));
  }

  LLVM::GlobalOp numbers(const Twine &name, ArrayRef<int32_t> values) {
    SmallVector<int32_t> some(values);
    if (some.empty())
      some.push_back(0);
    return global(name,
                  LLVM::LLVMArrayType::get(builder.getI32Type(), some.size()),
                  builder.getI32TensorAttr(some));
  }

  /// A structure of the fields, in the constant being built.
  Value structure(Location loc, ArrayRef<Value> fields) {
    auto type = LLVM::LLVMStructType::getLiteral(
        builder.getContext(),
        llvm::map_to_vector(fields, [](Value v) { return v.getType(); }));
    Value value = LLVM::UndefOp::create(builder, loc, type);
    for (auto [i, field] : llvm::enumerate(fields))
      value =
          LLVM::InsertValueOp::create(builder, loc, value, field, int64_t(i));
    return value;
  }

  /// A table of equal structures; `entry` builds one of them.
  LLVM::GlobalOp table(const Twine &name, size_t count,
                       llvm::function_ref<Value(Location, size_t)> entry) {
    Location loc = module.getLoc();
    OpBuilder::InsertionGuard guard(builder);
    LLVM::GlobalOp made =
        global(name, builder.getI8Type(), Attribute()); // type follows
    builder.createBlock(&made.getInitializerRegion());
    SmallVector<Value> entries;
    for (size_t i = 0; i < count; ++i)
      entries.push_back(entry(loc, i));
    Type type = entries.empty()
                    ? Type(LLVM::LLVMArrayType::get(builder.getI8Type(), 0))
                    : LLVM::LLVMArrayType::get(entries.front().getType(),
                                               entries.size());
    Value value = LLVM::UndefOp::create(builder, loc, type);
    for (auto [i, one] : llvm::enumerate(entries))
      value = LLVM::InsertValueOp::create(builder, loc, value, one, int64_t(i));
    LLVM::ReturnOp::create(builder, loc, value);
    made.setGlobalType(type);
    return made;
  }

  void makeTable() {
    auto address = [&](Location loc, LLVM::GlobalOp target) -> Value {
      return LLVM::AddressOfOp::create(builder, loc, target);
    };
    auto i32 = [&](Location loc, int64_t value) {
      return services.constant(builder, loc, value);
    };
    auto i64 = [&](Location loc, int64_t value) {
      return services.constant(builder, loc, value, 64);
    };
    LLVM::GlobalOp arrayTable = numbers("arrays", arrays);
    SmallVector<LLVM::GlobalOp> names, parameters;
    for (auto [i, kernel] : llvm::enumerate(kernels)) {
      std::string name = kernel.function.getSymName().str();
      name.push_back('\0');
      names.push_back(text("name" + Twine(i), name));
      SmallVector<int32_t> bytes;
      for (Type type : kernel.function.getArgumentTypes())
        bytes.push_back(layout.getTypeSize(type).getFixedValue());
      parameters.push_back(numbers("parameters" + Twine(i), bytes));
    }
    LLVM::GlobalOp functions = table(
        "functions", kernels.size(), [&](Location loc, size_t i) -> Value {
          Kernel &kernel = kernels[i];
          Value entry = LLVM::AddressOfOp::create(builder, loc, kernel.entry);
          return structure(
              loc, {address(loc, names[i]), entry, address(loc, parameters[i]),
                    i32(loc, kernel.function.getNumArguments()),
                    i32(loc, sharedBytes), i32(loc, arrays.size() / 2),
                    i32(loc, kernel.blockSize), address(loc, arrayTable)});
        });
    LLVM::GlobalOp constantTable = table(
        "constants", constants.size(), [&](Location loc, size_t i) -> Value {
          return structure(loc,
                           {address(loc, constants[i]),
                            i64(loc, layout.getTypeSize(constants[i].getType())
                                         .getFixedValue())});
        });
    LLVM::GlobalOp siteText =
        text("site_text", services.siteText().empty()
                              ? StringRef("\0", 1)
                              : StringRef(services.siteText()));
    LLVM::GlobalOp siteOffsets =
        numbers("site_offsets", services.siteOffsets());
    LLVM::GlobalOp made =
        table("module", 1, [&](Location loc, size_t) -> Value {
          return structure(
              loc,
              {i32(loc, HONE_EMULATED_MAGIC), i32(loc, HONE_EMULATED_VERSION),
               address(loc, functions), i64(loc, kernels.size()),
               address(loc, siteText), address(loc, siteOffsets),
               i64(loc, services.siteOffsets().size() / 2),
               address(loc, constantTable), i64(loc, constants.size()),
               address(loc, services.pointer())});
        });
    made.setSymName(symbol);
    made.setLinkage(LLVM::Linkage::External);
  }

  ModuleOp module;
  gpu::GPUModuleOp device;
  std::string symbol;
  OpBuilder builder;
  EmulatorServices services;
  DataLayout layout;
  int64_t sharedBytes = 0;
  llvm::StringMap<int64_t> sharedOffsets;
  SmallVector<int32_t> arrays; ///< begin and end of each
  SmallVector<LLVM::GlobalOp> sharedGlobals, constants;
  SmallVector<Kernel> kernels;
};

struct TranslateEmulatedPass
    : hone::impl::TranslateEmulatedPassBase<TranslateEmulatedPass> {
  using Base::Base;
  void runOnOperation() override {
    if (failed(translateToEmulated(getOperation(), symbol)))
      signalPassFailure();
  }
};

} // namespace

LogicalResult hone::translateToEmulated(ModuleOp module, StringRef symbol) {
  auto devices = module.getOps<gpu::GPUModuleOp>();
  if (devices.empty())
    return module.emitError("has no gpu.module");
  return Translator(module, *devices.begin(), symbol).run();
}
