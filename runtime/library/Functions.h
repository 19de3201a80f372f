// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// All library functions. runtime/library/README.md says what each does.
#ifndef HONE_RUNTIME_LIBRARY_FUNCTIONS_H
#define HONE_RUNTIME_LIBRARY_FUNCTIONS_H

#include "hone/abi.h"

extern "C" {
#pragma GCC visibility push(hidden)

// Selection.
hone_library_fn hone_lib_nonzero, hone_lib_compress, hone_lib_unique,
    hone_lib_non_max_suppression, hone_lib_range;

// Sequences and optionals.
hone_library_fn hone_lib_sequence_empty, hone_lib_sequence_construct,
    hone_lib_sequence_at, hone_lib_sequence_insert, hone_lib_sequence_append,
    hone_lib_sequence_erase, hone_lib_sequence_length,
    hone_lib_concat_from_sequence, hone_lib_split_to_sequence,
    hone_lib_optional_make, hone_lib_optional_empty,
    hone_lib_optional_has_element, hone_lib_optional_get_element,
    hone_lib_flatten, hone_lib_shape_like;

// Strings.
hone_library_fn hone_lib_string_concat, hone_lib_string_equal,
    hone_lib_string_split, hone_lib_string_normalizer,
    hone_lib_regex_full_match, hone_lib_string_from_number,
    hone_lib_string_to_number, hone_lib_label_encoder,
    hone_lib_tfidf_vectorizer, hone_lib_tokenize;

// Maps.
hone_library_fn hone_lib_zip_map, hone_lib_dict_vectorizer, hone_lib_cast_map;

// Moving elements of any type.
hone_library_fn hone_lib_take, hone_lib_gather, hone_lib_concat,
    hone_lib_expand, hone_lib_broadcast, hone_lib_where, hone_lib_transpose,
    hone_lib_slice, hone_lib_tile;

// Images.
hone_library_fn hone_lib_decode_image;

// Random numbers.
hone_library_fn hone_lib_random_uniform, hone_lib_random_normal,
    hone_lib_bernoulli, hone_lib_multinomial, hone_lib_dropout;

// Numerics.
hone_library_fn hone_lib_det, hone_lib_dft, hone_lib_stft, hone_lib_window,
    hone_lib_mel_weight_matrix, hone_lib_tree_ensemble,
    hone_lib_couple_probabilities;

// Operators of the user.
hone_library_fn hone_lib_custom;

#pragma GCC visibility pop
}

/// Defines a library function with a Call as its body's argument.
#define HONE_LIBRARY(name)                                                     \
  static int32_t name##Body(::hone::library::Call &call);                      \
  int32_t hone_lib_##name(hone_frame *frame, int32_t node,                     \
                          const hone_value *const *operands,                   \
                          int32_t operandCount, hone_value *results,           \
                          int32_t resultCount, const int64_t *config) {        \
    ::hone::library::Call call(frame, node, operands, operandCount, results,   \
                               resultCount, config);                           \
    return name##Body(call);                                                   \
  }                                                                            \
  static int32_t name##Body(::hone::library::Call &call)

#endif // HONE_RUNTIME_LIBRARY_FUNCTIONS_H
