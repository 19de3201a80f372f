// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef FOLDSCALES_H
#define FOLDSCALES_H

/// Makes the pass "fold-scales" known to pipelines.
void registerFoldScales();

#endif // FOLDSCALES_H
