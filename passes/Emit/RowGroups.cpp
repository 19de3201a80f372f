// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Softmax, normalisation and other chains of maps and reductions: dimensions of
// different nests are identified through the buffers they share. Those that are
// parallel everywhere become common outer loops.
#include "passes/Emit/RowGroups.h"

#include "dialects/Rt/Rt.h"
#include "passes/Emit/LoopMotion.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallSet.h"

using namespace mlir;
using namespace hone;

namespace {
/// One use of a buffer by a stage.
struct Use {
  unsigned stage, operand;
  bool writes;
};

/// Dimension `dim` of stage `stage`.
using StageDim = std::pair<unsigned, unsigned>;

class RowPlanner {
public:
  explicit RowPlanner(ArrayRef<LoopStage> stages) : stages(stages) {}

  std::optional<RowPlan> plan() {
    collectUses();
    for (unsigned s = 0; s < stages.size(); ++s)
      for (unsigned d = 0; d < stages[s].nest.dims.size(); ++d)
        classes.insert({s, d});
    for (auto &[root, uses] : shared)
      unify(uses);
    // The first stage determines the candidates.
    SmallVector<SmallVector<unsigned>> candidates;
    for (unsigned d = 0; d < stages[0].nest.dims.size(); ++d)
      if (auto row = membersOf({0, d}))
        candidates.push_back(*row);
    dropVectorDims(candidates);
    if (candidates.empty())
      return std::nullopt;
    RowPlan plan;
    plan.rowDims.resize(stages.size());
    for (const SmallVector<unsigned> &row : candidates) {
      Value extent = stages[0].nest.dims[row[0]].extent;
      for (auto [s, dim] : llvm::enumerate(row)) {
        plan.rowDims[s].push_back(dim);
        Value other = stages[s].nest.dims[dim].extent;
        if (!constantOf(extent) && constantOf(other))
          extent = other;
      }
      plan.extents.push_back(extent);
    }
    return plan;
  }

private:
  void collectUses() {
    llvm::MapVector<Value, SmallVector<Use>> all;
    for (auto [s, stage] : llvm::enumerate(stages)) {
      for (auto [i, access] : llvm::enumerate(stage.nest.accesses))
        if (!access.isScalar())
          all[rootOf(access.source)].push_back(
              {unsigned(s), unsigned(i), i >= stage.nest.numInputs()});
      // Reads of the body at computed indices cannot be followed.
      linalg::GenericOp op = stage.nest.op;
      op.getRegion().walk([&](memref::LoadOp load) {
        loaded.insert(rootOf(load.getMemRef()));
      });
    }
    for (auto &entry : all) {
      Value root = entry.first;
      ArrayRef<Use> uses = entry.second;
      bool written = llvm::any_of(uses, [](Use use) { return use.writes; });
      bool several = llvm::any_of(
          uses, [&](Use use) { return use.stage != uses.front().stage; });
      if (written && several)
        shared[root] = entry.second;
      if (written && loaded.contains(root))
        blocked = true;
    }
  }

  const NestAccess &access(Use use) {
    return stages[use.stage].nest.accesses[use.operand];
  }

  /// Dimension of the stage that walks dimension `memDim` of the buffer.
  std::optional<unsigned> dimAt(Use use, int memDim) {
    for (auto [d, range] : llvm::enumerate(access(use).memDims))
      if (range.first == memDim && range.second == memDim)
        return d;
    return std::nullopt;
  }

  void unify(ArrayRef<Use> uses) {
    Value memref = access(uses.front()).source;
    for (Use use : uses)
      blocked |= access(use).source != memref ||
                 llvm::is_contained(access(use).memDims, std::pair(-2, -2));
    int64_t rank = cast<MemRefType>(memref.getType()).getRank();
    for (int i = 0; i < rank; ++i) {
      std::optional<StageDim> first;
      for (Use use : uses) {
        std::optional<unsigned> dim = dimAt(use, i);
        if (!dim)
          continue;
        StageDim member(use.stage, *dim);
        if (first)
          classes.unionSets(*first, member);
        else
          first = member;
      }
    }
  }

  /// The dimension of each stage in the class of `leader`, if it can be a row.
  std::optional<SmallVector<unsigned>> membersOf(StageDim leader) {
    if (blocked)
      return std::nullopt;
    SmallVector<unsigned> dims(stages.size());
    SmallVector<int> counts(stages.size());
    for (auto it = classes.findLeader(leader); it != classes.member_end();
         ++it) {
      dims[it->first] = it->second;
      ++counts[it->first];
    }
    for (auto [s, count] : llvm::enumerate(counts))
      if (count != 1 || stages[s].nest.dims[dims[s]].reduction)
        return std::nullopt;
    // The same dimension of a shared buffer everywhere.
    for (auto &[root, uses] : shared) {
      std::optional<std::pair<int, int>> place;
      for (Use use : uses) {
        std::pair<int, int> here = access(use).memDims[dims[use.stage]];
        if (here.first < 0 || (place && *place != here))
          return std::nullopt;
        place = here;
      }
    }
    return dims;
  }

  /// Vectors along a row are worth more than parallel ones.
  void dropVectorDims(SmallVector<SmallVector<unsigned>> &candidates) {
    size_t most = 0;
    for (const LoopStage &stage : stages)
      most = std::max(most, stage.nest.dims.size());
    for (auto [s, stage] : llvm::enumerate(stages)) {
      if (stage.nest.dims.size() < most)
        continue;
      int vector = chooseVectorDim(stage.nest);
      llvm::erase_if(candidates, [&, s = s](const SmallVector<unsigned> &row) {
        return vector >= 0 && row[s] == unsigned(vector);
      });
    }
  }

  ArrayRef<LoopStage> stages;
  llvm::MapVector<Value, SmallVector<Use>> shared;
  DenseSet<Value> loaded;
  llvm::EquivalenceClasses<StageDim> classes;
  bool blocked = false;
};

} // namespace

std::optional<RowPlan> hone::planRows(ArrayRef<LoopStage> stages) {
  return RowPlanner(stages).plan();
}

SmallVector<RowTemporary, 0> hone::rowTemporaries(ArrayRef<LoopStage> stages,
                                                  const RowPlan &plan) {
  llvm::MapVector<Operation *, SmallVector<std::pair<unsigned, unsigned>>> used;
  llvm::SmallPtrSet<Operation *, 8> members;
  for (auto [s, stage] : llvm::enumerate(stages)) {
    members.insert(stage.nest.op);
    for (auto [i, access] : llvm::enumerate(stage.nest.accesses))
      if (auto alloc = access.source.getDefiningOp<memref::AllocOp>())
        used[alloc].push_back({unsigned(s), unsigned(i)});
  }
  SmallVector<RowTemporary, 0> temporaries;
  for (auto &entry : used) {
    auto alloc = cast<memref::AllocOp>(entry.first);
    ArrayRef<std::pair<unsigned, unsigned>> uses = entry.second;
    // Views of it made by nests are replaced with it.
    auto isOurs = [&](Operation *user) {
      return members.contains(user) || isa<memref::DimOp>(user) ||
             isOpTriviallyDead(user) ||
             (isa<memref::ReinterpretCastOp>(user) &&
              llvm::any_of(uses, [&](auto use) {
                return stages[use.first]
                           .nest.accesses[use.second]
                           .flat.getDefiningOp() == user;
              }));
    };
    bool written = llvm::any_of(uses, [&](auto use) {
      return use.second >= stages[use.first].nest.numInputs();
    });
    if (!written || !llvm::all_of(alloc->getUsers(), isOurs))
      continue;
    MemRefType type = alloc.getType();
    llvm::SmallSet<int, 4> rows;
    auto [firstStage, firstOperand] = uses.front();
    const NestAccess &first = stages[firstStage].nest.accesses[firstOperand];
    for (unsigned dim : plan.rowDims[firstStage])
      if (first.memDims[dim].first >= 0)
        rows.insert(first.memDims[dim].first);
    RowTemporary temporary{alloc, {}, {}, {}, llvm::to_vector(uses)};
    for (int i = 0; i < type.getRank(); ++i) {
      if (rows.contains(i))
        continue;
      temporary.kept.push_back(i);
      temporary.shape.push_back(type.getDimSize(i));
      if (type.isDynamicDim(i))
        temporary.dynamicSizes.push_back(
            alloc.getDynamicSizes()[type.getDynamicDimIndex(i)]);
    }
    temporaries.push_back(std::move(temporary));
  }
  return temporaries;
}

void RowTemporary::replace(Emitter &e, MutableArrayRef<LoopStage> stages,
                           Value row) const {
  for (auto [s, i] : uses)
    stages[s].nest.replaceBuffer(e, i, row, kept);
}

/// Whether `operand`, a result of the nest, is memory that nothing else uses.
static bool isOwnResult(const LoopNest &nest, const NestAccess &access) {
  auto result = dyn_cast<BlockArgument>(access.source);
  if (!result || !isa<func::FuncOp>(result.getOwner()->getParentOp()))
    return false;
  // A call may pass the memory of an operand.
  auto kernel = cast<func::FuncOp>(result.getOwner()->getParentOp());
  for (unsigned i = 0; i < kernel.getNumArguments(); ++i)
    if (kernel.getArgAttr(i, rt::kInPlaceAttr))
      return false;
  return llvm::all_of(result.getUsers(), [&](Operation *user) {
    return user == nest.op || user == access.flat.getDefiningOp() ||
           isa<memref::DimOp>(user) || isOpTriviallyDead(user);
  });
}

bool RowTemporary::replaceByResult(MutableArrayRef<LoopStage> stages) const {
  LoopNest &last = stages.back().nest;
  std::optional<unsigned> input;
  for (auto [s, i] : uses) {
    if (s + 1 < stages.size())
      continue;
    if (input || i >= last.numInputs())
      return false;
    input = i;
  }
  if (!input)
    return false;
  const NestAccess &from = last.accesses[*input];
  unsigned outputs = last.accesses.size() - last.numInputs();
  for (unsigned i = 0; i < outputs; ++i) {
    NestAccess to = last.output(i);
    if (to.source.getType() != from.source.getType() || !from.plain ||
        from.memDims != to.memDims || last.isReduced(i) ||
        !isOwnResult(last, to))
      continue;
    for (auto [s, operand] : uses) {
      stages[s].nest.accesses[operand].source = to.source;
      stages[s].nest.accesses[operand].flat = to.flat;
    }
    return true;
  }
  return false;
}

void hone::fixRow(Emitter &e, LoopNest &nest, ArrayRef<unsigned> rowDims,
                  ValueRange ivs) {
  // From the last dimension to the first, so that indices stay valid.
  SmallVector<std::pair<unsigned, Value>> fixed;
  for (auto [dim, iv] : llvm::zip_equal(rowDims, ivs))
    fixed.push_back({dim, iv});
  llvm::sort(fixed, [](auto &a, auto &b) { return a.first > b.first; });
  for (auto [dim, iv] : fixed)
    nest.fix(e, dim, iv);
}
