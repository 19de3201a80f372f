// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Properties of operations that passes query by interface. GraphOps.td and KernelOps.td say which an operation has;
// passes contain no lists of operations for these.
#ifndef HONE_DIALECTS_GRAPH_GRAPHINTERFACES
#define HONE_DIALECTS_GRAPH_GRAPHINTERFACES

include "mlir/IR/OpBase.td"

class Graph_Interface<string name> : OpInterface<name> {
  let cppNamespace = "::hone::graph";
}

//===- Sizes --------------------------------------------------------------------------------------------------------===//

def Graph_GivenSizesOpInterface : Graph_Interface<"GivenSizesOpInterface"> {
  let description = [{
    The dynamic sizes of the result are operands, one for each `?`. All results have one shape.
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
    The cost of an operation, as expressions of sizes: profiles evaluate them at the sizes of a run, passes with typical
    ones.
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
    The operation can work with channels last. Operations without it work in the order of the model.
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
        Makes the operation work with channels last: permutes its attributes, sizes and result types. Its operands are
        permuted already.
      }], "void", "useChannelsLast">];
}

//===- Values at compile time ---------------------------------------------------------------------------------------===//

def Graph_EvaluableOpInterface : Graph_Interface<"EvaluableOpInterface"> {
  let description = "The operation can be computed at compile time where its operands are constants.";
  let methods = [
    InterfaceMethod<[{
        The results, or why they cannot be computed now. All tensor operands are constants, and the results static and
        of whole bytes. `name` is a hint for the resources that large results become.
      }], "::llvm::Expected<::llvm::SmallVector<::mlir::ElementsAttr>>", "evaluate", (ins "::llvm::StringRef":$name)>,
    InterfaceMethod<"The time that takes, in elements of a map with four operations.", "int64_t", "getEvaluationCost",
      (ins), "", "return ::hone::graph::elementsTouched($_op) / 64;">,
    InterfaceMethod<[{
        True if the results need no memory and almost no time: they share that of an operand, or are splats.
      }], "bool", "isFreeToEvaluate", (ins), "", "return false;">];
}

//===- Kernels ------------------------------------------------------------------------------------------------------===//

def Graph_EpilogueOpInterface : Graph_Interface<"EpilogueOpInterface"> {
  let description = [{
    Inside a kernel the operation becomes one with an epilogue, which absorbs the maps after it: they run on sums that
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
    An operation inside kernels that sums products, on CPUs according to a schedule.
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

/// The operation may end the run with an error that names a node.
def Graph_ReportsErrors : NativeOpTrait<"ReportsErrors"> {
  let cppNamespace = "::hone::graph";
}

/// Inside kernels the operation is kept until bufferization, where it determines how memory is addressed.
def Graph_InMemory : NativeOpTrait<"InMemory"> {
  let cppNamespace = "::hone::graph";
}

#endif // HONE_DIALECTS_GRAPH_GRAPHINTERFACES
