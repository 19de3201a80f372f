# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Nodes of operators for which ONNX's tests have no single-node model: domain, operator, inputs, attributes. An input is a type
and its sizes, "float 2x3"; "-" is an omitted one."""

from onnx import parser

ML, MICROSOFT, NCHWC = "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"
# Tokens depend only on the preceding one.
DECODER = parser.parse_graph("""
decoder (int32[b, s] input_ids, int32[b, s] position_ids, int32[b, t] attention_mask, float[2, b, 1, p, 4] past_0)
    => (float[b, s, 4] logits, float[2, b, 1, t, 4] present_0)
    <float[5, 4] words = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0}, int64[2] axes = {0, 2}>
{
    logits = Gather(words, input_ids)
    now = Unsqueeze(logits, axes)
    both = Concat<axis = 0>(now, now)
    present_0 = Concat<axis = 3>(past_0, both)
}""")
HEADS = dict(num_heads=2)
# A scale and a zero point of a quantized input.
QUANTIZED = "float, uint8"
IMAGE = "float 1x8x4x4"
WINDOW = dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1])
SUPPORT = dict(kernel_type="LINEAR", coefficients=[1.0, -1.0], support_vectors=[0.0, 1.0, 1.0, 0.0], rho=[0.5])
CACHED = "float 2x1x32, float 2x1x16, float 2x1x16, {0} 2x2x4x{1}, {0} 2x2x4x{1}, int32 2, int32"
TREE = dict(
    nodes_treeids=[0, 0, 0], nodes_nodeids=[0, 1, 2], nodes_featureids=[0, 0, 0], nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
    nodes_values=[0.5, 0.0, 0.0], nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0],
)  # fmt: skip

EXAMPLES = [
    ("", "Affine", "float 2x3", {}),
    ("", "Crop", "float 1x1x4x4", dict(border=[1, 1, 1, 1])),
    ("", "DynamicSlice", "float 4x3, int64 1, int64 1, int64 1", {}),
    ("", "GlobalLpPool", "float 1x2x3x3", {}),
    ("", "ImageScaler", "float 1x3x4x4", dict(bias=[0.0, 0.0, 0.0])),
    ("", "MaxRoiPool", "float 1x2x4x4, float 1x5", dict(pooled_shape=[2, 2])),
    ("", "Multinomial", "float 2x3", {}),
    ("", "ParametricSoftplus", "float 2x3", {}),
    ("", "RandomNormalLike", "float 2x3", {}),
    ("", "RandomUniformLike", "float 2x3", {}),
    ("", "ScaledTanh", "float 2x3", dict(alpha=1.0, beta=1.0)),
    ("", "SequenceConstruct", "float 2x3, float 2x3", {}),
    ("", "SimplifiedLayerNormalization", "float 2x3x8, float 8", {}),
    (ML, "FeatureVectorizer", "float 2x3, float 2x2", dict(inputdimensions=[3, 2])),
    (ML, "Imputer", "float 2x3", dict(imputed_value_floats=[1.0], replaced_value_float=0.0)),
    (ML, "Imputer", "int64 2x3", dict(imputed_value_int64s=[1], replaced_value_int64=0)),
    (ML, "LinearClassifier", "float 2x3", dict(coefficients=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0], intercepts=[0.0, 0.0], classlabels_ints=[0, 1])),
    (ML, "LinearRegressor", "float 2x3", dict(coefficients=[1.0, 0.0, 0.0], intercepts=[0.0])),
    (ML, "Normalizer", "float 2x3", {}),
    (ML, "OneHotEncoder", "int64 2x3", dict(cats_int64s=[1, 2])),
    (ML, "OneHotEncoder", "string 2x3", dict(cats_strings=["a", "b"])),
    (ML, "SVMClassifier", "float 2x2", dict(SUPPORT, vectors_per_class=[1, 1], classlabels_ints=[0, 1])),
    (ML, "SVMRegressor", "float 2x2", dict(SUPPORT, n_supports=2)),
    (ML, "Scaler", "float 2x3", dict(offset=[0.0], scale=[1.0])),
    (ML, "TreeEnsembleClassifier", "float 2x3", dict(TREE, class_treeids=[0, 0], class_nodeids=[1, 2], class_ids=[0, 1], class_weights=[1.0, 1.0], classlabels_int64s=[0, 1])),
    (ML, "TreeEnsembleRegressor", "float 2x3", dict(TREE, target_treeids=[0, 0], target_nodeids=[1, 2], target_ids=[0, 0], target_weights=[1.0, 1.0], n_targets=1)),
    (MICROSOFT, "Attention", "float 2x3x8, float 8x24, float 24, int32 2", HEADS),
    (MICROSOFT, "BeamSearch", "int32 2x3, int32 1, int32 1, int32 1, int32 1, float 1, float 1, int32 4, int32 2x4, int32 2x3", dict(eos_token_id=0, pad_token_id=1, decoder=DECODER)),
    (MICROSOFT, "BiasAdd", "float 2x3x8, float 8, float 2x3x8", {}),
    (MICROSOFT, "BiasGelu", "float 2x8, float 8", {}),
    (MICROSOFT, "BiasSplitGelu", "float 2x3x8, float 8", {}),
    (MICROSOFT, "DecoderMaskedMultiHeadAttention", "float 2x1x8, float 2x1x8, float 2x1x8, int32 2x5, -, float 2x2x4x4, float 2x2x4x4", HEADS),
    (MICROSOFT, "DequantizeLinear", "uint8 2x3, float, uint8", {}),
    (MICROSOFT, "DynamicQuantizeLSTM", "float 2x1x4, int8 1x4x12, int8 1x3x12, float 1x24, int32 1, -, -, -, float 1, int8 1, float 1, int8 1", dict(hidden_size=3)),
    (MICROSOFT, "DynamicQuantizeMatMul", "float 2x3, uint8 3x4, float, uint8", {}),
    (MICROSOFT, "EmbedLayerNormalization", "int32 2x3, int32 2x3, float 9x4, float 5x4, float 2x4, float 4, float 4", {}),
    (MICROSOFT, "FastGelu", "float 2x8, float 8", {}),
    (MICROSOFT, "FusedConv", f"{IMAGE}, float 8x8x3x3, float 8", dict(WINDOW, activation="Relu")),
    (MICROSOFT, "FusedGemm", "float 2x3, float 3x4, float 4", dict(activation="Relu")),
    (MICROSOFT, "FusedMatMul", "float 2x3, float 3x4", {}),
    (MICROSOFT, "FusedMatMulActivation", "float 2x3, float 3x4", dict(activation="Relu")),
    (MICROSOFT, "GatherBlockQuantized", "uint8 5x8, int64 2, float 5x1, uint8 5x1", dict(block_size=16)),
    (MICROSOFT, "GatherBlockQuantized", "int4 5x16, int64 2, float 5x1", dict(block_size=16)),
    (MICROSOFT, "Gelu", "float 2x8", {}),
    (MICROSOFT, "GreedySearch", "int32 2x3, int32 1, int32 1, float 1, int32 4, int32 2x4, int32 2x3", dict(eos_token_id=0, pad_token_id=1, decoder=DECODER)),
    (MICROSOFT, "GroupNorm", "float 1x4x4x8, float 8, float 8", dict(groups=2, activation=0)),
    (MICROSOFT, "GroupQueryAttention", CACHED.format("float", 8), dict(num_heads=4, kv_num_heads=2)),
    *(
        (MICROSOFT, "GroupQueryAttention", CACHED.format(kind, size) + ", -, -, -, -, -, float 1, float 1", dict(num_heads=4, kv_num_heads=2, kv_cache_bit_width=bits, k_quant_type="PER_TENSOR", v_quant_type="PER_TENSOR"))
        for kind, size, bits in (("int8", 8, 8), ("uint8", 4, 4))
    ),
    (MICROSOFT, "MatMulBnb4", "float 2x16, uint8 32, float 4", dict(K=16, N=4, block_size=16, quant_type=1)),
    (MICROSOFT, "MatMulInteger16", "int16 2x3, int16 3x4", {}),
    (MICROSOFT, "MatMulInteger16", "uint16 2x3, uint16 3x4", {}),
    (MICROSOFT, "MatMulIntegerToFloat", "uint8 2x3, uint8 3x4, float, float, uint8, uint8, float 4", {}),
    (MICROSOFT, "MatMulNBits", "float 2x16, uint8 4x1x8, float 4x1, uint8 4x1, int32 16, float 4", dict(K=16, N=4, block_size=16)),
    (MICROSOFT, "MatMulNBits", "float 2x16, uint8 4x1x8, float 4x1, float 4x1", dict(K=16, N=4, block_size=16)),
    (MICROSOFT, "MultiHeadAttention", "float 2x3x8, float 2x3x8, float 2x3x8, -, int32 2", HEADS),
    (MICROSOFT, "NhwcConv", "float 1x4x4x8, float 8x3x3x8, float 8", WINDOW),
    (MICROSOFT, "NhwcFusedConv", "float 1x4x4x8, float 8x8x3x3, float 8", WINDOW),
    (MICROSOFT, "NhwcMaxPool", "uint8 1x4x4x8", WINDOW),
    (MICROSOFT, "QAttention", "uint8 2x3x8, uint8 8x24, float 24, float, float, int32 2, uint8, uint8", HEADS),
    (MICROSOFT, "QEmbedLayerNormalization", "int32 2x3, int32 2x3, uint8 9x4, uint8 5x4, uint8 2x4, uint8 4, uint8 4, -, float, float, float, float, float, uint8, uint8, uint8, uint8, uint8", {}),
    (MICROSOFT, "QGemm", "uint8 2x3, float, uint8, uint8 3x4, float, uint8, int32 4, float, uint8", {}),
    *((MICROSOFT, name, f"uint8 2x3, {QUANTIZED}, uint8 2x3, {QUANTIZED}, {QUANTIZED}", {}) for name in ("QLinearAdd", "QLinearMul")),
    (MICROSOFT, "QLinearAveragePool", f"uint8 1x8x4x4, {QUANTIZED}, {QUANTIZED}", WINDOW),
    (MICROSOFT, "QLinearConcat", f"{QUANTIZED}, uint8 2x3, {QUANTIZED}, uint8 2x3, {QUANTIZED}", dict(axis=0)),
    (MICROSOFT, "QLinearConv", f"uint8 1x8x4x4, {QUANTIZED}, uint8 8x8x3x3, {QUANTIZED}, {QUANTIZED}, int32 8", WINDOW),
    (MICROSOFT, "QLinearGlobalAveragePool", f"uint8 1x8x4x4, {QUANTIZED}, {QUANTIZED}", {}),
    *((MICROSOFT, name, f"uint8 2x3, {QUANTIZED}, {QUANTIZED}", {}) for name in ("QLinearLeakyRelu", "QLinearReduceMean", "QLinearSigmoid")),
    (MICROSOFT, "QLinearSoftmax", f"uint8 2x3, {QUANTIZED}, {QUANTIZED}", dict(opset=13)),
    (MICROSOFT, "QLinearWhere", f"bool 2x3, uint8 2x3, {QUANTIZED}, uint8 2x3, {QUANTIZED}, {QUANTIZED}", {}),
    (MICROSOFT, "QuantizeLinear", "float 2x3, float, uint8", {}),
    (MICROSOFT, "QuickGelu", "float 2x8", {}),
    (MICROSOFT, "RotaryEmbedding", "float 2x3x8, int64 2x3, float 5x4, float 5x4", {}),
    (MICROSOFT, "SkipGroupNorm", "float 1x4x4x8, float 8, float 8, float 1x4x4x8, float 8", dict(groups=2, activation=0)),
    (MICROSOFT, "SkipLayerNormalization", "float 2x3x8, float 2x3x8, float 8, float 8, float 8", {}),
    (MICROSOFT, "SkipSimplifiedLayerNormalization", "float 2x3x8, float 2x3x8, float 8, float 8", {}),
    (MICROSOFT, "SparseToDenseMatMul", "float 2x3, float 3x4", {}),
    (MICROSOFT, "Tokenizer", "string 3", dict(mark=0, pad_value="#", mincharnum=1, separators=[" "])),
    (MICROSOFT, "TransposeMatMul", "float 2x3, float 3x4", {}),
    *((NCHWC, name, IMAGE, WINDOW) for name in ("AveragePool", "MaxPool")),
    *((NCHWC, name, IMAGE, {}) for name in ("GlobalAveragePool", "GlobalMaxPool")),
    (NCHWC, "Conv", f"{IMAGE}, float 8x8x3x3, float 8", WINDOW),
    (NCHWC, "ReorderInput", IMAGE, {}),
    (NCHWC, "ReorderOutput", IMAGE, dict(channels=8)),
    (NCHWC, "Upsample", IMAGE, dict(scales=[1, 1, 2, 2])),
]
