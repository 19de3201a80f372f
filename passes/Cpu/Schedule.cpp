// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a machine can do with a schedule.
#include "passes/Cpu/Schedule.h"
#include "passes/Cpu/MatrixTile.h"
#include "passes/Emit/Emit.h"
#include "passes/Machine/Estimate.h"
#include "passes/Machine/Tuning.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

int64_t hone::maxTileRows(const CpuMachine &machine, const MicroKernel &form,
                          int64_t vectors) {
  if (form.hasMatrices()) {
    // Those of a column, its operands, and those of the right-hand side.
    int64_t most = (matrix::kRegisters - vectors) / (vectors + 1);
    return most * matrix::kRows;
  }
  int64_t free =
      machine.vectorRegisters - vectors * form.instructions - form.temporaries;
  // Tall tiles of one vector make LLVM's scheduler spill.
  if (vectors == 1)
    free = machine.vectorRegisters / 2 - 2 * (form.instructions - 1);
  return std::max<int64_t>(free / vectors, 1);
}

bool hone::isDotProduct(const ProductShape &shape) {
  return shape.layout == RhsLayout::Transposed &&
         !ShapedType::isDynamic(shape.m) && shape.m <= tuning::kMaxDotRows;
}

bool hone::isUnpackedInRegisters(const ProductShape &shape) {
  return shape.layout == RhsLayout::Quantized &&
         !ShapedType::isDynamic(shape.m) &&
         shape.m <= tuning::kMaxUnpackingRows;
}

bool hone::isReadInPlace(const ProductShape &shape) {
  return isDotProduct(shape) || isUnpackedInRegisters(shape);
}

bool hone::isConverted(const ProductShape &shape, const MicroKernel &form) {
  Type from = shape.types.lhs, to = form.leftType(shape.types);
  bool mustBe = to.getIntOrFloatBitWidth() < from.getIntOrFloatBitWidth();
  if (form.hasMatrices() || mustBe)
    return true;
  // A copy has room behind its rows.
  if (shape.endsWithinStep() && !isReadInPlace(shape))
    return true;
  return from != to && !isReadInPlace(shape) && !shape.fewRows &&
         (ShapedType::isDynamic(shape.m) || shape.m >= tuning::kMinWidenedRows);
}

bool hone::isConverted(KernelConvOp op, const MicroKernel &form) {
  ProductTypes types = ProductTypes::of(op);
  if (form.hasMatrices())
    return true;
  return types.lhs != form.leftType(types) && types.isConvertible;
}

int64_t hone::panelRows(KernelConvOp op) {
  auto filter = cast<ShapedType>(op.getFilter().getType());
  if (op.getPackedAttr().isOrdered())
    return estimateProduct(
        estimateProduct(op.getKernel()),
        cast<ShapedType>(op.getInput().getType()).getShape().back());
  return estimateProduct(filter.getShape().drop_front()) / kPanelWidth;
}

std::optional<PaddedRows> hone::paddedRows(KernelConvOp op, int64_t rows) {
  if (!ProductTypes::of(op).isConvertible)
    return std::nullopt;
  auto input = cast<ShapedType>(op.getInput().getType()),
       out = cast<ShapedType>(op.getOuts().front().getType());
  int64_t last = out.getRank() - 2;
  int64_t in = input.getDimSize(last), pixels = out.getDimSize(last);
  if (ShapedType::isDynamic(in) || ShapedType::isDynamic(pixels))
    return std::nullopt;
  int64_t taps = op.getKernel().back(), dilation = op.getDilations().back();
  int64_t before = op.getPads()[last - 1];
  int64_t channels = input.getShape().back() / op.getGroup();
  auto widthFor = [&](int64_t pixels) {
    int64_t read = estimateProduct(pixels, op.getStrides().back()) +
                   estimateProduct(taps, dilation);
    return std::max(read, std::min(before, kMaxEstimate) + in);
  };
  // Pixels of a last tile that do not exist are read too. The limit holds for
  // tiles of any height, or for none.
  int64_t width = widthFor(llvm::alignTo(std::max<int64_t>(pixels, 1), rows));
  int64_t most = widthFor(pixels + matrix::kMaxTileRows);
  int64_t outer = estimateProduct(op.getKernel().drop_back());
  if (before < 0 || estimateProduct(estimateProduct(most, outer), channels) >
                        tuning::kMaxPaddedElements)
    return std::nullopt;
  return PaddedRows{before, width, dilation == 1 ? taps * channels : channels};
}

ConvertedRows hone::convertedRows(KernelConvOp op, int64_t blockRows) {
  ArrayRef<int64_t> kernel = op.getKernel();
  if (kernel.size() == 1)
    return {1, 1, 1, false};
  size_t d = kernel.size() - 2;
  int64_t taps = kernel[d], stride = op.getStrides()[d];
  int64_t outerTaps = estimateProduct(kernel.drop_back(2));
  if (op.getDilations()[d] == 1 && stride <= taps)
    return {outerTaps, estimateProduct(blockRows - 1, stride) + taps, stride,
            true};
  return {outerTaps, estimateProduct(blockRows, taps), taps, false};
}

bool hone::widensPanels(const MicroKernel &form, const ProductTypes &types) {
  return form.elementwise() || (form.kr == 1 && isa<FloatType>(types.rhs) &&
                                types.rhs != types.accumulator);
}

const MicroKernel &hone::tileForm(const MicroKernel &form, bool packed) {
  const MicroKernel *elementwise = packed ? form.elementwise() : nullptr;
  return elementwise ? *elementwise : form;
}

int64_t hone::prefetchedElements(const CpuMachine &machine,
                                 const MicroKernel &form,
                                 const ProductTypes &types,
                                 const PassingPanels &panels) {
  auto [rowTiles, columns, chunk, k, n] = panels;
  if (form.isOrdered || columns % kPanelWidth != 0 ||
      rowTiles > tuning::kMaxPrefetchingTiles)
    return 0;
  int64_t share = llvm::divideCeil(columns, rowTiles);
  auto bytesOf = [&](int64_t k, int64_t columns) {
    if (ShapedType::isDynamic(k) || ShapedType::isDynamic(columns))
      return kMaxEstimate;
    return estimateProduct(estimateProduct(k, columns),
                           types.rhs.getIntOrFloatBitWidth() / 8);
  };
  // Shares are rounded up.
  bool fits =
      bytesOf(chunk, share * rowTiles) <= tuning::prefetchedBytes(machine);
  return fits && bytesOf(k, n) >= tuning::kStreamedBytes ? share : 0;
}

/// Constraints on all schedules.
static std::string problemOfAll(ScheduleAttr schedule,
                                const CpuMachine &machine,
                                const ProductTypes &types) {
  const MicroKernel *form = findMicroKernel(schedule.getForm());
  if (!form || !form->fits(machine, types))
    return llvm::formatv(
        "the form '{0}', which {1} does not have for its types",
        schedule.getForm(), machine.name);
  int64_t rows = schedule.getTileRows(), vectors = schedule.getTileVectors();
  int64_t columns =
      estimateProduct(vectors, form->lanes(machine, types.accumulator));
  if (columns % kPanelWidth != 0 && kPanelWidth % columns != 0)
    return llvm::formatv("tiles of {0} columns, but panels of {1}", columns,
                         kPanelWidth);
  if (form->isOrdered && columns != PackedAttr::kHalf)
    return llvm::formatv("tiles of {0} columns, but {1} with one order",
                         columns, PackedAttr::kHalf);
  // The vectors of a tile with one row are used once, from memory.
  const MicroKernel &inTile = tileForm(*form, schedule.getPacked());
  int64_t fitting = rows == 1 && !form->hasMatrices()
                        ? machine.vectorRegisters - 2
                        : maxTileRows(machine, inTile, vectors) * vectors;
  if (estimateProduct(rows, vectors) > fitting)
    return llvm::formatv(
        "tiles of {0} x {1} vectors, more than {2} has registers for", rows,
        vectors, machine.name);
  if (schedule.getBlockColumns() % columns != 0)
    return llvm::formatv("blocks of {0} columns, but tiles of {1}",
                         schedule.getBlockColumns(), columns);
  int64_t elements =
      std::max(estimateProduct(std::max(schedule.getBlockRows(), rows),
                               std::max(schedule.getBlockColumns(), columns)),
               estimateProduct(schedule.getBlockK(), columns));
  if (elements > tuning::kMaxScratchElements)
    return llvm::formatv("blocks of more than {0} elements",
                         tuning::kMaxScratchElements);
  return "";
}

/// Constraints on tiles of matrices, if `count` elements of K are multiplied at
/// a time.
static std::string problemOfMatrices(ScheduleAttr schedule,
                                     const MicroKernel &form,
                                     const ProductTypes &types, int64_t count) {
  int64_t rows = schedule.getTileRows();
  if (rows > matrix::kRows && rows % matrix::kRows != 0)
    return llvm::formatv("tiles of {0} rows, but matrices of {1}", rows,
                         matrix::kRows);
  if (count % form.kr != 0)
    return llvm::formatv("{0} elements of K at a time, which come in steps of "
                         "{1}",
                         count, form.kr);
  TileShape shape{rows, schedule.getTileVectors()};
  if (!MatrixRegisters(form, types, shape, count).fit())
    return llvm::formatv("tiles of {0} x {1} vectors, for which there are too "
                         "few registers if the last matrices are smaller",
                         rows, shape.vectors);
  return "";
}

static constexpr StringLiteral kPlainCopy =
    "a copy of panels, whose rows follow each other anyway";

static std::string problemOfProduct(ScheduleAttr schedule,
                                    const CpuMachine &machine,
                                    const ProductShape &shape) {
  const MicroKernel &form = *findMicroKernel(schedule.getForm());
  if (isReadInPlace(shape))
    return form.hasMatrices() ? "matrices, but rows that are none" : "";
  if (shape.layout == RhsLayout::Transposed && !schedule.getPacked())
    return "a transposed operand that is not packed";
  if (shape.layout == RhsLayout::Quantized && !schedule.getPacked())
    return "quantized weights that are not copied";
  if (shape.layout == RhsLayout::RowMajor && form.kr > 1 &&
      !schedule.getPacked())
    return "rows of bytes that are not packed";
  if (shape.layout == RhsLayout::Packed && schedule.getPacked() &&
      !widensPanels(form, shape.types))
    return kPlainCopy.str();
  if (form.isOrdered && schedule.getBlockK() != 0)
    return "chunks of K, but corrections for all of it";
  if (schedule.getBlockK() % form.depth() != 0)
    return llvm::formatv("chunks of {0} elements of K, which come in steps of "
                         "{1}",
                         schedule.getBlockK(), form.depth());
  if (form.hasMatrices()) {
    if (ShapedType::isDynamic(shape.k))
      return "matrices, but a free K";
    std::string problem =
        problemOfMatrices(schedule, form, shape.types, shape.paddedK());
    if (!problem.empty())
      return problem;
  }
  if (shape.quantized && schedule.getBlockK() % shape.packed.getKr() != 0)
    return llvm::formatv("chunks of {0} elements of K, of which {1} are in a "
                         "word",
                         schedule.getBlockK(), shape.packed.getKr());
  if (shape.types.codeBits &&
      schedule.getBlockK() % shape.quantized.getBlock() != 0)
    return llvm::formatv("chunks of {0} elements of K, which have scales for "
                         "each {1}",
                         schedule.getBlockK(), shape.quantized.getBlock());
  int64_t k = schedule.getBlockK() ? schedule.getBlockK() : shape.k;
  int64_t columns =
      schedule.getTileVectors() * form.lanes(machine, shape.types.accumulator);
  int64_t rows = std::max(schedule.getBlockRows(), schedule.getTileRows());
  // Rows are some vectors longer.
  int64_t slack = 2 * std::max(form.depth(), kPanelWidth);
  auto isLarge = [&](int64_t lines) {
    return ShapedType::isDynamic(k) ||
           estimateProduct(estimateProduct(k + slack, lines), 2) >
               tuning::kMaxScratchElements;
  };
  if (schedule.getPacked() && isLarge(columns))
    return "a copy of all of a K that is free or large";
  if (isConverted(shape, form) && isLarge(rows))
    return "converted rows with all of a K that is free or large";
  return "";
}

/// Elements of the input rows that are converted for a block.
static int64_t convertedElements(KernelConvOp op, ScheduleAttr schedule) {
  auto input = cast<ShapedType>(op.getInput().getType());
  int64_t pixels = input.getDimSize(input.getRank() - 2);
  if (std::optional<PaddedRows> rows = paddedRows(op, schedule.getTileRows()))
    pixels = rows->pixels;
  ConvertedRows rows = convertedRows(op, schedule.getBlockRows());
  return estimateProduct(
      {rows.outerTaps, rows.rows, pixels, input.getShape().back()});
}

/// Of a convolution that is no product.
static std::string problemOfPanels(KernelConvOp op, ScheduleAttr schedule,
                                   const CpuMachine &machine) {
  if (schedule.getBlockRows() == 0)
    return "blocks without rows";
  const MicroKernel &form = *findMicroKernel(schedule.getForm());
  if (form.hasMatrices()) {
    std::optional<PaddedRows> rows = paddedRows(op, schedule.getTileRows());
    if (!rows)
      return "matrices, but input rows that are free or large";
    std::string problem =
        problemOfMatrices(schedule, form, ProductTypes::of(op), rows->run);
    if (!problem.empty())
      return problem;
  }
  if (isConverted(op, form) &&
      convertedElements(op, schedule) > tuning::kMaxScratchElements)
    return "too many rows that are converted for a block";
  if (!schedule.getPacked())
    return "";
  if (!widensPanels(form, ProductTypes::of(op)))
    return kPlainCopy.str();
  int64_t columns = schedule.getTileVectors() *
                    form.lanes(machine, ProductTypes::of(op).accumulator);
  return estimateProduct(panelRows(op), columns) > tuning::kMaxScratchElements
             ? "a copy of large panels"
             : "";
}

std::string hone::scheduleProblem(ScheduledOpInterface op,
                                  ScheduleAttr schedule,
                                  const CpuMachine &machine) {
  std::string problem = problemOfAll(schedule, machine, ProductTypes::of(op));
  if (!problem.empty())
    return problem;
  if (auto matmul = dyn_cast<KernelMatmulOp>(*op))
    return problemOfProduct(schedule, machine, ProductShape::of(matmul));
  if (auto conv = dyn_cast<KernelConvOp>(*op)) {
    if (std::optional<ProductShape> shape = ProductShape::of(conv))
      return problemOfProduct(schedule, machine, *shape);
    return problemOfPanels(conv, schedule, machine);
  }
  if (schedule.getBlockRows() == 0 || schedule.getBlockColumns() == 0 ||
      schedule.getBlockRows() % schedule.getTileRows() != 0)
    return "blocks that are not made of whole tiles";
  return "";
}

LogicalResult hone::checkSchedule(ScheduledOpInterface op,
                                  const CpuMachine &machine) {
  if (!op.takesSchedule())
    return success();
  ScheduleAttr schedule = op.getScheduleAttr();
  if (!schedule)
    return op->emitError("has no schedule: run hone-schedule-kernels before");
  std::string problem = scheduleProblem(op, schedule, machine);
  if (!problem.empty())
    return op->emitError("has ") << problem;
  return success();
}
