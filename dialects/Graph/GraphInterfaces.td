// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What passes ask of operations, whichever they are. An operation says which of these it has in GraphOps.td or
// KernelOps.td; passes hold no list of operations for what is asked here.
#ifndef HONE_DIALECTS_GRAPH_GRAPHINTERFACES
#define HONE_DIALECTS_GRAPH_GRAPHINTERFACES

include "mlir/IR/OpBase.td"

class Graph_Interface<string name> : OpInterface<name> {
  let cppNamespace = "::hone::graph";
}

//===- Sizes --------------------------------------------------------------------------------------------------------===//

def Graph_GivenSizesOpInterface : Graph_Interface<"GivenSizesOpInterface"> {
  let description = [{
    The sizes of the result that its type leaves open are operands, one for each `?`. All results have one shape.
  }];
  let methods = [
    InterfaceMethod<"These operands.", "::mlir::OperandRange", "getDims">,
    InterfaceMethod<"The same, to be changed.", "::mlir::MutableOperandRange", "getDimsMutable">,
    InterfaceMethod<"Sizes that the types of other operands tell; dynamic where they tell nothing.",
      "::llvm::SmallVector<int64_t>", "getKnownSizes", (ins), "", [{
        auto type = ::llvm::cast<::mlir::ShapedType>($_op->getResult(0).getType());
        return ::llvm::SmallVector<int64_t>(type.getRank(), ::mlir::ShapedType::kDynamic);
      }]>];
}

def Graph_DerivedSizesOpInterface : Graph_Interface<"DerivedSizesOpInterface"> {
  let description = "The sizes of the only result follow from the operands' alone.";
  let methods = [
    InterfaceMethod<"Where dimension `dim` of the result comes from.", "::hone::graph::SizeSource", "getSizeSource",
      (ins "int64_t":$dim)>];
}

//===- Costs --------------------------------------------------------------------------------------------------------===//

def Graph_CostOpInterface : Graph_Interface<"CostOpInterface"> {
  let description = [{
    What an operation amounts to, as expressions of sizes: profiles evaluate them at the sizes of a run, passes with
    typical ones.
  }];
  let methods = [
    InterfaceMethod<"Products that are summed.", "::hone::graph::SizeExpr", "getMultiplyAdds", (ins), "",
      "return 0;">,
    InterfaceMethod<"Arithmetic on data, where a multiply-add is two.", "::hone::graph::SizeExpr", "getFlop", (ins), "",
      "return $_op.getMultiplyAdds() * 2;">,
    InterfaceMethod<"Elements that are gone over, beside the operands of multiply-adds.", "::hone::graph::SizeExpr",
      "getElementsSwept", (ins), "", "return ::hone::graph::SizeExpr::elements($_op->getResult(0));">,
    InterfaceMethod<"Elements of an operand that are read; nothing where that is all of it.",
      "::std::optional<::hone::graph::SizeExpr>", "getPartRead", (ins "::mlir::OpOperand &":$operand), "",
      "return ::std::nullopt;">];
}

//===- Layout -------------------------------------------------------------------------------------------------------===//

def Graph_LayoutOpInterface : Graph_Interface<"LayoutOpInterface"> {
  let description = [{
    The operation can work with channels last. Those without it work in the order of the model.
  }];
  let methods = [
    InterfaceMethod<"In which order it works, as it is now.", "::hone::graph::LayoutRole", "getLayoutRole",
      (ins "::hone::graph::DimBuilder &":$dims)>,
    InterfaceMethod<"In which order it reads a tensor, itself or in its region.", "::hone::graph::OperandOrder",
      "getOperandOrder", (ins "::mlir::OpOperand &":$operand), "", [{
        return operand.getOperandNumber() == 0 ? ::hone::graph::OperandOrder::Own : ::hone::graph::OperandOrder::Model;
      }]>,
    InterfaceMethod<"Whether the results come in the order in which it works, rather than in that of the model.", "bool",
      "resultsFollowLayout", (ins), "", "return true;">,
    InterfaceMethod<[{
        Makes the operation work with channels last: gives its attributes, sizes and result types the new order. Its
        operands have it already.
      }], "void", "useChannelsLast">];
}

//===- Values at compile time ---------------------------------------------------------------------------------------===//

def Graph_EvaluableOpInterface : Graph_Interface<"EvaluableOpInterface"> {
  let description = "The operation can be computed at compile time where its operands are constants.";
  let methods = [
    InterfaceMethod<[{
        The results, or why they cannot be computed now. All tensors that the operation takes are constants, and the
        results static and of whole bytes. `name` is a hint for the resources that large results become.
      }], "::llvm::Expected<::llvm::SmallVector<::mlir::ElementsAttr>>", "evaluate", (ins "::llvm::StringRef":$name)>,
    InterfaceMethod<"The time that takes, in elements of a map with four operations.", "int64_t", "getEvaluationCost",
      (ins), "", "return ::hone::graph::elementsTouched($_op) / 64;">,
    InterfaceMethod<[{
        True where the results need no memory of their own and hardly time: they share that of an operand, or one element
        stands for all.
      }], "bool", "isFreeToEvaluate", (ins), "", "return false;">];
}

//===- Kernels ------------------------------------------------------------------------------------------------------===//

def Graph_EpilogueOpInterface : Graph_Interface<"EpilogueOpInterface"> {
  let description = [{
    Inside a kernel the operation becomes one with an epilogue, which takes in the maps behind it: they run on sums that
    are still in registers.
  }];
  let methods = [
    InterfaceMethod<"The operation inside kernels, with an empty epilogue.", "::mlir::Operation *", "createKernelOp",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::TypeRange":$results, "::mlir::ValueRange":$extras,
        "::mlir::ValueRange":$outs, "::mlir::ArrayAttr":$maps)>];
}

//===- Inside kernels -----------------------------------------------------------------------------------------------===//

def Graph_KernelOpInterface : Graph_Interface<"KernelOpInterface"> {
  let description = "An operation inside kernels that writes into destinations and has an epilogue: `KernelOps.td`.";
  let methods = [
    InterfaceMethod<"Operands of the epilogue.", "::mlir::OperandRange", "getExtras">,
    InterfaceMethod<"The destinations.", "::mlir::OperandRange", "getOuts">,
    InterfaceMethod<"Where each of the extra operands is read.", "::mlir::ArrayAttr", "getMaps">,
    InterfaceMethod<"The epilogue.", "::mlir::Region &", "getEpilogue">,
    InterfaceMethod<"Region arguments that precede those of `extras`.", "unsigned", "getNumAccumulators", (ins), "",
      "return 1;">];
  let extraSharedClassDeclaration = [{
    ::mlir::AffineMap getExtraMap(unsigned i) {
      return ::llvm::cast<::mlir::AffineMapAttr>($_op.getMaps()[i]).getValue();
    }
    ::mlir::Type getAccumulatorType() { return $_op.getEpilogue().front().getArgument(0).getType(); }
  }];
}

def Graph_ScheduledOpInterface : Graph_Interface<"ScheduledOpInterface"> {
  let description = [{
    An operation inside kernels that sums products, and does so by a schedule on CPUs.
  }];
  let methods = [
    InterfaceMethod<"Null: there is none yet.", "::hone::graph::ScheduleAttr", "getScheduleAttr">,
    InterfaceMethod<"", "void", "setScheduleAttr", (ins "::hone::graph::ScheduleAttr":$schedule)>,
    InterfaceMethod<"Whether a schedule is what it is computed by.", "bool", "takesSchedule", (ins), "",
      "return true;">,
    InterfaceMethod<"The operands whose elements are multiplied.", "::std::pair<::mlir::Value, ::mlir::Value>",
      "getFactors">,
    InterfaceMethod<"The layout of the second of them; null where it is not packed.", "::hone::graph::PackedAttr",
      "getPackedAttr", (ins), "", "return {};">];
}

/// The operation may end the run with an error, in the name of a node.
def Graph_ReportsErrors : NativeOpTrait<"ReportsErrors"> {
  let cppNamespace = "::hone::graph";
}

/// Inside kernels the operation stays as it is until there are buffers, where it says what lies where.
def Graph_InMemory : NativeOpTrait<"InMemory"> {
  let cppNamespace = "::hone::graph";
}

#endif // HONE_DIALECTS_GRAPH_GRAPHINTERFACES
