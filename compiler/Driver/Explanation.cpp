// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What passes did and did not do for speed, as `--explain` tells it.
#include "compiler/Driver/Explanation.h"
#include "dialects/Rt/Rt.h"
#include "mlir/IR/Remarks.h"
#include "passes/Machine/Estimate.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Remarks/Remark.h"

using namespace mlir;
using namespace hone;

/// Nodes that are named; the others are counted.
static constexpr size_t kNamedNodes = 3;

struct Explanation::Listener : remark::detail::MLIRRemarkStreamerBase {
  explicit Listener(Explanation &explanation) : explanation(explanation) {}

  void streamOptimizationRemark(const remark::detail::Remark &remark) override {
    StringRef name = remark.getRemarkName();
    std::string text = name.str();
    int64_t work = 0;
    for (const remark::detail::Remark::Arg &argument : remark.getArgs())
      if (argument.key == "work")
        StringRef(argument.val).getAsInteger(10, work);
      else
        text = argument.val;
    bool missed = remark.getRemarkType() == llvm::remarks::Type::Missed;
    Kind kind = !missed ? Kind::Done : name == "slow" ? Kind::Slow : Kind::Left;
    std::string node = rt::describeNode(remark.getLocation());
    std::lock_guard<std::mutex> lock(explanation.mutex);
    Group &group =
        explanation.groups[{kind, remark.getCategoryName().str(), text}];
    if (group.nodes.insert(node).second)
      group.work = std::min(group.work + work, kMaxEstimate);
  }

  Explanation &explanation;
};

LogicalResult Explanation::listen(MLIRContext &context) {
  remark::RemarkCategories categories;
  categories.passed = categories.missed = ".*";
  return remark::enableOptimizationRemarks(
      context, std::make_unique<Listener>(*this),
      std::make_unique<remark::RemarkEmittingPolicyAll>(), categories);
}

void Explanation::print(raw_ostream &os) const {
  using Entry = std::pair<const Key, Group>;
  auto show = [&](Kind kind, StringRef title) {
    SmallVector<const Entry *> entries;
    for (const Entry &entry : groups)
      if (std::get<Kind>(entry.first) == kind)
        entries.push_back(&entry);
    if (entries.empty())
      return;
    llvm::sort(entries, [](const Entry *a, const Entry *b) {
      return std::tie(b->second.work, a->first) <
             std::tie(a->second.work, b->first);
    });
    os << title << "\n";
    for (const Entry *entry : entries) {
      const auto &[key, group] = *entry;
      os << "  " << std::get<1>(key) << ": " << std::get<2>(key) << "\n    ";
      size_t named = 0;
      for (const std::string &node : group.nodes)
        if (!node.empty() && named < kNamedNodes)
          os << (named++ ? ", " : "") << node;
      if (!named)
        os << "what the compiler made itself";
      else if (size_t more = group.nodes.size() - named)
        os << " and " << more << " more";
      os << "\n";
    }
  };
  show(Kind::Slow, "slower than it could be:");
  show(Kind::Left, "left as it was:");
  show(Kind::Done, "done:");
  if (groups.empty())
    os << "no pass has a remark\n";
}
