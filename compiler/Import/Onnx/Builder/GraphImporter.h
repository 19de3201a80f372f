// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Walks the graphs of one model and imports node by node.
#ifndef HONE_COMPILER_IMPORT_ONNX_BUILDER_GRAPHIMPORTER_H
#define HONE_COMPILER_IMPORT_ONNX_BUILDER_GRAPHIMPORTER_H

#include "compiler/Import/Onnx/Builder/NodeBuilder.h"
#include "compiler/Import/Onnx/OnnxImporter.h"
#include "compiler/Import/Onnx/Operators/Microsoft/Nchwc.h"
#include "dialects/Graph/DimBuilder.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

#include <map>
#include <set>

namespace hone::onnx {

/// The call of a model-local function that is being inlined.
struct Call {
  const Function *function = nullptr;
  llvm::StringMap<const AttributeProto *> attributes;
  const Call *outer = nullptr;
};

/// Names visible to the nodes of one graph.
struct Scope {
  Scope *outer = nullptr;
  llvm::StringMap<Val> values;
  /// Names that some node of the graph produces, for the message about a use
  /// before that.
  llvm::StringSet<> later;
  const Call *call = nullptr;
  llvm::StringMap<int64_t> *opsets = nullptr;
};

class GraphImporter {
public:
  GraphImporter(mlir::MLIRContext &context, const Model &model,
                llvm::StringRef file, const ImportOptions &options,
                std::shared_ptr<llvm::MemoryBuffer> bytes);

  mlir::OwningOpRef<mlir::ModuleOp> run();

  /// Imports a subgraph at the insertion point. `arguments` are its inputs;
  /// other names are looked up in `scope`. The results may be values from
  /// outside.
  mlir::LogicalResult importSubgraph(NodeBuilder &node, const Graph &graph,
                                     llvm::ArrayRef<Val> arguments,
                                     llvm::SmallVectorImpl<Val> &results);

  /// An error that ends every run that reaches a node.
  struct Fault {
    std::string message; ///< empty if there is none
    mlir::Location loc;
  };
  /// Like `importSubgraph` of a branch that not every run takes; if there is a
  /// `fault`, a failure with a message in it has not been reported.
  mlir::LogicalResult importBranch(NodeBuilder &node, const Graph &graph,
                                   llvm::SmallVectorImpl<Val> &results,
                                   Fault *fault = nullptr);
  /// Reports a fault as an error, or keeps the first one of a branch.
  void fault(mlir::Location loc, const llvm::Twine &message);

  /// The constant of a tensor of the file.
  std::optional<Val> constant(const Tensor &tensor, mlir::Location loc,
                              std::string &problem);
  /// Its elements; null (with `problem`) if they cannot be used.
  mlir::ElementsAttr constantElements(const Tensor &tensor,
                                      std::string &problem);

  void error(const llvm::Twine &message,
             llvm::ArrayRef<std::string> notes = {});
  /// Once, however often the node is imported.
  void warn(const llvm::Twine &message);
  /// A type of the model as one of the IR; null (with `problem`) if it is not
  /// supported. `given`: all sizes of an input, if the user gave them.
  mlir::Type convertType(const TypeProto &type, ElementType &elem,
                         llvm::SmallVectorImpl<mlir::Attribute> *dims,
                         std::string &problem,
                         llvm::ArrayRef<int64_t> given = {});
  /// Takes a replaced attempt out of the module. It is kept until the end, as
  /// recorded sizes may refer to it.
  void discard(mlir::Operation *op) {
    op->remove();
    discarded.push_back(op);
  }
  /// Whether a body may be unrolled `trips` times: nested loops would multiply.
  bool mayRepeat(int64_t trips) const {
    return repeats <= kMaxRepeats && trips <= kMaxRepeats / repeats;
  }
  /// Iteration `number` of `trips` of an unrolled body.
  struct UnrolledIteration {
    UnrolledIteration(GraphImporter &importer, int64_t number, int64_t trips)
        : importer(importer), trips(trips) {
      importer.repeats *= trips;
      importer.path.push_back({nullptr, number});
    }
    ~UnrolledIteration() {
      importer.path.pop_back();
      importer.repeats /= trips;
    }
    GraphImporter &importer;
    int64_t trips;
  };
  /// The types that the current node converged to when it was last imported at
  /// this place, initially empty. Otherwise re-importing an outer body would
  /// import each inner one several times, and those inside it the square of
  /// that.
  llvm::SmallVector<mlir::Type> &settledTypes() { return settled[path]; }
  /// What the file says about a value by itself; null if nothing.
  const TypeProto *declaredType(llvm::StringRef name);
  /// The size of the dimensions of this name in inputs, nothing if none has it.
  std::optional<Size> sizeNamed(llvm::StringRef name);
  /// Adds a node of a custom operator (rt::kCustomAttr); returns its position.
  int64_t addCustomNode(mlir::Attribute node) {
    customNodes.push_back(node);
    return customNodes.size() - 1;
  }
  /// A name for an unnamed free dimension: "?0", "?1", ...
  std::string freshDimName();
  /// The number of channels per block of com.microsoft.nchwc: 8 or 16, from the
  /// model's sizes or an option; 0, with `problem`, if neither tells.
  int64_t nchwcBlock(std::string &problem);

  mlir::OpBuilder builder;
  std::unique_ptr<graph::DimBuilder> dimBuilder;
  /// Elements of small tensors that are computed on the host: index for
  /// integers, i1 for bool, floats as such.
  llvm::DenseMap<mlir::Value, llvm::SmallVector<mlir::Value>> elements;
  bool hasErrors = false;

private:
  mlir::LogicalResult importOpsets(llvm::ArrayRef<OpsetImport> imports,
                                   llvm::StringMap<int64_t> &opsets);
  void reportUnknown();
  mlir::LogicalResult checkNodeCount();
  void reportNodeCount();
  int64_t countNodes(llvm::ArrayRef<Node> nodes, int depth, bool inlined);
  /// An operator that is not supported.
  struct Unknown {
    llvm::SmallVector<std::string> nodes;
    llvm::StringRef advice; ///< what to do instead, if known
  };
  void collectUnknown(llvm::ArrayRef<Node> nodes,
                      llvm::StringMap<int64_t> &opsets,
                      std::map<std::string, Unknown> &unknown, int depth);
  /// The initializers that are inputs with a default value, in file order.
  std::vector<const Tensor *> chooseOverridable();
  mlir::LogicalResult importArguments(Scope &scope);
  void importArgument(const ValueInfo &input, const Tensor *byDefault,
                      Scope &scope,
                      llvm::SmallVectorImpl<mlir::DictionaryAttr> &attributes);
  /// Takes all sizes of an input, which gives those of the free dimensions that
  /// other inputs share.
  void giveShape(llvm::StringRef name, llvm::ArrayRef<int64_t> shape);
  /// Checks that sizes are given only for free dimensions of the inputs.
  void checkDimOptions();
  void importReturn(Scope &scope);
  void importInitializers(const Graph &graph, Scope &scope);
  void importNodes(llvm::ArrayRef<Node> nodes, Scope &scope);
  void importNode(const Node &node, Scope &scope);
  mlir::LogicalResult importCall(const Node &node, const Function &function,
                                 llvm::ArrayRef<Val> inputs, Scope &scope,
                                 mlir::Location loc,
                                 llvm::SmallVectorImpl<Val> &results);
  mlir::LogicalResult importNested(NodeBuilder &node, const Graph &graph,
                                   llvm::ArrayRef<Val> arguments,
                                   llvm::SmallVectorImpl<Val> &results);
  bool define(llvm::StringRef name, Val value, Scope &scope,
              const llvm::Twine &what);
  const Val *lookup(llvm::StringRef name, Scope &scope);
  const Function *findFunction(const Node &node);
  void collectTypes(const Graph &graph, int depth);
  /// The version of the domain of a node; -1 if the model should say it, and
  /// does not.
  static int64_t versionOf(const Node &node,
                           const llvm::StringMap<int64_t> &opsets);
  mlir::Location locOf(const Node &node);

  mlir::MLIRContext &context;
  const Model &model;
  std::string file;
  const ImportOptions &options;
  std::shared_ptr<llvm::MemoryBuffer> bytes;
  mlir::func::FuncOp function;
  llvm::StringMap<const Function *> functions;
  llvm::StringMap<int64_t> modelOpsets;
  /// Names of dimensions in the file, and of the free ones of the inputs.
  llvm::StringSet<> givenDimNames;
  std::set<std::string> freeDims;
  llvm::StringMap<int64_t> givenSizes;                  ///< of free dimensions
  llvm::StringMap<llvm::ArrayRef<int64_t>> givenShapes; ///< of inputs
  unsigned anonymousDims = 0, resources = 0, reported = 0;
  /// Large constants by their bytes and type.
  llvm::DenseMap<std::pair<const void *, mlir::Type>, mlir::ElementsAttr> blobs;
  int64_t importedNodes = 0, maxNodes = 0;
  /// Nodes of a function including those it calls; -1 while it is counted.
  llvm::DenseMap<const Function *, int64_t> nodesOf;
  const Function *recursive = nullptr; ///< calls itself, or nests too deep
  /// The enclosing nodes of the imported one, and iterations of bodies.
  using Path = std::vector<std::pair<const Node *, int64_t>>;
  Path path;
  std::map<Path, llvm::SmallVector<mlir::Type>> settled;
  static constexpr int64_t kMaxRepeats = 16;
  int64_t repeats = 1;
  std::vector<mlir::Operation *> discarded;
  llvm::SmallVector<mlir::Attribute> customNodes;
  llvm::StringMap<const TypeProto *> declaredTypes;
  bool hasDeclaredTypes = false; ///< they have been collected
  const NchwcBlock &foundNchwcBlock();
  std::optional<NchwcBlock> channelBlock;
  int depth = 0;
  Fault *branchFault = nullptr; ///< where those of the current branch go
  llvm::StringSet<> warned;
};

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_BUILDER_GRAPHIMPORTER_H
